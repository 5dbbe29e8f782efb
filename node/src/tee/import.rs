//! `tee import-watermarks`.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use holdfast_protocol::{Call, KeyId, Reply, Watermark};
use serde::Serialize;

use super::{
    advice,
    interchange::{self, Step, What, MAX_FILE},
    keys, print,
    watermarks::{self, Shown, Watermarks},
    Daemon, Options,
};

/// The options of `tee import-watermarks`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A file that `tee export-watermarks` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Say what would be raised, and raise nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub(super) options: Options,
}

impl Import {
    /// Reads the file, all of it, before anything is raised.
    pub(super) fn read(&self) -> Result<Watermarks, String> {
        let file = read(&self.file).map_err(|error| format!("cannot read {}: {error}", self.file.display()))?;
        interchange::parse(&file).map_err(|error| format!("{} cannot be used: {error}", self.file.display()))
    }

    /// Raises what the file says, and prints what became of each key.
    pub(super) fn run(&self, file: &Watermarks, daemon: &Daemon, out: &mut impl Write) -> Result<(), String> {
        let held: Vec<KeyId> = keys::read(daemon)?.into_iter().map(|key| key.id).collect();
        if !interchange::is_for(file, &held) {
            return Err(format!(
                "the TEE behind {} holds none of the keys in {}: is it the right TEE, and the right file? Nothing was \
                 raised",
                daemon.endpoint(),
                self.file.display()
            ));
        }
        let steps = interchange::plan(file, &held, &watermarks::read(daemon)?);
        let (mut rows, mut result) = (Vec::new(), Ok(()));
        for step in steps {
            if let (false, What::Raise(_)) = (self.dry_run, step.what) {
                result = raise(daemon, &step);
                if result.is_err() {
                    break;
                }
            }
            rows.push(Row::of(step, self.dry_run));
        }
        print(out, self.options.format, &rows, |rows| text(rows))?;
        result
    }
}

/// One key, as it is shown, with the position that the file says.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    key: Shown,
    /// `raised`, `would be raised`, `already there`, `already higher` or `not held`.
    result: &'static str,
    #[serde(skip)]
    line: String,
}

impl Row {
    fn of(Step { key, to, what }: Step, dry_run: bool) -> Row {
        let (result, more) = match what {
            What::Raise(from) => (
                if dry_run { "would be raised" } else { "raised" },
                from.map_or_else(|| format!(" to {to}"), |from| format!(" from {from} to {to}")),
            ),
            What::Already(at) if at == to => ("already there", format!(": {at}")),
            What::Already(at) => ("already higher", format!(": {at}, and the file says {to}")),
            What::NotHeld => ("not held", " by this TEE: skipped".into()),
        };
        let key = Watermark { id: key, highest: to };
        Row { line: format!("{}  {result}{more}\n", keys::named(&key.id)), key: Shown::from(&key), result }
    }
}

fn text(rows: &[Row]) -> String {
    match rows {
        [] => "nothing to raise: the file has no watermark, and no floor for a key of this TEE".into(),
        rows => rows.iter().map(|row| row.line.as_str()).collect(),
    }
}

/// It can be done again from the beginning, since what is raised stays as it is.
fn raise(daemon: &Daemon, step: &Step) -> Result<(), String> {
    let why = match daemon.ask(Call::RaiseWatermark { key: step.key.clone(), to: step.to }) {
        Ok(Reply::WatermarkRaised) => return Ok(()),
        Ok(_) => advice::strange(daemon.endpoint()),
        Err(error) => daemon.explain(&error),
    };
    let key = keys::named(&step.key);
    Err(format!("{key} was not raised, nor those after it: {why}. Import the file again when that is mended"))
}

