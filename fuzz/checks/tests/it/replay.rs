use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use holdfast_fuzz_checks::TARGETS;

use crate::seeds::seeds;

/// The committed inputs of a target are as many bytes at most, so that they stay fit for a repository.
const SMALL: u64 = 64 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect()
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&corpus()), targets);
    let programs = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&corpus().join("../fuzz_targets")), programs);
}

#[test]
fn what_is_committed_holds_and_some_of_it_is_accepted() {
    for target in TARGETS {
        let directory = corpus().join(target.name);
        let (mut accepted, mut size) = (0, 0);
        for name in names(&directory) {
            let bytes = fs::read(directory.join(&name)).expect("readable");
            size += bytes.len() as u64;
            println!("{}/{name}", target.name);
            accepted += usize::from((target.check)(&bytes));
        }
        assert!(accepted > 0, "no input of {} gets anywhere", target.name);
        assert!(size <= SMALL, "the corpus of {} has {size} bytes", target.name);
    }
}

/// Set `HOLDFAST_WRITE_CORPUS` to write them anew, after a change to the protocol for instance.
#[test]
fn the_inputs_that_are_made_by_hand_are_those_of_this_version() {
    for (target, name, bytes) in seeds() {
        let path = corpus().join(target).join(name);
        if std::env::var_os("HOLDFAST_WRITE_CORPUS").is_some() {
            fs::create_dir_all(path.parent().expect("in a directory")).expect("made");
            fs::write(&path, &bytes).expect("written");
        }
        let committed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(committed == bytes, "{target}/{name} is of another version: run this with HOLDFAST_WRITE_CORPUS=1");
    }
}
