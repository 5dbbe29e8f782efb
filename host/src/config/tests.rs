use super::*;
use crate::optee::Application;

const OPTEE: TeeKind = TeeKind::OpTee(Application::Production);

fn parse(text: &str) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("written");
    Config::load(file.path()).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(text: &str, line: usize, says: &str) {
    let error = parse(text).expect_err("refused");
    assert!(error.contains(&format!("line {line}")), "{error}");
    assert!(error.contains(says), "{error}");
    assert!(error.contains("example-config"), "{error}");
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(parse(EXAMPLE), Ok(Config::default()));
    assert_eq!(parse(""), Ok(Config::default()));
}

#[test]
fn the_example_holds_every_option_and_its_optional_ones_parse() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = \"")).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = parse(&uncommented).expect("parses");
    assert!(config.tcp.is_some() && config.genesis.is_some() && config.unauthenticated_tcp.is_some());
    // What is commented out is the default, or stands for any value.
    let default = Config::default();
    assert_eq!((config.store(), config.lease_path()), (default.store(), default.lease_path()));
    assert_eq!(config.audit_path(), default.audit_path());
    for (probe, prefix) in [("nothing = 1", ""), ("[limits]\nnothing = 1", "[limits]")] {
        let error = parse(probe).expect_err("unknown");
        let options = error.split_once("expected one of").expect("names the options").1;
        let options: Vec<&str> = options.split('`').skip(1).step_by(2).take_while(|o| !o.contains(' ')).collect();
        assert!(options.len() >= 5, "{prefix}: {error}");
        for option in options {
            assert!(
                uncommented.lines().any(|line| line.starts_with(&format!("{option} = ")))
                    || uncommented.contains(&format!("[{option}]")),
                "the example lacks {option}"
            );
        }
    }
}

#[test]
fn an_unknown_option_is_an_error_that_names_its_line_and_the_options() {
    refused("store = \"/x\"\nsokcet = \"/y\"\n", 2, "unknown field `sokcet`, expected one of `socket`");
    refused("\n[limits]\nqueues = 3\n", 3, "`queue`");
}

#[test]
fn a_value_that_cannot_be_is_an_error_that_names_its_line_and_the_remedy() {
    refused("tcp = \"0.0.0.0:9617\"", 1, "tunnel it");
    refused("\ntcp = \"localhost\"", 2, "write an IP address and a port");
    refused("http = \"on\"", 1, "write an IP address and a port");
    refused("unauthenticated_tcp = \"guest\"", 1, "write an IP address and a port");
    refused("tee = \"sgx\"", 1, "write software (for development), optee");
    refused("tee = true", 1, "expected a string");
    refused("socket_mode = \"0666\"", 1, "write \"0600\"");
    refused("genesis = \"0x12\"", 1, "64 hexadecimal digits");
    refused("genesis = 12", 1, "expected a string");
    refused("lease_ms = 999", 1, "write 1000 to 600000");
    refused("lease_ms = 600001", 1, "write 1000 to 600000");
    refused("log = \"info,=,\"", 1, "write a level");
    refused("audit_log = \"\"", 1, "name a file, or write off");
    refused("audit_log = true", 1, "expected a string");
    refused("audit_log_size = 0", 1, "write 1 to 4096");
    // Not for whoever writes configuration files.
    refused("test_only_without_leases = true", 1, "unknown field");
    refused("socket = \"\"", 1, "give an absolute path");
    refused(&format!("socket = \"/{}\"", "x".repeat(107)), 1, "has 108 bytes");
    refused("[limits]\nqueue = 0", 2, "write 1 to 65536");
    refused("[limits]\n\nconnections = -1", 3, "write 1 to 1024");
    refused("[limits]\nstuck_ms = 999", 2, "write 1000 to 3600000");
    refused("socket = ", 1, "");
}

#[test]
fn the_longest_socket_path_is_taken() {
    let path = format!("/{}", "x".repeat(MAX_SOCKET_PATH - 1));
    assert_eq!(parse(&format!("socket = \"{path}\"")).expect("taken").socket, PathBuf::from(path));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/host.toml")).expect_err("not there").to_string();
    assert!(error.contains("/nowhere/host.toml"), "{error}");
}

