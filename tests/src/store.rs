//! Copies of what lies on a validator's disk: a software TEE's store, a node's database.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context, Result};

use crate::search::files;

/// Copies a directory and all that is below it, for its owner alone. Nobody writes there meanwhile; `to` is made.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    ensure!(!to.exists(), "{} is there already", to.display());
    copy_files(from, &files(from)?, to)
}

/// Puts the objects of a store's copy back, and no others, as from a backup of its disk. The cell stays as it is: on a
/// TEE with rollback protection it is not on that disk. No daemon uses the store.
pub fn put_back(copy: &Path, store: &Path) -> Result<()> {
    ensure!(store.join("cell").is_file(), "{} has no cell", store.display());
    for file in objects(store)? {
        fs::remove_file(file)?;
    }
    copy_files(copy, &objects(copy)?, store)
}

/// Their modes are copied too.
fn copy_files(from: &Path, files: &[PathBuf], to: &Path) -> Result<()> {
    for file in files {
        let copy = to.join(file.strip_prefix(from)?);
        let directory = copy.parent().context("a file lies in a directory")?;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        fs::copy(file, &copy).with_context(|| copy.display().to_string())?;
    }
    Ok(())
}

fn objects(store: &Path) -> Result<Vec<PathBuf>> {
    Ok(files(store)?.into_iter().filter(|file| is_object(file)).collect())
}

fn is_object(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "object")
}

#[cfg(test)]
mod tests {
    use std::fs::{read, write};

    use super::*;

    #[test]
    fn what_is_put_back_are_the_objects_of_the_copy_and_the_cell_stays() -> Result<()> {
        let directory = crate::directory()?;
        let (store, backup) = (directory.path().join("store"), directory.path().join("backup"));
        fs::create_dir(&store)?;
        for (name, content) in [("01.object", "old"), ("cell", "old"), ("lock", "")] {
            write(store.join(name), content)?;
        }
        copy(&store, &backup)?;
        for (name, content) in [("01.object", "new"), ("02.object", "new"), ("cell", "new")] {
            write(store.join(name), content)?;
        }
        put_back(&backup, &store)?;
        assert_eq!(read(store.join("01.object"))?, b"old");
        assert_eq!(read(store.join("cell"))?, b"new");
        assert!(!store.join("02.object").exists());
        assert_eq!(read(backup.join("cell"))?, b"old");
        Ok(())
    }
}
