//! That each error is expected by a test, and that `docs/evidence.md` lists it with one that is there.

use std::{collections::BTreeMap, fs, path::Path};

use holdfast_evidence::{Document, Error};

const ERRORS: &str = include_str!("../../src/error.rs");
const DOCS: &str = include_str!("../../../docs/evidence.md");

/// The names of all variants, as they stand in the source.
fn variants() -> Vec<&'static str> {
    let (_, body) = ERRORS.split_once("pub enum Error {\n").expect("the enum");
    let (body, _) = body.split_once("\n}\n").expect("its end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names.map(|line| line.split([' ', ',', '(']).next().unwrap_or_default()).collect()
}

/// The text of each module of tests, without comments.
fn modules() -> BTreeMap<String, String> {
    let [tests, source] = ["tests/it", "src"].map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let files = fs::read_dir(tests).expect("this directory").map(|file| file.expect("a file").path());
    let rust = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let named = rust.map(|path| (path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_string(), path));
    // These are judged without a mock, and tested beside the code.
    let beside = ["binding", "optee"].map(|name| (name.to_string(), source.join(name).join("tests.rs")));
    let code = |path: &Path| {
        let text = fs::read_to_string(path).expect("a text");
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    named.chain(beside).map(|(name, path)| (name, code(&path))).collect()
}

/// Whether a text says `Error::` and this name, and not only the beginning of a longer one.
fn names(text: &str, variant: &str) -> bool {
    let whole = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric());
    let needle = format!("Error::{variant}");
    text.match_indices(&needle).any(|(at, found)| whole(&text[at + found.len()..]))
}

#[test]
fn each_error_is_expected_by_a_test() {
    let variants = variants();
    assert!(variants.len() > 80, "{variants:?}");
    let tests = modules();
    let missing = |variant: &&&str| !tests.values().any(|text| names(text, variant));
    assert_eq!(variants.iter().filter(missing).collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// The rows of the list of checks: the errors of each, and its tests.
fn rows() -> Vec<(Vec<&'static str>, Vec<&'static str>)> {
    let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>();
    let (_, checks) = DOCS.split_once("\n## The checks\n").expect("the list of checks");
    let (checks, _) = checks.split_once("\n## ").expect("its end");
    let rows = checks.lines().filter(|line| line.starts_with("| ")).map(cells).filter(|cells| cells.len() == 4);
    let quoted = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    rows.map(|cells| (quoted(cells[1]), quoted(cells[2]))).filter(|(errors, _)| !errors.is_empty()).collect()
}

#[test]
fn the_documentation_lists_each_error_and_no_other() {
    let variants = variants();
    let rows = rows();
    let listed: Vec<&str> = rows.iter().flat_map(|(errors, _)| errors.iter().copied()).collect();
    let missing: Vec<&&str> = variants.iter().filter(|variant| !listed.contains(variant)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    let unknown: Vec<&&str> = listed.iter().filter(|error| !variants.contains(error)).collect();
    assert_eq!(unknown, Vec::<&&str>::new());
}

#[test]
fn the_documentation_names_tests_that_expect_what_they_are_named_for() {
    let modules = modules();
    for (errors, tests) in rows() {
        assert!(!tests.is_empty(), "{errors:?}");
        let mut bodies = String::new();
        for test in &tests {
            let (module, name) = test.split_once("::").expect("a module and a test");
            let text = modules.get(module).unwrap_or_else(|| panic!("{test}: no such module"));
            let (_, from) =
                text.split_once(&format!("\nfn {name}()")).unwrap_or_else(|| panic!("{test}: no such test"));
            // The module, since tests have helpers; the test itself is there, and expects one of them or calls one.
            bodies.push_str(text);
            assert!(from.starts_with(" {"), "{test}");
        }
        for error in errors {
            assert!(names(&bodies, error), "{error}: not in {tests:?}");
        }
    }
}

#[test]
fn an_error_has_the_name_of_its_variant() {
    assert_eq!(Error::QeDebug.name(), "QeDebug");
    assert_eq!(Error::QuoteVersion { found: 2 }.name(), "QuoteVersion");
    assert_eq!(Error::DocumentEncoding { document: Document::TcbInfo }.name(), "DocumentEncoding");
}
