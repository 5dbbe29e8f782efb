//! A Unix socket that is private from its first moment, taken over only from the dead.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, FlockOperation, Mode, OFlags, Stat, CWD},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};

use super::ListenError;
use crate::config::{check_socket_path, SocketMode};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A socket in the file system that is this process's. Dropping it removes it.
pub(super) struct Bound {
    path: PathBuf,
    identity: (u64, u64),
    _lock: Lock,
}

/// Held for as long as the socket is bound, so that of two daemons that start together one is refused.
struct Lock {
    path: PathBuf,
    _file: OwnedFd,
}

/// Binds and listens at `path`. A socket that nobody answers on is replaced; nothing else is.
pub(super) fn bind(path: &Path, mode: SocketMode) -> Result<(UnixListener, Bound), ListenError> {
    check_socket_path(path)?;
    let failed = |errno: Errno| match errno {
        Errno::NOENT | Errno::NOTDIR => ListenError::NoDirectory(path.to_owned()),
        errno => ListenError::Unix { path: path.to_owned(), cause: errno.into() },
    };
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let lock = Lock::take(path).map_err(failed)?.ok_or_else(|| ListenError::Locked(path.to_owned()))?;
    vacate(path, &address).map_err(failed)??;
    let (socket, bound) = make(path, &address, mode, lock).map_err(failed)?;
    Ok((socket.into(), bound))
}

/// Removes a socket on which nobody answers.
fn vacate(path: &Path, address: &SocketAddrUnix) -> Result<Result<(), ListenError>, Errno> {
    let found = match rustix::fs::lstat(path) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(Ok(())),
        Err(errno) => return Err(errno),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Ok(Err(ListenError::NotASocket(path.to_owned())));
    }
    match rustix::net::connect(&stream()?, address) {
        Err(Errno::CONNREFUSED) => {
            tracing::info!(socket = %path.display(), "replacing a socket that a dead daemon left");
            rustix::fs::unlink(path).map(Ok)
        }
        // Without room for one more connection, or of another type, it is somebody's all the same.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Ok(Err(ListenError::Taken(path.to_owned()))),
        Err(errno) => Err(errno),
    }
}

fn make(path: &Path, address: &SocketAddrUnix, mode: SocketMode, lock: Lock) -> Result<(OwnedFd, Bound), Errno> {
    let permissions = Mode::from_raw_mode(mode.bits());
    let socket = stream()?;
    // Linux gives the file the permissions of the unbound socket, less the umask: never more than asked for.
    rustix::fs::fchmod(&socket, permissions)?;
    rustix::net::bind(&socket, address)?;
    let bound = Bound { path: path.to_owned(), identity: identity(&rustix::fs::lstat(path)?), _lock: lock };
    // What the umask took away; and nobody can connect yet.
    rustix::fs::chmod(path, permissions)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((socket, bound))
}

impl Lock {
    /// `None` if another process holds it.
    fn take(socket: &Path) -> Result<Option<Lock>, Errno> {
        let mut path = OsString::from(socket);
        path.push(".lock");
        let path = PathBuf::from(path);
        loop {
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file = rustix::fs::openat(CWD, &path, flags, Mode::RUSR | Mode::WUSR)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(errno),
            }
            // The one that held it may have removed the file in between: then this lock locks nothing.
            match rustix::fs::lstat(&path) {
                Ok(found) if identity(&found) == identity(&rustix::fs::fstat(&file)?) => {
                    return Ok(Some(Lock { path, _file: file }));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if rustix::fs::lstat(&self.path).is_ok_and(|found| identity(&found) == self.identity) {
            remove(&self.path);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }) {
        tracing::warn!(path = %path.display(), %error, "could not be removed");
    }
}

fn stream() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixDatagram,
    };

    fn home() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("host.sock");
        (home, path)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_socket_has_the_mode_that_was_asked_for() {
        for (text, bits) in [("0600", 0o600), ("0660", 0o660)] {
            let (_home, path) = home();
            let (_listener, _bound) = bind(&path, text.parse().expect("a mode")).expect("binds");
            assert_eq!(mode(&path), bits);
        }
    }

