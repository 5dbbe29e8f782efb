use super::*;
use holdfast_protocol::Scheme;
use proptest::{collection::vec, option, prelude::*};
use serde_json::{json, Value};

const fn round(set_id: u64, round: u64) -> Position {
    Position::Grandpa(GrandpaRound { set_id, round })
}

fn gran(number: u8) -> KeyId {
    KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![number; 32] }
}

fn aura(number: u8) -> KeyId {
    KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: vec![number; 32] }
}

/// In order, as every list of them is.
fn marks(floor: Floor, keys: impl IntoIterator<Item = (KeyId, Position)>) -> Watermarks {
    let keys: BTreeMap<KeyId, Position> = keys.into_iter().collect();
    Watermarks { floor, keys: keys.into_iter().map(|(id, highest)| Watermark { id, highest }).collect() }
}

fn file() -> Value {
    json!({
        "metadata": { "interchange_format": "holdfast-watermarks", "interchange_format_version": "1" },
        "floor": { "gran": { "set_id": "7", "round": "3" }, "aura": { "slot": "90" } },
        "data": [
            { "key_type": "gran", "scheme": "ed25519", "public_key": format!("0x{}", "0A".repeat(32)), "set_id": "7",
              "round": "12" },
            { "key_type": "aura", "scheme": "sr25519", "public_key": format!("0x{}", "0b".repeat(32)), "slot": "123" },
        ],
    })
}

fn read(file: &Value) -> Result<Watermarks, InterchangeError> {
    parse(file.to_string().as_bytes())
}

/// After one value was changed, or one was added.
#[track_caller]
fn refused(pointer: &str, value: Value, says: &str) {
    let mut file = file();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match file.pointer_mut(parent).expect("it is there") {
        Value::Object(map) => drop(map.insert(name.into(), value)),
        Value::Array(list) => list[name.parse::<usize>().expect("a number")] = value,
        other => panic!("{other}"),
    }
    let error = read(&file).expect_err(pointer).to_string();
    assert!(error.contains(says), "{pointer}: {error}");
    assert!(!error.contains('\n') && error.len() < 2000, "{error}");
}

#[test]
fn a_file_is_read_as_it_is_documented() {
    let floor = Floor { grandpa: Some(GrandpaRound { set_id: 7, round: 3 }), slot: Some(90) };
    assert_eq!(read(&file()), Ok(marks(floor, [(gran(10), round(7, 12)), (aura(11), Position::Aura(123))])));
    let mut empty = file();
    (empty["floor"], empty["data"]) = (json!({}), json!([]));
    assert_eq!(read(&empty), Ok(Watermarks::default()));
}

#[test]
fn a_key_that_is_there_twice_has_its_higher_position_in_either_order() {
    for rounds in [["12", "40"], ["40", "12"]] {
        let mut file = file();
        let mut twice = file["data"][0].clone();
        (file["data"][0]["round"], twice["round"]) = (rounds[0].into(), rounds[1].into());
        file["data"].as_array_mut().expect("a list").push(twice);
        let keys = read(&file).expect("a good file").keys;
        assert!(keys.iter().any(|mark| mark.id == gran(10) && mark.highest == round(7, 40)), "{keys:?}");
        assert_eq!(keys.len(), 2);
    }
}

#[test]
fn what_is_not_of_the_format_is_refused_with_its_place_and_what_to_do() {
    refused("/metadata/interchange_format", json!("eip-3076"), "is `eip-3076` and not `holdfast-watermarks`");
    refused("/metadata/interchange_format_version", json!("2"), "use the release that wrote it");
    refused("/metadata/interchange_format_version", json!(1), "as `tee export-watermarks` wrote it");
    refused("/metadata/chain", json!("x"), "unknown field `chain`");
    refused("/more", json!(1), "unknown field `more`");
    refused("/floor/gran/slot", json!("1"), "unknown field `slot`");
    refused("/floor/test", json!({}), "unknown field `test`");
    refused("/floor/aura/slot", json!("-1"), "floor: `slot` is a number");
    refused("/floor", json!(null), "invalid type");
    refused("/data/0", json!(7), "invalid type");
    refused("/data/0/more", json!("1"), "unknown field `more`");
    refused("/data/0/slot", json!("1"), "data[0]: a `gran` key has `set_id` and `round`, and no `slot`");
    refused("/data/1/slot", json!(null), "data[1]: an `aura` key has `slot`");
    refused("/data/1/round", json!("1"), "data[1]: an `aura` key has `slot`");
    refused("/data/1/key_type", json!("test"), "data[1]: only `gran` and `aura` keys have watermarks");
    refused("/data/1/key_type", json!("\u{1b}[2J\n\u{202e}"), "`\\u{1b}[2J\\n\\u{202e}` ones none");
    refused("/data/0/scheme", json!("sr25519"), "data[0]: the scheme of a `gran` key is ed25519, not `sr25519`");
    for public in
        ["", "0x", "0x0", &"0a".repeat(32), &format!("0x{}", "0g".repeat(32)), &format!("0x{}", "ä".repeat(32))]
    {
        refused("/data/0/public_key", json!(public), "data[0]: `public_key` is 0x and 64");
    }
    for number in ["", "+1", "01", "1.0", "0x1", "18446744073709551616", "１"] {
        refused("/data/0/round", json!(number), "data[0]: `round` is a number from 0 to 18446744073709551615");
    }
    refused("/data/0/round", json!(12), "invalid type");
}

