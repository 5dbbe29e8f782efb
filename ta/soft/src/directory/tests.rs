use std::fs;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};

use super::*;

fn object(id: &[u8]) -> Entry {
    Entry::Object(id.to_vec())
}

/// A place for a store that is not there yet, and what keeps it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    (dir, store)
}

fn refusal(path: &Path) -> OpenError {
    Directory::open(path).err().expect("this store is refused")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_was_written_is_there_after_it_is_opened_again() {
    let (_dir, path) = place();
    let mut directory = Directory::open(&path).unwrap();
    directory.write(&object(b"a"), b"one").unwrap();
    directory.write(&object(b"b"), b"two").unwrap();
    directory.write(&Entry::Cell, b"7").unwrap();
    directory.remove(&object(b"b")).unwrap();
    drop(directory);

    let directory = Directory::open(&path).unwrap();
    assert_eq!(directory.read(&object(b"a")).unwrap().unwrap(), b"one");
    assert_eq!(directory.read(&object(b"b")).unwrap(), None);
    assert_eq!(directory.read(&Entry::Cell).unwrap().unwrap(), b"7");
    assert_eq!(directory.objects().unwrap(), [b"a"]);
}

#[test]
fn the_directory_and_its_files_are_made_for_the_owner_only() {
    let (_dir, path) = place();
    let path = path.join("made/with/those/above");
    let mut directory = Directory::open(&path).unwrap();
    directory.write(&object(b"a"), b"one").unwrap();
    directory.write(&Entry::Cell, b"7").unwrap();
    for made in path.ancestors().take(4) {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_directory_that_others_can_use_is_refused_and_its_mode_left_alone() {
    let (_dir, path) = place();
    for loose in [0o755, 0o750, 0o701, 0o710, 0o720, 0o704, 0o777] {
        fs::create_dir_all(&path).unwrap();
        chmod(&path, loose);
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Permissions { mode, .. } if mode == loose), "{error}");
        assert!(error.to_string().contains("chmod go= "), "{error}");
        assert_eq!(mode(&path), loose);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
    chmod(&path, 0o700);
    Directory::open(&path).unwrap();
}

#[test]
fn an_object_that_others_can_read_is_refused() {
    let (_dir, path) = place();
    Directory::open(&path).unwrap().write(&object(b"a"), b"one").unwrap();
    let file = path.join("61.object");
    chmod(&file, 0o640);
    assert!(matches!(refusal(&path), OpenError::Permissions { path, mode: 0o640 } if path == file));
}

#[test]
fn a_file_is_private_only_if_its_owner_asks_and_nobody_else_can_use_it() {
    let path = Path::new("/store");
    for mode in 0..=0o7777 {
        let judged = judge_private(path, 5, 0o100000 | mode, 5);
        assert_eq!(judged.is_ok(), mode & 0o077 == 0, "{mode:o}");
        for user in [0, 6] {
            let error = judge_private(path, 5, mode, user).unwrap_err();
            assert!(matches!(error, OpenError::Owner { owner: 5, user: asked, .. } if asked == user), "{error}");
        }
    }
}

#[test]
fn a_second_instance_is_refused_while_the_first_lives() {
    let (_dir, path) = place();
    let mut first = Directory::open(&path).unwrap();
    first.write(&object(b"a"), b"one").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    first.write(&object(b"a"), b"two").unwrap();
    // As a child would have it that another thread forked just now.
    let copy = first.lock.try_clone().unwrap();
    drop(first);
    assert_eq!(Directory::open(&path).unwrap().read(&object(b"a")).unwrap().unwrap(), b"two");
    drop(copy);
}

#[test]
fn a_refused_second_instance_does_not_disturb_a_write_of_the_first() {
    let (_dir, path) = place();
    let first = Directory::open(&path).unwrap();
    first.prepare(b"one").unwrap();
    assert!(matches!(refusal(&path), OpenError::InUse(_)));
    first.rename(&object(b"a")).unwrap();
    assert_eq!(first.read(&object(b"a")).unwrap().unwrap(), b"one");
}

#[test]
fn a_write_that_was_cut_before_its_rename_leaves_the_old_object_and_nothing_else() {
    let (_dir, path) = place();
    let mut directory = Directory::open(&path).unwrap();
    directory.write(&object(b"a"), b"old").unwrap();
    directory.prepare(b"ne").unwrap();
    drop(directory);
    assert!(path.join("unfinished").exists());

    let directory = Directory::open(&path).unwrap();
    assert!(!path.join("unfinished").exists());
    assert_eq!(directory.read(&object(b"a")).unwrap().unwrap(), b"old");
    assert_eq!(directory.objects().unwrap(), [b"a"]);
}

#[test]
fn a_write_that_was_cut_after_its_rename_leaves_the_new_object_whole() {
    let (_dir, path) = place();
    let mut directory = Directory::open(&path).unwrap();
    directory.write(&object(b"a"), b"old").unwrap();
    directory.prepare(b"new").unwrap();
    directory.rename(&object(b"a")).unwrap();
    drop(directory);
    assert_eq!(Directory::open(&path).unwrap().read(&object(b"a")).unwrap().unwrap(), b"new");
}

#[test]
fn a_write_that_fails_before_its_rename_changes_nothing_and_the_next_one_succeeds() {
    for step in [Step::Created, Step::Written, Step::Synced] {
        let (_dir, path) = place();
        let mut directory = Directory::open(&path).unwrap();
        directory.write(&object(b"a"), b"old").unwrap();
        directory.fails_at = Some(step);
        assert_eq!(directory.write(&object(b"a"), b"new"), Err(Errno::NOSPC), "{step:?}");
        assert_eq!(directory.write(&object(b"b"), b"new"), Err(Errno::NOSPC), "{step:?}");
        assert!(!path.join("unfinished").exists(), "{step:?}");
        assert_eq!(directory.read(&object(b"a")).unwrap().unwrap(), b"old");
        assert_eq!(directory.objects().unwrap(), [b"a"]);

        directory.fails_at = None;
        directory.write(&object(b"a"), b"new").unwrap();
        assert_eq!(directory.read(&object(b"a")).unwrap().unwrap(), b"new");
    }
}

#[test]
fn a_change_that_the_disk_may_not_hold_stops_all_use_until_the_store_is_opened_again() {
    let (_dir, path) = place();
    for step in [Step::Renamed, Step::Removed] {
        let mut directory = Directory::open(&path).unwrap();
        directory.write(&object(b"a"), b"old").unwrap();
        directory.fails_at = Some(step);
        let changed = match step {
            Step::Removed => directory.remove(&object(b"a")),
            _ => directory.write(&object(b"a"), b"new"),
        };
        assert_eq!(changed, Err(Errno::NOSPC));
        directory.fails_at = None;
        assert_eq!(directory.read(&object(b"a")), Err(Errno::NOSPC));
        assert_eq!(directory.write(&object(b"a"), b"newer"), Err(Errno::NOSPC));
        assert_eq!(directory.remove(&object(b"a")), Err(Errno::NOSPC));
        assert_eq!(directory.objects(), Err(Errno::NOSPC));
        drop(directory);

        let mut directory = Directory::open(&path).unwrap();
        directory.write(&object(b"b"), b"more").unwrap();
    }
}

#[test]
fn a_store_that_was_taken_away_is_a_fault_and_not_an_empty_one() {
    let (_dir, path) = place();
    let mut directory = Directory::open(&path).unwrap();
    directory.write(&object(b"a"), b"one").unwrap();
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(directory.read(&object(b"a")), Err(Errno::NOENT));
    assert_eq!(directory.objects(), Err(Errno::NOENT));
    assert_eq!(directory.remove(&object(b"a")), Err(Errno::NOENT));
    assert_eq!(directory.write(&object(b"a"), b"one"), Err(Errno::NOENT));
}

/// Rule 7.
#[test]
fn an_object_beyond_the_limit_is_a_fault_and_is_not_read() {
    let (_dir, path) = place();
    let directory = Directory::open(&path).unwrap();
    let file = File::create(path.join("61.object")).unwrap();
    file.set_len(MAX_OBJECT as u64).unwrap();
    assert_eq!(directory.read(&object(b"a")).unwrap().unwrap().len(), MAX_OBJECT);
    // Sparse: to read it would take the whole memory.
    for length in [MAX_OBJECT as u64 + 1, 1 << 40] {
        file.set_len(length).unwrap();
        assert_eq!(directory.read(&object(b"a")), Err(Errno::FBIG));
    }
}

#[test]
fn symbolic_links_are_never_followed() {
    let (dir, path) = place();
    let elsewhere = dir.path().join("elsewhere");
    let mut directory = Directory::open(&path).unwrap();
    for name in ["61.object", "cell", "unfinished"] {
        fs::write(&elsewhere, b"kept").unwrap();
        symlink(&elsewhere, path.join(name)).unwrap();
    }
    assert_eq!(directory.read(&object(b"a")), Err(Errno::LOOP));
    assert_eq!(directory.read(&Entry::Cell), Err(Errno::LOOP));
    directory.write(&object(b"a"), b"one").unwrap();
    directory.remove(&Entry::Cell).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
    assert!(fs::symlink_metadata(path.join("61.object")).unwrap().is_file());
    drop(directory);

    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    for named in [link.clone(), link.join(""), link.join(".")] {
        assert!(matches!(refusal(&named), OpenError::NotADirectory(_)), "{}", named.display());
    }
    fs::remove_file(path.join("lock")).unwrap();
    symlink(&elsewhere, path.join("lock")).unwrap();
    assert!(matches!(refusal(&path), OpenError::Foreign(_)));
}

#[test]
fn a_pipe_or_a_directory_in_an_objects_place_is_a_fault_and_blocks_nothing() {
    let (_dir, path) = place();
    let directory = Directory::open(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path.join("61.object"), Mode::RUSR | Mode::WUSR).unwrap();
    fs::create_dir(path.join("62.object")).unwrap();
    assert_eq!(directory.read(&object(b"a")), Err(Errno::INVAL));
    assert_eq!(directory.read(&object(b"b")), Err(Errno::INVAL));
    drop(directory);
    assert!(matches!(refusal(&path), OpenError::Foreign(_)));
}

#[test]
fn a_directory_with_other_things_in_it_is_refused_and_they_are_untouched() {
    let (_dir, path) = place();
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o700);
    for name in ["notes.txt", "61.OBJECT", "61.object.tmp"] {
        fs::write(path.join(name), b"kept").unwrap();
        let error = refusal(&path);
        assert!(matches!(&error, OpenError::Foreign(file) if *file == path.join(name)), "{error}");
        assert_eq!(fs::read(path.join(name)).unwrap(), b"kept");
        fs::remove_file(path.join(name)).unwrap();
    }
}

#[test]
fn a_file_or_a_missing_right_in_the_stores_place_is_a_clear_error() {
    let (_dir, path) = place();
    fs::write(&path, b"kept").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::NotADirectory(_)), "{error}");
    assert!(matches!(refusal(&path.join("below")), OpenError::Io { .. }));
    assert!(matches!(refusal(Path::new("")), OpenError::Io { .. }));
    assert_eq!(fs::read(&path).unwrap(), b"kept");
}

#[test]
fn an_object_that_is_replaced_is_another_file_so_that_the_old_one_is_never_half_overwritten() {
    let (_dir, path) = place();
    let mut directory = Directory::open(&path).unwrap();
    directory.write(&object(b"a"), b"one").unwrap();
    let mut old = File::open(path.join("61.object")).unwrap();
    directory.write(&object(b"a"), b"two").unwrap();
    let mut kept = Vec::new();
    old.read_to_end(&mut kept).unwrap();
    assert_eq!(kept, b"one");
    assert_ne!(old.metadata().unwrap().ino(), fs::metadata(path.join("61.object")).unwrap().ino());
}
