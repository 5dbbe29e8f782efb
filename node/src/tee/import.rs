//! `tee import-watermarks`.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use holdfast_protocol::{Call, KeyId, Reply, Watermark};
use serde::Serialize;

use super::{
    advice, far,
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

    /// Raise keys as far as the file says, and by a file that names none of them: nothing of it can be taken back
    #[arg(long)]
    far: bool,

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
        let known = watermarks::read(daemon)?;
        let (steps, now) = (interchange::plan(file, &held, &known), unix_millis());
        let named = !file.keys.is_empty();
        let refusal = far::refusal(named, &steps, &known.floor, now)
            .filter(|_| !self.far)
            .map(|why| format!("{} is not imported: {why}", self.file.display()));
        if let (false, Some(why)) = (self.dry_run, &refusal) {
            return Err(why.clone());
        }
        if let Some(warning) = disturbed(daemon) {
            let _ = writeln!(io::stderr(), "warning: {warning}");
        }
        let (mut rows, mut result) = (Vec::new(), refusal.map_or(Ok(()), Err));
        for step in steps {
            let raises = matches!(step.what, What::Raise(_));
            if raises && !self.dry_run {
                result = raise(daemon, &step);
                if result.is_err() {
                    break;
                }
            }
            let refused = !self.far && (!named || far::judge(&step, &known.floor, now).is_some());
            rows.push(Row::of(step, self.dry_run, refused));
        }
        print(out, self.options.format, &rows, |rows| text(rows))?;
        result
    }
}

/// A node that runs has read how far its keys have come, and does not hear of this.
fn disturbed(daemon: &Daemon) -> Option<String> {
    let holder = daemon.holder()?;
    Some(format!(
        "{holder} holds the lease and signs on: votes and blocks that it asks for at or below what is raised are refused, \
         and a refused vote ends it with exit code 11. Stop it before keys are raised, or start it again after that"
    ))
}

/// Milliseconds since 1970; 0 on a clock that is before that, where every slot is in the future.
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// One key, as it is shown, with the position that the file says.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    key: Shown,
    /// `raised`, `would be raised`, `needs --far`, `already there`, `already higher` or `not held`.
    result: &'static str,
    #[serde(skip)]
    line: String,
}

impl Row {
    /// `refused` says that a step which raises needs `--far`: without it there is only a dry run.
    fn of(Step { key, to, what }: Step, dry_run: bool, refused: bool) -> Row {
        let (result, more) = match what {
            What::Raise(from) => (
                match (dry_run, refused) {
                    (true, true) => "needs --far",
                    (true, false) => "would be raised",
                    (false, _) => "raised",
                },
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
    Err(format!(
        "{key} may not have been raised, and those after it were not: {why}. Import the file again when that is mended: \
         what was raised stays as it is"
    ))
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
    use std::{fs, time::Duration};

    use holdfast_protocol::{Floor, GrandpaRound, Position, Scheme};
    use keystore_tee::{Identity, TEEKeystore};

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
            let (text, result) = self.run(file, dry_run, false, format);
            result.map(|()| text)
        }

        /// What was printed, however it ended.
        fn run(&self, file: &Watermarks, dry_run: bool, far: bool, format: Format) -> (String, Result<(), String>) {
            let path = self.home.path().join("watermarks.json");
            fs::write(&path, interchange::render(file).expect("plain data")).expect("ours");
            let target = Target { keystore_uri: self.served.endpoint.clone() };
            let import = Import { file: path, dry_run, far, options: Options { target, format } };
            let mut out = Vec::new();
            let result = import.read().and_then(|file| import.run(&file, &self.served.connect(), &mut out));
            (String::from_utf8(out).expect("text"), result)
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
    fn the_floor_of_a_file_alone_raises_the_keys_of_its_kind_if_it_is_told_to() {
        let stage = Stage::new();
        let file = Watermarks { floor: Floor { grandpa: None, slot: Some(9) }, keys: vec![] };
        let error = stage.import(&file, false, Format::Text).expect_err("nothing shows that it is for this TEE");
        assert!(error.contains("is not imported: it names no key") && error.contains("--far"), "{error}");
        assert_eq!(stage.known(), Watermarks::default());
        let (text, result) = stage.run(&file, false, true, Format::Text);
        assert_eq!(result, Ok(()));
        assert!(text.starts_with("aura 0x") && text.ends_with("  raised to slot 9\n") && text.lines().count() == 1);
        let nothing = stage.import(&Watermarks::default(), false, Format::Text).expect("it answers");
        assert!(nothing.starts_with("nothing to raise"), "{nothing}");
    }

    #[test]
    fn a_file_that_would_raise_a_key_far_raises_none_unless_it_is_told_to_and_a_dry_run_says_so() {
        let stage = Stage::new();
        let keys = stage.keys();
        stage.import(&marks(&keys, 5), false, Format::Text).expect("it answers");
        let mut file = marks(&keys, 7);
        file.floor.grandpa = Some(GrandpaRound { set_id: 1 << 40, round: 1 });

        let (text, result) = stage.run(&file, false, false, Format::Text);
        let error = result.expect_err("it is far");
        assert!(text.is_empty() && error.contains("is at round 5 of set 0, and it says round 1 of set 1099511627776"));
        assert!(!error.contains("aura") && error.ends_with("Nothing was raised"), "{error}");
        let (text, result) = stage.run(&file, true, false, Format::Text);
        assert!(result == Err(error) && text.contains("needs --far from round 5 of set 0 to round 1 of set"), "{text}");
        assert!(text.contains("would be raised from slot 5 to slot 7"), "{text}");
        let (text, result) = stage.run(&file, true, true, Format::Text);
        assert!(result == Ok(()) && text.contains("would be raised from round 5 of set 0 to round 1 of set"), "{text}");
        assert_eq!(stage.known(), marks(&keys, 5));

        let (text, result) = stage.run(&file, false, true, Format::Text);
        assert!(result == Ok(()) && text.contains("raised from round 5 of set 0 to round 1 of set 10995"), "{text}");
    }

    #[test]
    fn whoever_imports_beside_a_node_that_signs_is_warned() {
        let stage = Stage::new();
        let daemon = stage.served.connect();
        assert_eq!(disturbed(&daemon), None);
        let uri = stage.served.endpoint.to_string();
        let node = TEEKeystore::deferred(&uri, Identity::new([1; 32], "alice")).expect("a valid URI");
        node.connect([7; 32]).expect("threads start");
        node.wait_ready(Duration::from_secs(120)).expect("it is there");
        let warning = disturbed(&daemon).expect("it signs");
        assert!(warning.starts_with("`alice`") && warning.contains("exit code 11"), "{warning}");
    }

    #[test]
    fn a_file_that_cannot_be_read_or_used_is_named() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let target = Target { keystore_uri: "unix:///nowhere".parse().expect("a valid URI") };
        let mut import = Import {
            file: home.path().join("none"),
            dry_run: false,
            far: false,
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
        let import = Import { file: home.path().join("file"), dry_run: false, far: false, options };
        let error = import.run(&marks(&held, 1000), &daemon, &mut Vec::new()).expect_err("it does not");
        assert!(error.starts_with("gran 0x00000001") && error.contains("may not have been raised"), "{error}");
        assert!(error.contains("Import the file again"), "{error}");
    }
}
