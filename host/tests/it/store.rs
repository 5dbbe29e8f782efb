//! A store or a socket that cannot be used, met by the daemon's own process: a clear error that says what to do, and
//! nothing damaged. Every test ends with the right start, which finds the key and signs with it.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::{
        fs::{chown, symlink, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use holdfast_protocol::{
    message::{Call, KeyInfo, Reply, Scheme, Usage},
    Client,
};
use rustix::process::Signal;

use crate::{
    process::{home, host, text, Process},
    support::*,
};

/// Whoever is not us.
const NOBODY: u32 = 65_534;

/// Mode, owner and content of everything in a place.
type Image = BTreeMap<PathBuf, (u32, u32, Option<Vec<u8>>)>;

/// A store with a key, which a daemon made that has ended.
struct Home {
    dir: tempfile::TempDir,
    key: KeyInfo,
}

impl Home {
    fn with_a_key() -> Home {
        let dir = home();
        let process = Process::start(dir.path(), &[]);
        let key = make_key(&client(&dir.path().join("host.sock")));
        assert_eq!(process.end(Signal::TERM).0, Some(0));
        Home { dir, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn image(&self) -> Image {
        image(self.dir.path())
    }

    /// The daemon's command line for this store and socket, after what comes before it.
    fn command(&self, before: &[&str]) -> Command {
        let program = host().get_program().to_owned();
        let mut command = match before {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.env_remove("RUST_LOG").args(["--http", "off", "--socket"]).arg(self.path("host.sock"));
        command.arg("--store").arg(self.path("store")).stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn start(&self, before: &[&str]) -> Process {
        Process(self.command(before).spawn().expect("starts"))
    }

    fn client(&self) -> Client {
        client(&self.path("host.sock"))
    }

    /// A start ends with an error that says this, and leaves everything as it is.
    #[track_caller]
    fn refuses(&self, before: &[&str], says: &[&str]) {
        let found = self.image();
        let output = self.command(before).output().expect("runs");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        for said in says {
            assert!(error.contains(said), "no `{said}` in {error}");
        }
        assert_eq!(self.image(), found);
    }

    /// The right start finds the key, and it signs.
    #[track_caller]
    fn serves(&self) {
        let process = self.start(&[]);
        self.has_its_key(&self.client());
        assert_eq!(process.end(Signal::TERM).0, Some(0));
    }

    #[track_caller]
    fn has_its_key(&self, client: &Client) {
        assert_eq!(keys(client), std::slice::from_ref(&self.key));
        sign(client, &self.key.id, b"still here");
    }
}

fn image(place: &Path) -> Image {
    let mut image = Image::new();
    for entry in fs::read_dir(place).expect("readable") {
        let path = entry.expect("readable").path();
        let found = fs::symlink_metadata(&path).expect("there");
        if found.is_dir() {
            image.extend(self::image(&path));
        }
        let content = found.is_file().then(|| fs::read(&path).expect("readable"));
        image.insert(path, (found.mode(), found.uid(), content));
    }
    image
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

fn keys(client: &Client) -> Vec<KeyInfo> {
    match client.call(Call::List { after: None }, soon()) {
        Ok(Reply::Keys { keys, more: false }) => keys,
        other => panic!("{other:?}"),
    }
}

/// The failure of a call.
#[track_caller]
fn failure(client: &Client, call: Call) -> String {
    client.call(call, soon()).expect_err("it cannot be done").to_string()
}

fn generate() -> Call {
    Call::Generate { scheme: Scheme::Ecdsa, key_type: *b"test", usage: Usage::Sign, seed: None }
}

fn object(home: &Home) -> PathBuf {
    let public: String = home.key.id.public.iter().map(|byte| format!("{byte:02x}")).collect();
    let named = |path: &PathBuf| path.to_string_lossy().contains(&public);
    image(&home.path("store")).into_keys().find(named).expect("the key's object")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn permissions_that_let_others_in_are_refused_on_the_directory_and_on_each_object() {
    let home = Home::with_a_key();
    for (path, loose, right) in
        [(home.path("store"), 0o755, 0o700), (home.path("store"), 0o710, 0o700), (object(&home), 0o640, 0o600)]
    {
        chmod(&path, loose);
        home.refuses(&[], &["others than its owner can use it", "chmod go=", &path.display().to_string()]);
        chmod(&path, right);
    }
    home.serves();
}

#[test]
fn a_store_of_another_user_is_refused() {
    let home = Home::with_a_key();
    if is_root() {
        for path in [home.path("store"), object(&home)] {
            chown(&path, Some(NOBODY), None).expect("root may");
            home.refuses(&[], &["belongs to user 65534", "run as its owner, or `chown -R 0`"]);
            chown(&path, Some(0), None).expect("root may");
        }
    } else {
        let mut elsewhere = host();
        elsewhere.args(["--http", "off", "--store", "/usr", "--socket"]).arg(home.path("host.sock"));
        let output = elsewhere.output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("/usr belongs to user 0"), "{}", text(&output.stderr));
    }
    home.serves();
}

#[test]
fn what_is_no_store_is_refused() {
    let home = Home::with_a_key();
    let (store, aside) = (home.path("store"), home.path("aside"));
    fs::write(store.join("notes.txt"), "mine").expect("written");
    home.refuses(&[], &["notes.txt is no part of a store", "move this elsewhere"]);
    fs::remove_file(store.join("notes.txt")).expect("there");

    fs::rename(&store, &aside).expect("ours");
    symlink(&aside, &store).expect("linked");
    home.refuses(&[], &["a link to one is not followed", "name the directory itself"]);
    fs::remove_file(&store).expect("there");
    fs::write(&store, "mine").expect("written");
    home.refuses(&[], &["is no directory"]);
    fs::remove_file(&store).expect("there");
    fs::rename(&aside, &store).expect("ours");
    home.serves();
}

#[test]
fn the_store_of_a_newer_trusted_application_is_told_to_every_client_and_in_the_log_and_left_alone() {
    let home = Home::with_a_key();
    // `meta` is version 1, schema (two bytes), version of the trusted application (four), development.
    let meta = home.path("store/6d657461.object");
    let cell = home.path("store/cell");
    for (file, at) in [(&meta, 0), (&meta, 1), (&meta, 3), (&cell, 0), (&cell, 1)] {
        let whole = fs::read(file).expect("there");
        let mut newer = whole.clone();
        newer[at] += 1;
        fs::write(file, newer).expect("written");
        let found = home.image();

        let process = home.start(&[]);
        let client = home.client();
        let says = "written by a newer trusted application: start that one again";
        for call in [Call::List { after: None }, Call::Has(home.key.id.clone()), generate()] {
            let failure = failure(&client, call);
            assert!(failure.contains(says), "{failure}");
        }
        drop(client);
        let (code, log) = process.end(Signal::TERM);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("cannot use its store") && log.contains(says), "{log}");
        assert_eq!(home.image(), found);
        fs::write(file, whole).expect("written");
    }
    home.serves();
}

#[test]
fn a_second_daemon_on_the_same_store_is_refused_and_disturbs_nothing() {
    let home = Home::with_a_key();
    let process = home.start(&[]);
    let client = home.client();
    home.has_its_key(&client);
    let found = image(&home.path("store"));
    let other = self::home();
    let mut second = host();
    second.args(["--http", "off", "--socket"]).arg(other.path().join("host.sock"));
    let output = second.arg("--store").arg(home.path("store")).output().expect("runs");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("in use by another instance: stop that one"), "{error}");
    assert_eq!(image(&home.path("store")), found);
    home.has_its_key(&client);
    assert_eq!(process.end(Signal::TERM).0, Some(0));
    home.serves();
}

#[test]
fn a_place_for_the_socket_that_is_taken_is_refused_and_the_store_is_untouched() {
    let home = Home::with_a_key();
    let socket = home.path("host.sock");
    fs::write(&socket, "mine").expect("written");
    home.refuses(&[], &["host.sock", "not a socket"]);
    fs::remove_file(&socket).expect("there");
    fs::create_dir(&socket).expect("made");
    home.refuses(&[], &["host.sock", "not a socket"]);
    fs::remove_dir(&socket).expect("empty");
    let somebody = UnixListener::bind(&socket).expect("binds");
    home.refuses(&[], &["host.sock", "--socket"]);
    // A dead one is replaced.
    drop(somebody);
    assert!(socket.exists());
    home.serves();
}

#[test]
fn a_store_that_may_not_be_written_to_serves_its_keys_or_is_refused_and_makes_none() {
    let home = Home::with_a_key();
    // Permissions bind root too once it has given away the right to override them.
    let before: &[&str] = if is_root() { &["setpriv", "--bounding-set=-dac_override,-dac_read_search"] } else { &[] };
    let store = home.path("store");
    chmod(&store, 0o500);
    let found = image(&store);
    let process = home.start(before);
    let client = home.client();
    home.has_its_key(&client);
    let refused = failure(&client, generate());
    assert!(refused.contains("Permission denied") && refused.contains("writable"), "{refused}");
    let refused = failure(&client, Call::Retire(home.key.id.clone()));
    assert!(refused.contains("Permission denied"), "{refused}");
    home.has_its_key(&client);
    drop(client);
    assert_eq!(process.end(Signal::TERM).0, Some(0));
    assert_eq!(image(&store), found);

    chmod(&store.join("lock"), 0o400);
    home.refuses(before, &["Permission denied", "make it writable"]);
    chmod(&store.join("lock"), 0o600);
    chmod(&store, 0o700);
    home.serves();
}

#[test]
fn where_files_cannot_grow_the_keys_serve_and_none_is_made() {
    let home = Home::with_a_key();
    // The limit of the process, which binds root too; what it writes to pipes and sockets is not meant.
    let before = ["sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"];
    let found = home.image();
    let process = home.start(&before);
    let client = home.client();
    home.has_its_key(&client);
    for _ in 0..3 {
        let refused = failure(&client, generate());
        assert!(refused.contains("File too large") && refused.contains("make room"), "{refused}");
        home.has_its_key(&client);
    }
    drop(client);
    assert_eq!(process.end(Signal::TERM).0, Some(0));
    assert_eq!(home.image(), found);
    home.serves();

    // A store that cannot be made is none yet, and is made once there is room.
    let empty = Home { dir: self::home(), key: home.key.clone() };
    let process = empty.start(&before);
    let refused = failure(&empty.client(), Call::List { after: None });
    assert!(refused.contains("make room"), "{refused}");
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("cannot use its store") && log.contains("make room"), "{log}");
    let process = empty.start(&[]);
    let key = make_key(&empty.client());
    assert_eq!(process.end(Signal::TERM).0, Some(0));
    Home { dir: empty.dir, key }.serves();
}

/// Mounts of our own, which nobody else sees; they go when this is dropped.
struct Mounts {
    holder: Child,
    _ends_it: ChildStdin,
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

impl Mounts {
    /// `None` where this user may not mount anything, not even for itself; which is said.
    fn new(script: &str, place: &Path) -> Option<Mounts> {
        let mut holder = Command::new("unshare")
            .args(["-rm", "sh", "-c", &format!("{script} && echo mounted && exec cat"), "sh"])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is there");
        let mut line = String::new();
        let _ = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        let mounts = Mounts { _ends_it: holder.stdin.take().expect("piped"), holder };
        if line.trim() == "mounted" {
            return Some(mounts);
        }
        eprintln!("NOT TESTED HERE: this user may not mount anything (unshare -rm)");
        None
    }

    /// What goes before a command so that it sees the mounts.
    fn enter(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        ["nsenter", "-t", &holder, "-U", "-m", "--preserve-credentials"].map(str::to_owned).to_vec()
    }
}

#[test]
fn a_full_disk_makes_no_key_and_loses_none() {
    let dir = home();
    let Some(mounts) = Mounts::new("mount -t tmpfs -o size=64k,mode=0700 none \"$1\"", dir.path()) else { return };
    let enter = mounts.enter();
    let enter: Vec<&str> = enter.iter().map(String::as_str).collect();
    // The socket is elsewhere: the test cannot see the disk. No audit log, which would take of the room.
    let outside = home();
    let start = || {
        let mut command = Command::new(enter[0]);
        command.args(&enter[1..]).arg(host().get_program());
        command.args(["--http", "off", "--audit-log", "off", "--socket"]);
        command.arg(outside.path().join("host.sock")).arg("--store").arg(dir.path().join("store"));
        Process(command.env_remove("RUST_LOG").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts"))
    };
    let process = start();
    let client = self::client(&outside.path().join("host.sock"));
    let mut made = vec![make_key(&client)];
    let full = loop {
        match client.call(generate(), soon()) {
            Ok(Reply::Generated(info)) => made.push(info),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error.to_string(),
        }
        assert!(made.len() < 64, "the disk never fills");
    };
    assert!(full.contains("No space left on device") && full.contains("make room"), "{full}");
    made.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(keys(&client), made);
    let first = made.iter().find(|info| info.id.scheme == Scheme::Ed25519).expect("made first").id.clone();
    sign(&client, &first, b"on a full disk");
    drop(client);
    assert_eq!(process.end(Signal::TERM).0, Some(0));

    // After a restart on the full disk all are there, and with room again there can be more.
    let process = start();
    let client = self::client(&outside.path().join("host.sock"));
    assert_eq!(keys(&client), made);
    sign(&client, &first, b"after a restart");
    assert!(failure(&client, generate()).contains("make room"));
    let gone = made.iter().position(|info| info.id.scheme == Scheme::Ecdsa).expect("one at least");
    assert_eq!(client.call(Call::Retire(made.remove(gone).id), soon()).expect("room is not needed"), Reply::Retired);
    assert!(matches!(client.call(generate(), soon()), Ok(Reply::Generated(_))));
    assert_eq!(keys(&client).len(), made.len() + 1);
    drop(client);
    assert_eq!(process.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_store_on_a_disk_that_is_mounted_read_only_is_refused() {
    let home = Home::with_a_key();
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"";
    let Some(mounts) = Mounts::new(script, &home.path("store")) else { return };
    let enter = mounts.enter();
    let enter: Vec<&str> = enter.iter().map(String::as_str).collect();
    home.refuses(&enter, &["Read-only file system", "make it writable"]);
    drop(mounts);
    home.serves();
}
