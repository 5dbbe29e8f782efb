//! A file that lines are added to, and that turns: when it is full it becomes `FILE.1`, what was there `FILE.2`, and so
//! on.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, io::Errno};

/// Full files that are kept.
const KEPT: u32 = 4;
/// Where a full file is until the others have made room for it.
const ASIDE: u32 = 0;
/// No more bytes than these wait to be synced, so that a file that is full turns without delay.
const UNSYNCED: u64 = 2 << 20;
/// The permissions of a file to which others than its owner can write.
const OTHERS_WRITE: u32 = 0o022;

/// The audit log cannot be begun. The message holds its cause, which is not in the chain of sources again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// There is no place for it.
    #[error(
        "cannot make the directory of the audit log {}: {cause}; make it for the daemon's user \
         (`install -d -m 0700 -o USER DIR`), or choose another --audit-log, or --audit-log off",
        path.display()
    )]
    Directory {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Somebody else decides where it would lead.
    #[error("the audit log {} is a symbolic link, which is not followed: name the file itself with --audit-log", .0.display())]
    Link(PathBuf),
    /// No lines can be kept there.
    #[error("the audit log {} is not a file: move it away, or choose another --audit-log", .0.display())]
    NotAFile(PathBuf),
    /// Somebody else can change what it says.
    #[error(
        "others than the daemon's user can write to the audit log, so that what is in it may not be true: {} \
         has mode {mode:04o} and belongs to user {owner}. Move it away, for a new one to be made; or `chown {user}` and \
         `chmod go-w` it",
        path.display()
    )]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Whose it is.
        owner: u32,
        /// The user that this process runs as.
        user: u32,
    },
    /// The system does not let it.
    #[error(
        "cannot open the audit log {}: {cause}; make room, or let the daemon's user write there, or choose another \
         --audit-log, or --audit-log off",
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Nobody would write it.
    #[error("cannot start a thread for the audit log: {0}")]
    Thread(io::Error),
}

/// The files: one that is written, and [`KEPT`] full ones at most.
#[derive(Debug)]
pub(super) struct Turning {
    path: PathBuf,
    /// Bytes in each.
    most: u64,
    file: File,
    size: u64,
    /// Bytes that were written since the disk was last asked to hold them.
    unsynced: u64,
    /// The last line is not whole.
    torn: bool,
}

impl Turning {
    /// Goes on with the file that is there, or makes one that its owner alone can read. Its directory is made where
    /// there is none.
    pub(super) fn open(path: &Path, most: u64) -> Result<Turning, AuditError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|cause| AuditError::Directory { path: path.to_owned(), cause })?;
        // What still cannot be moved now is moved when the file turns.
        let _ = shelve(path, &mut rename);
        let failed = |cause| AuditError::Open { path: path.to_owned(), cause };
        let file = match options().create(true).open(path) {
            Ok(file) => file,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
                return Err(AuditError::Link(path.to_owned()));
            }
            // What opening says of a directory, and of a pipe without a reader.
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::ISDIR | Errno::NXIO)) => {
                return Err(AuditError::NotAFile(path.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(AuditError::NotAFile(path.to_owned()));
        }
        let (mode, owner, user) = (found.mode() & 0o7777, found.uid(), rustix::process::geteuid().as_raw());
        // Root can write to every file.
        if mode & OTHERS_WRITE != 0 || ![user, 0].contains(&owner) {
            return Err(AuditError::Writable { path: path.to_owned(), mode, owner, user });
        }
        let torn = ends_amid_a_line(&file, found.len()).map_err(failed)?;
        Ok(Turning { path: path.to_owned(), most, file, size: found.len(), unsynced: 0, torn })
    }

    /// Adds a line, which ends with a newline. After an error it may be there in part, or not be held by the disk; the
    /// next one begins a line of its own all the same.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(length) > self.most {
            self.turn()?;
        }
        let written = match self.torn {
            false => self.file.write_all(line.as_bytes()),
            true => self.file.write_all(format!("\n{line}").as_bytes()),
        };
        self.size = self.file.metadata()?.len();
        self.torn = match written {
            Ok(()) => false,
            Err(_) => ends_amid_a_line(&self.file, self.size).unwrap_or(true),
        };
        written?;
        self.unsynced = self.unsynced.saturating_add(length);
        if self.unsynced >= UNSYNCED {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Has the disk hold what was written.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn turn(&mut self) -> io::Result<()> {
        self.turn_by(&mut rename)
    }

    /// Begins a new file. The full one steps aside before the others are moved, so that nothing is thrown away as long
    /// as it cannot be moved itself. When a later step fails, the next attempt goes on with that step.
    fn turn_by(&mut self, rename: &mut Rename) -> io::Result<()> {
        self.file.sync_all()?;
        self.unsynced = 0;
        // That of an earlier attempt, whose place is needed.
        shelve(&self.path, rename)?;
        rename(&self.path, &numbered(&self.path, ASIDE))?;
        shelve(&self.path, rename)?;
        self.file = options().create_new(true).open(&self.path)?;
        (self.size, self.torn) = (0, false);
        Ok(())
    }
}

