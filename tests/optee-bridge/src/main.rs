//! Carries a test's requests over TCP to the trusted application, and its commands to a shell of the guest. It is for
//! images that are booted for a test: whoever can connect may do anything in the guest.
//!
//! A question is a byte, `c` for a call of the application or `r` for a command to be run, a length (u32, little
//! endian) and so many bytes. Its answer is a byte, 0 for success and 1 for a reason in words, a length and so many
//! bytes. Sessions are opened as `holdfast-host` opens them, by the code that it uses.

#![forbid(unsafe_code)]

mod faults;

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
};

use anyhow::{bail, Context, Result};
use holdfast_host::{Application, Link, OpTee};

/// A question is never longer: the conformance suite asks with a mebibyte, which the application takes no more than any
/// other request that is too long.
const MAX_QUESTION: usize = 2 * 1024 * 1024;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", application, port] => serve(named(application)?, port.parse()?),
        ["fault", fault] => {
            println!("{}", faults::commit(fault)?);
            Ok(())
        }
        _ => bail!("usage: holdfast-optee-bridge serve production|development PORT | fault panic|exhaust|spare"),
    }
}

fn named(application: &str) -> Result<Application> {
    match application {
        "production" => Ok(Application::Production),
        "development" => Ok(Application::Development),
        _ => bail!("there is no application {application}"),
    }
}

/// One connection at a time. The application is opened at the first call, so that a test reads why it cannot be.
fn serve(application: Application, port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    println!("bridge: listening");
    let mut link = None;
    for connection in listener.incoming() {
        let connection = connection?;
        connection.set_nodelay(true)?;
        if let Err(error) = converse(connection, application, &mut link) {
            println!("bridge: {error:#}");
        }
    }
    Ok(())
}

fn converse(mut connection: TcpStream, application: Application, link: &mut Option<OpTee>) -> Result<()> {
    while let Some((kind, question)) = question(&mut connection)? {
        let answer = match kind {
            b'c' => call(application, link, &question),
            b'r' => run(&question),
            _ => bail!("a question of kind {kind}"),
        };
        let (outcome, bytes) = match answer {
            Ok(bytes) => (0, bytes),
            Err(reason) => (1, reason.into_bytes()),
        };
        let mut message = vec![outcome];
        message.extend((bytes.len() as u32).to_le_bytes());
        message.extend(bytes);
        connection.write_all(&message)?;
    }
    Ok(())
}

/// Nothing at the end of the connection.
fn question(connection: &mut TcpStream) -> Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 5];
    match connection.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length) as usize;
    anyhow::ensure!(length <= MAX_QUESTION, "a question of {length} bytes");
    let mut question = vec![0; length];
    connection.read_exact(&mut question)?;
    Ok(Some((kind, question)))
}

fn call(application: Application, link: &mut Option<OpTee>, request: &[u8]) -> Result<Vec<u8>, String> {
    let link = match link {
        Some(link) => link,
        None => link.insert(OpTee::open(application).map_err(|error| error.to_string())?),
    };
    link.call(request).map_err(|error| error.to_string())
}

fn run(command: &[u8]) -> Result<Vec<u8>, String> {
    let output = Command::new("/bin/sh").arg("-c").arg(String::from_utf8_lossy(command).as_ref()).output();
    let output = output.context("no shell").map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}