    #[test]
    fn a_socket_is_private_from_the_moment_it_is_there() {
        let (_home, path) = home();
        let socket = stream().expect("a socket");
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).expect("permissions");
        rustix::net::bind(&socket, &SocketAddrUnix::new(&path).expect("fits")).expect("binds");
        assert_eq!(mode(&path) & 0o177, 0, "before anything else is done to it");
    }

    #[test]
    fn it_is_removed_with_its_lock_and_nothing_that_took_its_place() {
        let (home, path) = home();
        drop(bind(&path, SocketMode::default()).expect("binds"));
        assert_eq!(std::fs::read_dir(home.path()).expect("readable").count(), 0);
        let (_listener, bound) = bind(&path, SocketMode::default()).expect("binds again");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "mine").expect("written");
        drop(bound);
        assert_eq!(std::fs::read(&path).expect("there"), b"mine");
    }

    #[test]
    fn a_dead_socket_is_replaced() {
        let (_home, path) = home();
        drop(UnixListener::bind(&path).expect("binds"));
        assert!(std::fs::metadata(&path).expect("left behind").file_type().is_socket());
        let (_listener, _bound) = bind(&path, SocketMode::default()).expect("replaces it");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_live_socket_is_refused_and_left_alone() {
        let (home, path) = home();
        let other = UnixListener::bind(&path).expect("binds");
        assert!(matches!(bind(&path, SocketMode::default()), Err(ListenError::Taken(_))));
        drop(other.accept().expect("the probe"));
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        assert_eq!(std::fs::read_dir(home.path()).expect("readable").count(), 1, "no lock is left");
    }

    #[test]
    fn a_live_socket_without_room_is_refused() {
        let (_home, path) = home();
        let address = SocketAddrUnix::new(&path).expect("fits");
        let other = stream().expect("a socket");
        rustix::net::bind(&other, &address).expect("binds");
        rustix::net::listen(&other, 1).expect("listens");
        let mut waiting = Vec::new();
        loop {
            let client = stream().expect("a socket");
            match rustix::net::connect(&client, &address) {
                Ok(()) => waiting.push(client),
                Err(errno) => break assert_eq!(errno, Errno::AGAIN),
            }
        }
        assert!(matches!(bind(&path, SocketMode::default()), Err(ListenError::Taken(_))));
    }

    #[test]
    fn of_two_daemons_on_one_socket_the_second_is_refused() {
        let (_home, path) = home();
        let (_listener, _bound) = bind(&path, SocketMode::default()).expect("binds");
        assert!(matches!(bind(&path, SocketMode::default()), Err(ListenError::Locked(_))));
    }

    #[test]
    fn what_is_not_a_listening_socket_is_refused_and_left_alone() {
        let (home, path) = home();
        std::fs::write(&path, "precious").expect("written");
        assert!(matches!(bind(&path, SocketMode::default()), Err(ListenError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).expect("there"), b"precious");

        let link = home.path().join("link");
        let dead = home.path().join("dead");
        drop(UnixListener::bind(&dead).expect("binds"));
        std::os::unix::fs::symlink(&dead, &link).expect("linked");
        assert!(matches!(bind(&link, SocketMode::default()), Err(ListenError::NotASocket(_))));

        let datagrams = home.path().join("datagrams");
        let _other = UnixDatagram::bind(&datagrams).expect("binds");
        assert!(matches!(bind(&datagrams, SocketMode::default()), Err(ListenError::Taken(_))));
    }

    #[test]
    fn a_missing_directory_and_a_long_path_say_what_to_do() {
        let (home, _) = home();
        let missing = home.path().join("missing/host.sock");
        let error = bind(&missing, SocketMode::default()).map(drop).expect_err("refused").to_string();
        let directory = home.path().join("missing");
        assert!(error.contains(&format!("`install -d -m 0700 {}`", directory.display())), "{error}");
        let long = home.path().join("x".repeat(108));
        let error = bind(&long, SocketMode::default()).map(drop).expect_err("refused").to_string();
        assert!(error.contains("choose a shorter directory"), "{error}");
    }
}