#[test]
fn only_loopback_is_taken_for_tcp() {
    for address in ["127.0.0.1:1", "127.9.9.9:0", "[::1]:65535"] {
        assert!(address.parse::<Loopback>().is_ok(), "{address}");
    }
    for address in ["0.0.0.0:1", "[::]:1", "192.168.0.1:1", "8.8.8.8:1", "[::ffff:127.0.0.1]:1"] {
        assert!(matches!(address.parse::<Loopback>(), Err(ValueError::NotLoopback(_))), "{address}");
    }
}

#[test]
fn any_address_is_taken_for_unauthenticated_tcp_and_no_name() {
    for address in ["0.0.0.0:9617", "[::]:0", "192.168.0.1:1", "127.0.0.1:1"] {
        assert_eq!(address.parse().map(|Anywhere(address)| address.to_string()), Ok(address.to_string()));
    }
    assert!(matches!("guest:9617".parse::<Anywhere>(), Err(ValueError::Address(_))));
}

#[test]
fn the_refusal_of_other_addresses_for_tcp_does_not_tell_how_to_get_round_it() {
    assert!(!ValueError::NotLoopback(([0, 0, 0, 0], 1).into()).to_string().contains("unauthenticated"));
}

#[test]
fn a_tee_is_read_by_the_name_that_it_shows() {
    for kind in [TeeKind::Software, OPTEE, TeeKind::OpTee(Application::Development)] {
        assert_eq!(parse(&format!("tee = \"{kind}\"")).expect("taken").tee, kind);
    }
    assert_eq!(OPTEE.to_string(), "optee");
}

#[test]
fn a_store_is_for_the_software_tee_only() {
    let mut config = parse("store = \"/x\"").expect("parses");
    assert!(config.check().is_ok());
    config.tee = OPTEE;
    let error = config.check().expect_err("refused").to_string();
    assert!(error.contains("with `optee` the keys are in OP-TEE's secure storage: leave `store` out"), "{error}");
}

#[test]
fn a_program_without_the_way_to_optee_says_which_one_has_it() {
    let config = Config { tee: OPTEE, ..Config::default() };
    let checked = config.check().map_err(|error| error.to_string());
    assert_eq!(checked.is_ok(), cfg!(feature = "optee"));
    if let Err(error) = checked {
        assert!(error.contains("`make optee`") && error.contains("--features optee"), "{error}");
    }
}

#[test]
fn the_lease_of_each_store_and_application_has_a_file_of_its_own() {
    let path = |text: &str| parse(text).expect("parses").lease_path().expect("there is one");
    for (text, file) in [
        ("", "/var/lib/holdfast/soft-tee.lease"),
        ("store = \"/x/y/\"", "/x/y.lease"),
        ("tee = \"optee\"", "/var/lib/holdfast/optee.lease"),
        ("tee = \"optee-development\"", "/var/lib/holdfast/optee-development.lease"),
        ("tee = \"optee\"\nlease_file = \"/z\"", "/z"),
    ] {
        assert_eq!(path(text), PathBuf::from(file), "{text}");
    }
    assert_eq!(Config::embedded("/x".into()).lease_path(), None);
}

#[test]
fn the_audit_log_of_each_store_and_application_is_a_file_of_its_own_unless_it_is_off() {
    let path = |text: &str| parse(text).expect("parses").audit_path();
    for (text, file) in [
        ("", Some("/var/lib/holdfast/soft-tee.audit")),
        ("store = \"/x/y/\"", Some("/x/y.audit")),
        ("tee = \"optee\"", Some("/var/lib/holdfast/optee.audit")),
        ("tee = \"optee\"\naudit_log = \"/z\"", Some("/z")),
        ("audit_log = \"off\"", None),
    ] {
        assert_eq!(path(text), file.map(PathBuf::from), "{text}");
    }
    assert_eq!(Config::embedded("/x".into()).audit_path(), None);
}

proptest::proptest! {
    #[test]
    fn no_file_panics(text in ".*") {
        let _ = toml::from_str::<Config>(&text);
    }

    #[test]
    fn a_genesis_hash_reads_back(hash in proptest::prelude::any::<[u8; 32]>()) {
        proptest::prop_assert_eq!(Genesis(hash).to_string().parse(), Ok(Genesis(hash)));
    }
}