/// No more of it than a file may have, and one byte.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use holdfast_protocol::{Floor, GrandpaRound, Position, Scheme};

    use super::{
        super::{
            testing::{damaged, soon, Served},
            Format, Target,
        },
        *,
    };

    /// A file on disk, and a TEE with an `aura` and a `gran` key.
    struct Stage {
        served: Served,
        home: tempfile::TempDir,
    }

    impl Stage {
        fn new() -> Stage {
            let served = Served::start();
            served.make_session_keys();
            Stage { served, home: tempfile::tempdir().expect("a temporary directory") }
        }

        fn keys(&self) -> Vec<KeyId> {
            keys::read(&self.served.connect()).expect("it answers").into_iter().map(|key| key.id).collect()
        }

        fn known(&self) -> Watermarks {
            watermarks::read(&self.served.connect()).expect("it answers")
        }

        fn import(&self, file: &Watermarks, dry_run: bool, format: Format) -> Result<String, String> {
            let path = self.home.path().join("watermarks.json");
            fs::write(&path, interchange::render(file).expect("plain data")).expect("ours");
            let target = Target { keystore_uri: self.served.endpoint.clone() };
            let import = Import { file: path, dry_run, options: Options { target, format } };
            let mut out = Vec::new();
            import.run(&import.read()?, &self.served.connect(), &mut out)?;
            Ok(String::from_utf8(out).expect("text"))
        }
    }

    /// Of these keys, at this slot or round.
    fn marks(keys: &[KeyId], at: u64) -> Watermarks {
        let mark = |id: &KeyId| {
            let gran = id.key_type == *b"gran";
            let round = GrandpaRound { set_id: 0, round: at };
            let highest = if gran { Position::Grandpa(round) } else { Position::Aura(at) };
            Watermark { id: id.clone(), highest }
        };
        Watermarks { floor: Floor::default(), keys: keys.iter().map(mark).collect() }
    }

    #[test]
    fn an_import_raises_says_what_it_did_for_each_key_and_lowers_nothing() {
        let stage = Stage::new();
        let (keys, mut highest) = (stage.keys(), 0);
        for (at, aura, gran) in [
            (5, "raised to slot 5", "raised to round 5 of set 0"),
            (7, "raised from slot 5 to slot 7", "raised from round 5 of set 0 to round 7 of set 0"),
            (7, "already there: slot 7", "already there: round 7 of set 0"),
            (6, "already higher: slot 7, and the file says slot 6", "already higher: round 7 of set 0"),
        ] {
            let text = stage.import(&marks(&keys, at), false, Format::Text).expect("it answers");
            assert!(text.contains(aura) && text.contains(gran) && text.lines().count() == 2, "{text}");
            highest = highest.max(at);
            assert_eq!(stage.known(), marks(&keys, highest));
        }
    }

    #[test]
    fn a_dry_run_says_the_same_and_raises_nothing() {
        let stage = Stage::new();
        let text = stage.import(&marks(&stage.keys(), 5), true, Format::Text).expect("it answers");
        assert!(text.contains("would be raised to slot 5"), "{text}");
        assert_eq!(stage.known(), Watermarks::default());
    }

    #[test]
    fn keys_that_are_not_held_are_skipped_unless_none_is() {
        let stage = Stage::new();
        let stranger = KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![9; 32] };
        let error =
            stage.import(&marks(std::slice::from_ref(&stranger), 5), false, Format::Text).expect_err("none is held");
        assert!(error.contains("holds none of the keys") && error.contains("Nothing was raised"), "{error}");
        let mut keys = stage.keys();
        keys.push(stranger);
        keys.sort();
        let json = stage.import(&marks(&keys, 5), false, Format::Json).expect("two are held");
        let rows: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
        let mut results: Vec<&str> = rows.iter().map(|row| row["result"].as_str().expect("text")).collect();
        results.sort();
        assert_eq!(results, ["not held", "raised", "raised"]);
        assert!(rows.iter().any(|row| row["type"] == "aura" && row["slot"] == 5), "{json}");
    }

    #[test]
    fn the_floor_of_a_file_alone_raises_the_keys_of_its_kind() {
        let stage = Stage::new();
        let file = Watermarks { floor: Floor { grandpa: None, slot: Some(9) }, keys: vec![] };
        let text = stage.import(&file, false, Format::Text).expect("it answers");
        assert!(text.starts_with("aura 0x") && text.ends_with("  raised to slot 9\n") && text.lines().count() == 1);
        let nothing = stage.import(&Watermarks::default(), false, Format::Text).expect("it answers");
        assert!(nothing.starts_with("nothing to raise"), "{nothing}");
    }

    #[test]
    fn a_file_that_cannot_be_read_or_used_is_named() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let target = Target { keystore_uri: "unix:///nowhere".parse().expect("a valid URI") };
        let mut import = Import {
            file: home.path().join("none"),
            dry_run: false,
            options: Options { target, format: Format::Text },
        };
        let error = import.read().expect_err("it is not there");
        assert!(error.starts_with("cannot read ") && error.contains("No such file"), "{error}");
        import.file = home.path().join("long");
        fs::write(&import.file, vec![b' '; MAX_FILE + 10]).expect("ours");
        let error = import.read().expect_err("it is too long");
        assert!(error.contains("/long cannot be used: it is longer than 4 MiB"), "{error}");
    }

    #[test]
    fn a_daemon_that_raises_nothing_is_told_with_the_key_and_what_to_do() {
        let (endpoint, home) = damaged();
        let daemon = Daemon::connect(&endpoint, soon()).expect("it answers");
        let held: Vec<KeyId> = keys::read(&daemon).expect("it answers").into_iter().map(|key| key.id).collect();
        let options = Options { target: Target { keystore_uri: endpoint.clone() }, format: Format::Text };
        let import = Import { file: home.path().join("file"), dry_run: false, options };
        let error = import.run(&marks(&held, 1000), &daemon, &mut Vec::new()).expect_err("it does not");
        assert!(error.starts_with("gran 0x00000001") && error.contains("Import the file again"), "{error}");
    }
}
