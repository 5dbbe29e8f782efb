//! OP-TEE's client library, libteec.

use std::path::Path;

use holdfast_ta::optee::COMMAND;
use optee_teec::{Context, Error, Operation, ParamNone, ParamTmpRef, Session, Uuid};

use super::{
    claim::{Claim, DEVICE},
    sessions::{Client, Sessions, SILENCE},
    Application, OpTeeError,
};
use crate::link::{Link, LinkError};

/// A trusted application on the OP-TEE beside this Linux. One that panicked, or that is not reached, is started again
/// at the next call.
pub struct OpTee {
    sessions: Sessions<Teec>,
    application: Application,
    /// A daemon's.
    _claim: Option<Claim>,
}

impl OpTee {
    /// Starts the application and opens a session with it. While tee-supplicant is not there this waits, and the log
    /// says so.
    pub fn open(application: Application) -> Result<OpTee, OpTeeError> {
        Ok(OpTee { sessions: Sessions::open(Teec(application))?, application, _claim: None })
    }

    /// The same for a daemon, which is to be the only one on this OP-TEE.
    pub fn open_alone(application: Application) -> Result<OpTee, OpTeeError> {
        let claim = Claim::on(Path::new(DEVICE))?;
        Ok(OpTee { _claim: Some(claim), ..OpTee::open(application)? })
    }
}

impl Link for OpTee {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.sessions.call(request)
    }

    fn name(&self) -> String {
        self.application.to_string()
    }

    fn silence(&self) -> Option<&'static str> {
        Some(SILENCE)
    }
}

struct Teec(Application);

impl Client for Teec {
    // It keeps the context, which closes after it.
    type Session = Session;

    fn open(&mut self) -> Result<Session, OpTeeError> {
        let mut context =
            Context::new().map_err(|error| OpTeeError::Context { code: error.raw_code(), origin: origin(&error) })?;
        Uuid::parse_str(self.0.uuid()).and_then(|uuid| context.open_session(uuid)).map_err(|error| {
            OpTeeError::Session { application: self.0, code: error.raw_code(), origin: origin(&error) }
        })
    }

    // The request, which may hold a seed, is not copied: libteec lends OP-TEE the memory in which it lies. Only for an
    // OP-TEE that takes no memory of Linux's programs does libteec copy it, into the driver's.
    fn invoke(&mut self, session: &mut Session, request: &[u8], answer: &mut [u8]) -> Result<usize, OpTeeError> {
        let (request, answer) = (ParamTmpRef::new_input(request), ParamTmpRef::new_output(answer));
        let mut operation = Operation::new(0, request, answer, ParamNone, ParamNone);
        session
            .invoke_command(COMMAND, &mut operation)
            .map_err(|error| OpTeeError::Call { code: error.raw_code(), origin: origin(&error) })?;
        Ok(operation.parameters().1.updated_size())
    }
}

fn origin(error: &Error) -> u32 {
    error.origin().map_or(0, u32::from)
}