#[test]
fn a_file_without_one_of_its_parts_or_with_bytes_after_it_is_refused() {
    for part in ["metadata", "floor", "data"] {
        let mut file = file();
        file.as_object_mut().expect("a map").remove(part);
        let error = read(&file).expect_err(part).to_string();
        assert!(error.contains(&format!("missing field `{part}`")), "{error}");
    }
    let whole = file().to_string();
    assert!(parse(format!("{whole} 1").as_bytes()).is_err());
    for length in 0..whole.len() {
        assert!(parse(&whole.as_bytes()[..length]).is_err());
    }
    let twice = whole.replacen("\"floor\":", "\"floor\":{},\"floor\":", 1);
    assert!(parse(twice.as_bytes()).expect_err("twice").to_string().contains("duplicate field"));
}

#[test]
fn a_newer_file_is_told_as_one_whatever_else_it_says() {
    let newer =
        r#"{"metadata":{"interchange_format":"holdfast-watermarks","interchange_format_version":"2","x":1},"y":2}"#;
    assert_eq!(parse(newer.as_bytes()), Err(InterchangeError::Version("2".into())));
}

#[test]
fn a_file_that_is_too_long_is_not_looked_at() {
    let mut long = file().to_string();
    long.extend(std::iter::repeat_n(' ', MAX_FILE - long.len()));
    assert!(parse(long.as_bytes()).is_ok());
    long.push(' ');
    assert_eq!(parse(long.as_bytes()), Err(InterchangeError::TooLong));
}

#[test]
fn the_file_of_as_many_keys_as_a_tee_holds_is_not_too_long() {
    let key = |number: u64| {
        let public = [&number.to_be_bytes()[..], &[0xff; 24]].concat();
        (KeyId { public, ..gran(0) }, round(u64::MAX, u64::MAX))
    };
    let text = render(&marks(Floor::default(), (0..4096).map(key))).expect("plain data");
    assert!(text.len() <= MAX_FILE / 2, "{}", text.len());
}

#[test]
fn each_key_is_raised_left_alone_or_skipped_by_what_is_known_of_it() {
    let file = marks(Floor::default(), [(gran(1), round(7, 12)), (aura(2), Position::Aura(50))]);
    let what = |held: &[KeyId], now: &[(KeyId, Position)]| {
        let steps = plan(&file, held, &marks(Floor::default(), now.iter().cloned()));
        steps.into_iter().map(|step| step.what).collect::<Vec<_>>()
    };
    // In the order of the file's keys: sr25519 comes first.
    let both = [aura(2), gran(1)];
    assert_eq!(what(&both, &[]), [What::Raise(None); 2]);
    let low = [(aura(2), Position::Aura(49)), (gran(1), round(6, 99))];
    assert_eq!(what(&both, &low), [What::Raise(Some(low[0].1)), What::Raise(Some(low[1].1))]);
    let high = [(aura(2), Position::Aura(50)), (gran(1), round(7, 13))];
    assert_eq!(what(&both, &high), [What::Already(high[0].1), What::Already(high[1].1)]);
    assert_eq!(what(&[aura(2), gran(9)], &[]), [What::Raise(None), What::NotHeld]);
    assert_eq!(what(&[], &high), [What::NotHeld; 2]);
}

