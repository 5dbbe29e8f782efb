//! `tee export-watermarks`.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::{interchange, put, watermarks, Daemon, Target};
use clap::Args;

/// The options of `tee export-watermarks`.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    pub(super) target: Target,

    /// The file to write; standard output if it is not given
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

impl Export {
    /// Reads all watermarks and writes them down.
    pub(super) fn run(&self, daemon: &Daemon, out: &mut impl Write) -> Result<(), String> {
        let watermarks = watermarks::read(daemon)?;
        let text = interchange::render(&watermarks).map_err(|e| format!("cannot write JSON: {e}"))?;
        match &self.output {
            None => put(out, &text)?,
            Some(path) => {
                save(path, &text, self.force)?;
                put(out, &format!("{} watermarks are in {}", watermarks.keys.len(), path.display()))?;
            }
        }
        if let Some(warning) = outdated(daemon) {
            let _ = writeln!(io::stderr(), "warning: {warning}");
        }
        Ok(())
    }
}

/// What was written is not for long what was signed.
fn outdated(daemon: &Daemon) -> Option<String> {
    let holder = daemon.holder()?;
    Some(format!(
        "{holder} holds the lease and signs on, and what it signs from now on is not in what was exported: stop it and \
         export again before the keys sign anywhere else"
    ))
}

/// Wholly or not at all, whatever happens.
fn save(path: &Path, text: &str, force: bool) -> Result<(), String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            format!("{} is there already: choose another --output, or replace it with --force", path.display())
        }
        _ => format!("cannot write {}: {error}", path.display()),
    };
    let mut unfinished = tempfile::Builder::new().prefix(".watermarks-").tempfile_in(directory).map_err(failed)?;
    unfinished.write_all(text.as_bytes()).and_then(|()| unfinished.as_file().sync_all()).map_err(failed)?;
    match force {
        true => unfinished.persist(path),
        false => unfinished.persist_noclobber(path),
    }
    .map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::testing::Served, *};

    fn export(served: &Served, output: Option<&Path>, force: bool) -> Result<String, String> {
        let target = Target { keystore_uri: served.endpoint.clone() };
        let mut out = Vec::new();
        let export = Export { target, output: output.map(Path::to_owned), force };
        export.run(&served.connect(), &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn what_is_exported_is_a_file_that_can_be_imported() {
        let served = Served::start();
        served.make_session_keys();
        served.raise_session_keys(7);
        let text = export(&served, None, false).expect("it answers");
        let parsed = interchange::parse(text.as_bytes()).expect("a good file");
        assert_eq!(Ok(parsed), watermarks::read(&served.connect()));
        assert_eq!(text.matches("\"key_type\"").count(), 2, "{text}");
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_told_and_no_other_is_left_behind() {
        let served = Served::start();
        let home = tempfile::tempdir().expect("a temporary directory");
        let file = home.path().join("watermarks.json");
        let said = export(&served, Some(&file), false).expect("written");
        assert!(said.starts_with("0 watermarks are in "), "{said}");
        fs::write(&file, "mine").expect("ours");
        let error = export(&served, Some(&file), false).expect_err("it is there");
        assert!(error.contains("is there already") && error.contains("--force"), "{error}");
        assert_eq!(fs::read_to_string(&file).expect("readable"), "mine");
        export(&served, Some(&file), true).expect("replaced");
        assert!(interchange::parse(&fs::read(&file).expect("readable")).is_ok());
        assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 1);
        let error = export(&served, Some(&home.path().join("no/file")), false).expect_err("no directory");
        assert!(error.starts_with("cannot write "), "{error}");
    }
}
