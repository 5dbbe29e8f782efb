//! Remembers across restarts of the daemon who held the lease last, in a file of its own. It is written when the lease is
//! given to another process, and not otherwise.
//!
//! Without it a daemon that was restarted could give the lease to a node that had been replaced and had not heard of it.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use holdfast_protocol::lease::{Identity, MAX_NAME};
use serde::{Deserialize, Serialize};

/// No file of ours is longer, in bytes.
const MAX_LENGTH: u64 = 4096;

/// Where the holder is written down.
#[derive(Clone, Debug)]
pub(crate) struct HolderFile(PathBuf);

/// The file cannot be used. The message holds its cause, which is not in the chain of sources again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolderError {
    /// There is no place for it.
    #[error(
        "cannot make the directory of {}, which tells who held the lease: {cause}; make it for the daemon's user \
         (`install -d -m 0700 -o USER DIR`), or choose another --lease-file",
        path.display()
    )]
    Directory {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}, which tells who held the lease: {cause}; the daemon's user must be able to", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It says something else.
    #[error(
        "{} does not tell who held the lease: {cause}; make sure that only one node of this daemon runs, and start the \
         daemon once with --forget-holder",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// It cannot be written.
    #[error("cannot write down in {} who holds the lease: {cause}; make room, or let the daemon's user write there", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// The file's content, in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u8,
    node: String,
    process: String,
    name: String,
}

impl HolderFile {
    /// At this path. Nothing is looked at yet.
    pub(crate) fn at(path: &Path) -> HolderFile {
        HolderFile(path.to_owned())
    }

    /// Makes its directory, for the owner only, where there is none.
    pub(crate) fn prepare(&self) -> Result<(), HolderError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.directory())
            .map_err(|cause| HolderError::Directory { path: self.0.clone(), cause })
    }

    /// Who held the lease last; nobody where there is no file.
    pub(crate) fn load(&self) -> Result<Option<Identity>, HolderError> {
        let mut text = String::new();
        let failed = |cause| HolderError::Read { path: self.0.clone(), cause };
        match File::open(&self.0) {
            Ok(file) => file.take(MAX_LENGTH).read_to_string(&mut text).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        parse(&text).map(Some).map_err(|cause| HolderError::Content { path: self.0.clone(), cause })
    }

    /// Writes it down, and has the disk hold it: the file is as before or as written, whatever happens.
    pub(crate) fn save(&self, holder: &Identity) -> Result<(), HolderError> {
        self.replace(holder).map_err(|cause| HolderError::Write { path: self.0.clone(), cause })
    }

    /// Forgets who it was.
    pub(crate) fn forget(&self) -> Result<(), HolderError> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(HolderError::Write { path: self.0.clone(), cause: error })
            }
            _ => Ok(()),
        }
    }

    fn replace(&self, holder: &Identity) -> io::Result<()> {
        let mut unfinished = self.0.clone().into_os_string();
        unfinished.push(".new");
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(Path::new(&unfinished))?;
        file.write_all(render(holder).as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.0)?;
        File::open(self.directory())?.sync_all()
    }

    fn directory(&self) -> &Path {
        self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

fn render(holder: &Identity) -> String {
    let content = Content {
        version: 1,
        node: hex::encode(holder.node),
        process: hex::encode(holder.process),
        name: holder.name(),
    };
    // Text and a number: it cannot fail.
    serde_json::to_string(&content).unwrap_or_default()
}

fn parse(text: &str) -> Result<Identity, String> {
    let content: Content = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if content.version != 1 {
        return Err(format!("it is of version {}, and this daemon knows version 1", content.version));
    }
    let (mut node, mut process) = ([0; 32], [0; 16]);
    hex::decode_to_slice(&content.node, &mut node).map_err(|error| format!("node: {error}"))?;
    hex::decode_to_slice(&content.process, &mut process).map_err(|error| format!("process: {error}"))?;
    // Escapes may have made it longer than a name can be.
    let name: String = content.name.chars().take(MAX_NAME).collect();
    Ok(Identity::of_process(node, process, &name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn who_held_the_lease_is_read_back_and_forgotten_when_told() {
        let home = tempfile::tempdir().expect("a directory");
        let file = HolderFile::at(&home.path().join("lease"));
        assert!(file.load().expect("there is none").is_none());
        for name in ["one", "a \"second\"\n", ""] {
            let holder = Identity::new([7; 32], name);
            file.save(&holder).expect("the directory is writable");
            let loaded = file.load().expect("it was written").expect("it is there");
            assert_eq!((loaded.node, loaded.process), (holder.node, holder.process));
        }
        file.forget().expect("it can be removed");
        file.forget().expect("it need not be there");
        assert!(file.load().expect("there is none").is_none());
        assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 0);
    }

    #[test]
    fn where_it_cannot_be_read_or_written_the_error_says_what_to_do() {
        let home = tempfile::tempdir().expect("a directory");
        let missing = HolderFile::at(&home.path().join("a/b/lease"));
        let error = missing.save(&Identity::default()).expect_err("there is no directory");
        assert!(error.to_string().contains("let the daemon's user write"), "{error}");
        let directory = HolderFile::at(home.path());
        assert!(directory.load().expect_err("a directory").to_string().contains("must be able to"));
        let barred = home.path().join("file");
        fs::write(&barred, "").expect("written");
        let error = HolderFile::at(&barred.join("lease")).prepare().expect_err("no directory").to_string();
        assert!(error.contains("file/lease") && error.contains("install -d"), "{error}");
    }

    #[test]
    fn its_directory_is_made_for_the_owner_only_where_there_is_none() {
        let home = tempfile::tempdir().expect("a directory");
        let file = HolderFile::at(&home.path().join("a/b/lease"));
        for _ in 0..2 {
            file.prepare().expect("made, or there already");
            file.save(&Identity::default()).expect("writable");
        }
        for made in ["a", "a/b"] {
            let mode = fs::metadata(home.path().join(made)).expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o700);
        }
        HolderFile::at(Path::new("lease")).prepare().expect("this one is there");
    }

    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_a_damaged_file_is_an_error_that_says_what_to_do() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("lease");
        let whole = render(&Identity::new([7; 32], "one"));
        let newer = whole.replace("\"version\":1", "\"version\":2");
        for text in ["", "{}", &whole[..whole.len() - 1], &newer, &"x".repeat(10_000)] {
            fs::write(&path, text).expect("written");
            let error = HolderFile::at(&path).load().expect_err("damaged").to_string();
            assert!(error.contains("--forget-holder"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn rule_7_no_text_makes_it_panic(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