/// Moves a file; [`rename`], but for a test.
type Rename<'a> = dyn FnMut(&Path, &Path) -> io::Result<()> + 'a;

/// Makes a full file that has stepped aside the first of those that are kept. Only files up to the first number without
/// one are moved: where an attempt that failed has left a gap, room has been made already.
fn shelve(path: &Path, rename: &mut Rename) -> io::Result<()> {
    let aside = numbered(path, ASIDE);
    if !fs::symlink_metadata(&aside).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let vacant = |number: &u32| fs::symlink_metadata(numbered(path, *number)).is_err();
    let free = (1..KEPT).find(vacant).unwrap_or(KEPT);
    for number in (1..free).rev() {
        rename(&numbered(path, number), &numbered(path, number + 1))?;
    }
    rename(&aside, &numbered(path, 1))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(format!(".{number}"));
    path.into()
}

/// A pipe is opened without waiting for its reader, and refused then.
fn options() -> fs::OpenOptions {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let mut options = File::options();
    options.read(true).append(true).mode(0o600).custom_flags(flags.cast_signed());
    options
}

/// What is not there need not be moved.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

fn ends_amid_a_line(file: &File, size: u64) -> io::Result<bool> {
    let Some(last) = size.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt};

    fn read(path: &Path) -> String {
        fs::read_to_string(path).expect("readable")
    }

    fn home() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("audit");
        (home, path)
    }

    #[test]
    fn turning_keeps_so_many_full_files_and_loses_no_line_at_the_boundary() {
        let (home, path) = home();
        // Three lines of eight bytes.
        let mut file = Turning::open(&path, 24).expect("a new file");
        let line = |number: u32| format!("{number:07}\n");
        for number in 0..20 {
            file.write(&line(number)).expect("written");
        }
        let lines = |numbers: std::ops::Range<u32>| numbers.map(line).collect::<String>();
        assert_eq!(read(&path), lines(18..20));
        for (number, range) in [(1, 15..18), (2, 12..15), (3, 9..12), (4, 6..9)] {
            assert_eq!(read(&home.path().join(format!("audit.{number}"))), lines(range));
        }
        assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 5);
        for entry in fs::read_dir(home.path()).expect("readable") {
            let mode = entry.expect("readable").metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
    }

    #[test]
    fn a_line_that_is_longer_than_a_file_has_one_of_its_own() {
        let (home, path) = home();
        let mut file = Turning::open(&path, 4).expect("a new file");
        for line in ["longer\n", "1\n", "2\n", "longer\n"] {
            file.write(line).expect("written");
        }
        assert_eq!(read(&path), "longer\n");
        assert_eq!(read(&home.path().join("audit.1")), "1\n2\n");
        assert_eq!(read(&home.path().join("audit.2")), "longer\n");
    }

    #[test]
    fn a_file_is_gone_on_with_and_one_that_ends_amid_a_line_keeps_it_apart_from_the_next() {
        let (home, path) = home();
        for (before, after) in
            [("", "line\n"), ("whole\n", "whole\nline\n"), ("{\"torn", "{\"torn\nline\n"), ("\n", "\nline\n")]
        {
            fs::write(&path, before).expect("written");
            let mut file = Turning::open(&path, 1000).expect("opened");
            file.write("line\n").expect("written");
            file.sync().expect("on the disk");
            assert_eq!(read(&path), after);
        }
        // What another process added meanwhile counts too.
        let mut file = Turning::open(&path, 19).expect("opened");
        File::options().append(true).open(&path).expect("there").write_all(b"123456789\n").expect("written");
        file.write("a\n").expect("written");
        file.write("b\n").expect("written");
        assert!(read(&home.path().join("audit.1")).ends_with("123456789\na\n"));
        assert_eq!(read(&path), "b\n");
    }

    #[test]
    fn a_symbolic_link_is_not_followed_when_it_is_opened_and_not_when_it_turns() {
        let (home, path) = home();
        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, "mine\n").expect("written");
        symlink(&elsewhere, &path).expect("linked");
        let error = Turning::open(&path, 8).expect_err("refused");
        assert!(matches!(error, AuditError::Link(_)) && error.to_string().contains("name the file itself"), "{error}");
        fs::remove_file(&path).expect("there");

        let mut file = Turning::open(&path, 8).expect("a new file");
        file.write("first 7\n").expect("written");
        symlink(&elsewhere, home.path().join("audit.1")).expect("linked");
        file.write("second\n").expect("written");
        assert_eq!((read(&path).as_str(), read(&elsewhere).as_str()), ("second\n", "mine\n"));
    }

    #[test]
    fn what_is_not_a_file_is_refused_and_not_waited_for() {
        let (home, path) = home();
        fs::create_dir(&path).expect("made");
        let pipe = home.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("runs");
        assert!(made.success());
        for path in [&path, &pipe] {
            let error = Turning::open(path, 8).expect_err("refused");
            assert!(matches!(error, AuditError::NotAFile(_)) && error.to_string().contains("move it away"), "{error}");
        }
        let below = home.path().join("file");
        fs::write(&below, "").expect("written");
        let error = Turning::open(&below.join("audit"), 8).expect_err("no directory").to_string();
        assert!(error.contains("install -d") && error.contains("--audit-log off"), "{error}");
    }

    #[test]
    fn while_there_is_no_room_for_a_new_file_the_full_ones_stay_as_they_are() {
        let (_home, path) = home();
        let mut file = Turning::open(&path, 8).expect("a new file");
        for line in ["line 01\n", "line 02\n", "line 03\n"] {
            file.write(line).expect("written");
        }
        // As when the new file could not be made after the full one had been moved.
        rename(&numbered(&path, 1), &numbered(&path, 2)).expect("moved");
        rename(&path, &numbered(&path, 1)).expect("moved");
        file.write("line 04\n").expect("written");
        assert_eq!(read(&path), "line 04\n");
        assert_eq!(read(&numbered(&path, 1)), "line 03\n");
        assert_eq!(read(&numbered(&path, 2)), "line 02\n");
    }

    /// Six files with a line each, of which the oldest is gone; the next line makes them turn.
    fn full() -> (tempfile::TempDir, PathBuf, Turning) {
        let (home, path) = home();
        let mut file = Turning::open(&path, 8).expect("a new file");
        for number in 1..=6 {
            file.write(&format!("line 0{number}\n")).expect("written");
        }
        (home, path, file)
    }

    /// The lines that are kept in full files, the latest first.
    fn shelved(path: &Path) -> Vec<String> {
        (1..=KEPT).filter_map(|number| fs::read_to_string(numbered(path, number)).ok()).collect()
    }

    #[test]
    fn a_full_file_that_cannot_be_moved_costs_no_other_however_often_it_is_tried() {
        let (_home, path, mut file) = full();
        // No file takes the place of a directory, not even for root.
        fs::create_dir(numbered(&path, ASIDE)).expect("made");
        for _ in 0..9 {
            file.write("line 07\n").expect_err("there is no room");
            assert_eq!(read(&path), "line 06\n");
            assert_eq!(shelved(&path), ["line 05\n", "line 04\n", "line 03\n", "line 02\n"]);
        }
        fs::remove_dir(numbered(&path, ASIDE)).expect("ours");
        file.write("line 07\n").expect("written");
        assert_eq!(shelved(&path), ["line 06\n", "line 05\n", "line 04\n", "line 03\n"]);
    }

    #[test]
    fn whichever_step_of_a_turn_fails_however_often_only_the_oldest_file_is_lost_once_it_succeeds() {
        let turned = ["line 06\n", "line 05\n", "line 04\n", "line 03\n"];
        for step in (ASIDE..=KEPT).rev() {
            let (_home, path, mut file) = full();
            let barred = numbered(&path, step);
            for _ in 0..9 {
                let mut fails = |from: &Path, to: &Path| match to == barred {
                    true => Err(ErrorKind::PermissionDenied.into()),
                    false => rename(from, to),
                };
                file.turn_by(&mut fails).expect_err("a step fails");
            }
            let all = [
                shelved(&path),
                [&path, &numbered(&path, ASIDE)].map(|path| fs::read_to_string(path).unwrap_or_default()).to_vec(),
            ]
            .concat();
            assert!(turned.iter().all(|line| all.iter().any(|found| found == line)), "{step}: {all:?}");
            match step % 2 {
                0 => file.turn().expect("turned"),
                // Another process takes it up.
                _ => file = Turning::open(&path, 8).expect("opened"),
            }
            assert_eq!(shelved(&path), turned, "{step}");
            assert!(!numbered(&path, ASIDE).exists() && read(&path).is_empty(), "{step}");
            file.write("line 07\n").expect("written");
            assert_eq!((read(&path).as_str(), shelved(&path)), ("line 07\n", turned.map(str::to_owned).to_vec()));
        }
    }

    #[test]
    fn what_is_written_is_synced_before_much_of_it_waits() {
        let (_home, path) = home();
        let mut file = Turning::open(&path, u64::MAX).expect("a new file");
        let line = "x".repeat(100_000) + "\n";
        let mut synced = 0;
        for _ in 0..100 {
            let before = file.unsynced;
            file.write(&line).expect("written");
            assert!(file.unsynced < UNSYNCED);
            synced += u32::from(file.unsynced < before);
        }
        assert_eq!(synced, 4);
    }

    #[test]
    fn a_file_that_others_can_write_to_is_refused_with_what_to_do_and_left_alone() {
        let (_home, path) = home();
        fs::write(&path, "forged\n").expect("written");
        let owner = fs::metadata(&path).expect("there").uid();
        for (mode, accepted) in [(0o622, false), (0o660, false), (0o606, false), (0o644, true), (0o600, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
            match Turning::open(&path, 8) {
                Ok(_) => assert!(accepted, "{mode:o}"),
                Err(error) => {
                    let says = error.to_string();
                    assert!(!accepted && matches!(error, AuditError::Writable { .. }), "{mode:o}: {says}");
                    assert!(says.contains(&format!("{mode:04o}")) && says.contains("chmod go-w"), "{says}");
                    assert!(says.contains("Move it away"), "{says}");
                }
            }
        }
        assert_eq!(read(&path), "forged\n");
        // Only root can give a file away, and open what is another's.
        if owner == 0 {
            std::os::unix::fs::chown(&path, Some(12_345), None).expect("root's");
            let error = Turning::open(&path, 8).expect_err("refused").to_string();
            assert!(error.contains("user 12345") && error.contains("`chown 0`"), "{error}");
        }
    }
}
