use std::io;
use std::path::PathBuf;

/// Why a store was not opened. Nothing in it has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The platform does not allow it.
    #[error("the store {} cannot be used: {source}{}", path.display(), remedy(source))]
    Io {
        /// The directory, or what is in it.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// A symbolic link, or not a directory.
    #[error("the store {} is no directory (a link to one is not followed): name the directory itself", .0.display())]
    NotADirectory(PathBuf),
    /// Somebody else's.
    #[error(
        "{} belongs to user {owner}, and this is user {user}: run as its owner, or `chown -R {user}` the store",
        path.display()
    )]
    Owner {
        /// The directory, or what is in it.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// The user that this process runs as.
        user: u32,
    },
    /// Others than the owner can get at it.
    #[error(
        "{} has mode {mode:04o}, so that others than its owner can use it: `chmod go= {}`, and consider the keys in the \
         store known to them",
        path.display(), path.display()
    )]
    Permissions {
        /// The directory, or what is in it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another instance holds it.
    #[error("the store {} is in use by another instance: stop that one, or give each its own store", .0.display())]
    InUse(PathBuf),
    /// Not part of a store.
    #[error("{} is no part of a store: give the store a directory of its own, or move this elsewhere", .0.display())]
    Foreign(PathBuf),
}

/// What to do about it, after its reason.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ": make room on its disk"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            ": make it writable for the user that runs this, or give another directory"
        }
        _ => "",
    }
}
