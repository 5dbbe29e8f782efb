//! Files that are whole whenever they are looked at: each write goes to a file apart, and takes its place by a rename.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::entry::Entry;
use crate::{OpenError, MAX_OBJECT};

/// A locked directory of small files, each for its owner only.
pub(crate) struct Directory {
    handle: OwnedFd,
    /// Set once a change was made of which the disk did not say whether it holds it: then neither the old state nor the
    /// new one may be relied on, and only opening the store again tells which it is.
    uncertain: Option<Errno>,
    lock: OwnedFd,
    #[cfg(test)]
    fails_at: Option<Step>,
    #[cfg(test)]
    pub(crate) mishap: mishap::Planned,
}

/// The points at which a change can be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Created,
    Written,
    Synced,
    Renamed,
    Removed,
}

impl Directory {
    /// Makes the directory if need be, locks it, checks all that is in it, and removes what a cut left behind.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        // Without a trailing slash, which would have a symbolic link followed.
        let path: PathBuf = path.components().collect();
        let failed = |source: io::Error| OpenError::Io { path: path.clone(), source };
        create(&path).map_err(failed)?;

        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => OpenError::NotADirectory(path.clone()),
            other => failed(other.into()),
        })?;
        check_private(&path, &rustix::fs::fstat(&handle).map_err(|errno| failed(errno.into()))?)?;

        let found = names(&handle).map_err(|errno| failed(errno.into()))?;
        for name in &found {
            let file = path.join(OsStr::from_bytes(name));
            if Entry::parse(name).is_none() {
                return Err(OpenError::Foreign(file));
            }
            match rustix::fs::statat(&handle, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                    return Err(OpenError::Foreign(file));
                }
                Ok(stat) => check_private(&file, &stat)?,
                // The instance that holds the store may have renamed it just now: the lock tells.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(OpenError::Io { path: file, source: errno.into() }),
            }
        }

        let lock = lock(&handle).map_err(|errno| match errno {
            Errno::WOULDBLOCK => OpenError::InUse(path.clone()),
            other => failed(other.into()),
        })?;
        let directory = Self {
            handle,
            uncertain: None,
            lock,
            #[cfg(test)]
            fails_at: None,
            #[cfg(test)]
            mishap: Default::default(),
        };
        directory.discard_unfinished().map_err(|errno| failed(errno.into()))?;
        rustix::fs::fsync(&directory.handle).map_err(|errno| failed(errno.into()))?;
        Ok(directory)
    }

    /// Reads a file; `None` if it is not there.
    pub(crate) fn read(&self, entry: &Entry) -> Result<Option<Vec<u8>>, Errno> {
        self.certain()?;
        // A pipe in the file's place would block without NONBLOCK; the check below tells it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.handle, entry.file_name(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        let length = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        if length > MAX_OBJECT {
            return Err(Errno::FBIG);
        }
        // Allocated once, so that no copy of a secret stays behind where the buffer was before it grew.
        let mut data = Zeroizing::new(Vec::with_capacity(length.saturating_add(1)));
        File::from(file).take(length as u64 + 1).read_to_end(&mut data).map_err(errno_of)?;
        if data.len() != length {
            return Err(Errno::IO);
        }
        Ok(Some(std::mem::take(&mut data)))
    }

    /// Creates or replaces a file. After an error it is as it was, or the directory refuses all further use.
    pub(crate) fn write(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Errno> {
        self.certain()?;
        if let Err(errno) = self.prepare(data).and_then(|()| self.rename(entry)) {
            // What cannot be removed now is removed before the next write, or when the store is opened.
            let _ = self.discard_unfinished();
            return Err(errno);
        }
        self.make_certain(Step::Renamed)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&mut self, entry: &Entry) -> Result<(), Errno> {
        self.certain()?;
        if self.unlink(entry)? {
            self.make_certain(Step::Removed)?;
        }
        Ok(())
    }

    /// The names of all objects.
    pub(crate) fn objects(&self) -> Result<Vec<Vec<u8>>, Errno> {
        self.certain()?;
        let objects = names(&self.handle)?.into_iter().filter_map(|name| match Entry::parse(&name) {
            Some(Entry::Object(id)) => Some(id),
            _ => None,
        });
        Ok(objects.collect())
    }

    /// Writes the data to a file apart, and has the disk hold it.
    fn prepare(&self, data: &[u8]) -> Result<(), Errno> {
        self.discard_unfinished()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&self.handle, Entry::Unfinished.file_name(), flags, mode)?);
        self.reached(Step::Created)?;
        file.write_all(data).map_err(errno_of)?;
        self.reached(Step::Written)?;
        file.sync_all().map_err(errno_of)?;
        self.reached(Step::Synced)
    }

    fn rename(&self, entry: &Entry) -> Result<(), Errno> {
        rustix::fs::renameat(&self.handle, Entry::Unfinished.file_name(), &self.handle, entry.file_name())
    }

    fn discard_unfinished(&self) -> Result<(), Errno> {
        self.unlink(&Entry::Unfinished).map(|_| ())
    }

    /// Whether it was there.
    fn unlink(&self, entry: &Entry) -> Result<bool, Errno> {
        match rustix::fs::unlinkat(&self.handle, entry.file_name(), AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Has the disk hold what was changed in the directory.
    fn make_certain(&mut self, step: Step) -> Result<(), Errno> {
        let synced = self.reached(step).and_then(|()| rustix::fs::fsync(&self.handle));
        self.uncertain = synced.err();
        synced
    }

    /// Whether what is read is the store: a directory that was removed in the meantime would read as an empty one.
    fn certain(&self) -> Result<(), Errno> {
        if let Some(errno) = self.uncertain {
            return Err(errno);
        }
        if rustix::fs::fstat(&self.lock)?.st_nlink == 0 {
            return Err(Errno::NOENT);
        }
        Ok(())
    }

    #[cfg(test)]
    fn reached(&self, step: Step) -> Result<(), Errno> {
        if self.fails_at == Some(step) {
            return Err(Errno::NOSPC);
        }
        self.mishap.befall()
    }

    #[cfg(not(test))]
    fn reached(&self, _: Step) -> Result<(), Errno> {
        Ok(())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing alone would leave it locked while a child that another thread has just forked still has a copy.
        let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
    }
}

/// Makes the directory and those above it, for the owner only, and has the disk hold each.
fn create(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

fn lock(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::openat(directory, Entry::Lock.file_name(), flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn check_private(path: &Path, stat: &Stat) -> Result<(), OpenError> {
    judge_private(path, stat.st_uid, stat.st_mode, rustix::process::geteuid().as_raw())
}

/// Whether a file is its owner's alone, and the owner is who asks.
fn judge_private(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), OpenError> {
    let mode = mode & 0o7777;
    if owner != user {
        return Err(OpenError::Owner { path: path.into(), owner, user });
    }
    if mode & 0o077 != 0 {
        return Err(OpenError::Permissions { path: path.into(), mode });
    }
    Ok(())
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

#[cfg(test)]
pub(crate) mod mishap;
#[cfg(test)]
mod tests;