#[test]
fn the_floor_of_a_file_is_for_every_key_of_its_kind_and_never_lowers_what_the_file_says_of_one() {
    let floor = Floor { grandpa: Some(GrandpaRound { set_id: 8, round: 1 }), slot: Some(40) };
    let file = marks(floor, [(gran(1), round(7, 12)), (aura(2), Position::Aura(50))]);
    let test = KeyId { scheme: Scheme::Ecdsa, key_type: *b"test", public: vec![1; 33] };
    let odd = KeyId { scheme: Scheme::Sr25519, ..gran(5) };
    let held = [aura(2), aura(3), gran(1), gran(4), test, odd];
    let steps = plan(&file, &held, &Watermarks::default());
    let wanted =
        [(aura(2), Position::Aura(50)), (gran(1), round(8, 1)), (aura(3), Position::Aura(40)), (gran(4), round(8, 1))];
    assert_eq!(steps.into_iter().map(|step| (step.key, step.to)).collect::<Vec<_>>(), wanted);
}

#[test]
fn a_file_is_for_a_tee_that_holds_one_of_its_keys_or_if_it_names_none() {
    let file = marks(Floor::default(), [(gran(1), round(7, 12)), (aura(2), Position::Aura(50))]);
    assert!(is_for(&file, &[gran(1), gran(9)]));
    assert!(!is_for(&file, &[gran(9)]) && !is_for(&file, &[]));
    assert!(is_for(&Watermarks::default(), &[]));
}

fn any_round() -> impl Strategy<Value = GrandpaRound> {
    any::<(u64, u64)>().prop_map(|(set_id, round)| GrandpaRound { set_id, round })
}

/// Of few keys, so that files, TEEs and what is known of them meet.
fn any_mark() -> impl Strategy<Value = (KeyId, Position)> {
    prop_oneof![
        (0..4u8, any_round()).prop_map(|(number, at)| (gran(number), Position::Grandpa(at))),
        (0..4u8, any::<u64>()).prop_map(|(number, slot)| (aura(number), Position::Aura(slot))),
    ]
}

fn any_marks() -> impl Strategy<Value = Watermarks> {
    (option::of(any_round()), any::<Option<u64>>(), vec(any_mark(), 0..8))
        .prop_map(|(grandpa, slot, keys)| marks(Floor { grandpa, slot }, keys))
}

proptest! {
    #[test]
    fn what_was_exported_is_imported_as_it_was(watermarks in any_marks()) {
        let text = render(&watermarks).expect("plain data");
        prop_assert!(text.ends_with('\n'));
        prop_assert_eq!(parse(text.as_bytes()), Ok(watermarks));
    }

    // Rule 5: an import only ever raises.
    #[test]
    fn rule_5_a_plan_only_raises_and_each_held_key_once_to_all_that_the_file_says(
        file in any_marks(), now in any_marks(), held in vec(any_mark(), 0..8),
    ) {
        let held: BTreeSet<KeyId> = held.into_iter().map(|(key, _)| key).chain(now.keys.iter().map(|m| m.id.clone())).collect();
        let held: Vec<KeyId> = held.into_iter().collect();
        let steps = plan(&file, &held, &now);
        let keys: BTreeSet<&KeyId> = steps.iter().map(|step| &step.key).collect();
        prop_assert_eq!(keys.len(), steps.len());
        for step in &steps {
            prop_assert_eq!(step.what == What::NotHeld, !held.contains(&step.key));
            match (step.what, now.of(&step.key)) {
                (What::Raise(from), known) => prop_assert!(from == known && known.is_none_or(|known| known < step.to)),
                (What::Already(at), known) => prop_assert!(known == Some(at) && at >= step.to),
                (What::NotHeld, _) => {}
            }
        }
        for key in &held {
            let said = [file.of(key), file.floor.of(key.key_type)].into_iter().flatten();
            for position in said {
                prop_assert!(steps.iter().any(|step| step.key == *key && step.to >= position));
            }
        }
    }

    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_no_bytes_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn rule_7_no_file_that_is_almost_right_panics(place: prop::sample::Index, bytes in vec(any::<u8>(), 0..4)) {
        let mut whole = file().to_string().into_bytes();
        let at = place.index(whole.len());
        let end = (at + bytes.len()).min(whole.len());
        whole.splice(at..end, bytes);
        let _ = parse(&whole).map_err(|error| assert!(!error.to_string().contains('\n')));
    }
}
