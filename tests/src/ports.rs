//! TCP ports that stay a process's own while it is down, so that it is found again where it was.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    ops::Range,
};

use anyhow::{Context, Result};

/// Below those that Linux gives to outgoing connections (32768 and up, ip(7)): one of these could take a port while
/// its owner is restarted.
const RANGE: Range<u16> = 20_000..32_000;

/// A TCP port of the loopback address that no other process which asks here is given while this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The UDP port of the same number: nobody listens on it, and only one process can have it.
    _claim: UdpSocket,
}

impl Port {
    /// One on which nobody listens.
    pub fn free() -> Result<Port> {
        // Where to begin differs between processes, so that they seldom try the same one.
        let start = RandomState::new().hash_one(std::process::id());
        let length = RANGE.len() as u64;
        (0..length)
            .map(|step| RANGE.start + (start.wrapping_add(step) % length) as u16)
            .find_map(Port::claim)
            .with_context(|| format!("no port between {} and {} is free", RANGE.start, RANGE.end))
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    fn claim(number: u16) -> Option<Port> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        can_listen(number).ok()?;
        Some(Port { number, _claim: claim })
    }
}

/// An error if somebody listens on this TCP port of the loopback address, or nobody may.
pub fn can_listen(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_until_it_is_given_back_and_can_be_listened_on() -> Result<()> {
        let port = Port::free()?;
        assert!(RANGE.contains(&port.number()));
        assert!(Port::claim(port.number()).is_none());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number()))?;
        assert!(can_listen(port.number()).is_err());
        let number = port.number();
        drop(port);
        assert!(Port::claim(number).is_none(), "somebody listens");
        drop(listener);
        assert!(Port::claim(number).is_some());
        Ok(())
    }
}
