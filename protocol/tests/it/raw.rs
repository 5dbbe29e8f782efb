//! Bytes as they are on the wire.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bincode::Options;
use holdfast_protocol::{FromDaemon, Hello, Request, ToDaemon, VERSION};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::daemon::{sign, VISITOR};

/// ductile's greeting, as it leaves ductile.
pub(crate) fn magic() -> [u8; 4] {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| ductile::connect_unix_channel::<_, Vec<u8>, Vec<u8>>(&path).err());
        let mut magic = [0; 4];
        listener.accept().unwrap().0.read_exact(&mut magic).unwrap();
        magic
    })
}

/// A frame of ductile around a message.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    head(0, message.len() as u64, message)
}

/// A frame with a head of one's own.
pub(crate) fn head(kind: u32, length: u64, message: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length.to_le_bytes()[..], message].concat()
}

pub(crate) fn encode(message: &impl Serialize) -> Vec<u8> {
    bincode::DefaultOptions::new().with_fixint_encoding().serialize(message).unwrap()
}

pub(crate) fn decode<T: DeserializeOwned>(message: &[u8]) -> T {
    bincode::DefaultOptions::new().with_fixint_encoding().deserialize(message).unwrap()
}

pub(crate) fn hello() -> Vec<u8> {
    frame(&encode(&ToDaemon::Hello(Hello { version: VERSION, visitor: *VISITOR })))
}

pub(crate) fn request(id: u64) -> Vec<u8> {
    frame(&encode(&ToDaemon::Request(Request { id, deadline_ms: 1000, call: sign(b"message") })))
}

pub(crate) fn say(message: &FromDaemon) -> Vec<u8> {
    frame(&encode(message))
}

/// Reads one frame's message.
pub(crate) fn read<T: DeserializeOwned>(mut stream: &UnixStream) -> Option<T> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    let mut message = vec![0; u64::from_le_bytes(head[4..].try_into().unwrap()) as usize];
    stream.read_exact(&mut message).ok()?;
    Some(decode(&message))
}

/// Waits until the peer has closed the connection, dropping what it still says.
pub(crate) fn closed(mut stream: &UnixStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut sink = [0; 4096];
    loop {
        match stream.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// Greets, as either side does.
pub(crate) fn greet(mut stream: &UnixStream) {
    let magic = magic();
    stream.write_all(&magic).unwrap();
    let mut theirs = [0; 4];
    stream.read_exact(&mut theirs).unwrap();
    assert_eq!(theirs, magic);
}
