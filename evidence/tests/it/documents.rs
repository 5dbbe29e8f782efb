//! TCB info and QE identity as JSON: which text is one, and of which type each field is.

use holdfast_evidence::{
    mock::{Key, Kind, Parts, Plan, Unsigned},
    Document, Error,
};
use serde_json::{json, Value};

use crate::case::{changed, Stage, NOW};

pub(crate) const BOTH: [Document; 2] = [Document::TcbInfo, Document::QeIdentity];

/// Why a quote is refused that is good but for this change of a document's text, which is signed.
pub(crate) fn with_text(document: Document, change: impl Fn(&mut String)) -> Option<Error> {
    let sign = |text: &str| Plan::new(Kind::Td15, NOW).seed.sign(Key::TcbSigner, text.as_bytes());
    changed::<Parts>(Kind::Td15, |it| match document {
        Document::TcbInfo => {
            change(&mut it.tcb_info);
            it.tcb_info_signature = sign(&it.tcb_info);
        }
        _ => {
            change(&mut it.qe_identity);
            it.qe_identity_signature = sign(&it.qe_identity);
        }
    })
    .err()
}

/// The same of what it says.
pub(crate) fn with(document: Document, change: impl Fn(&mut Value)) -> Option<Error> {
    with_text(document, |text| {
        let mut value = serde_json::from_str(text).expect("JSON");
        change(&mut value);
        *text = value.to_string();
    })
}

pub(crate) fn unreadable(document: Document) -> Option<Error> {
    Some(Error::DocumentEncoding { document })
}

fn good(document: Document) -> Value {
    let Parts { tcb_info, qe_identity, .. } = Stage::new(Kind::Td15);
    serde_json::from_str(if document == Document::TcbInfo { &tcb_info } else { &qe_identity }).expect("JSON")
}

/// Where something stands in a document; of lists, only in the first element.
fn places(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (format!("{at}/{name}"), value)).collect(),
        Value::Array(elements) => elements.iter().take(1).map(|value| (format!("{at}/0"), value)).collect(),
        _ => return vec![],
    };
    below.into_iter().flat_map(|(at, value)| [vec![at.clone()], places(value, &at)].concat()).collect()
}

#[test]
fn documents_are_json_objects() {
    for document in BOTH {
        type Change = fn(&mut String);
        let changes: [Change; 15] = [
            String::clear,
            // Intel's begin with the brace.
            |text| text.insert(0, ' '),
            |text| *text = "x".into(),
            |text| *text = "null".into(),
            |text| *text = "[]".into(),
            |text| *text = "{}".into(),
            |text| *text = format!("[{text}]"),
            |text| *text = format!("{{\"tcbInfo\":{text}}}"),
            |text| text.push('x'),
            |text| text.push_str("{}"),
            |text| *text = text.repeat(2),
            |text| text.truncate(text.len() - 1),
            |text| text.insert(0, '\u{feff}'),
            |text| text.insert_str(1, "/**/"),
            |text| text.insert_str(1, "\"x\":NaN,"),
        ];
        for change in changes {
            assert_eq!(with_text(document, change), unreadable(document));
        }
        // Nothing is as deep as what is skipped can be.
        let nested = |name: &str| format!("\"{name}\":{}{},", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(with_text(document, |text| text.insert_str(1, &nested("x"))), None);
        assert_eq!(with_text(document, |text| text.insert_str(1, &nested("tcbLevels"))), unreadable(document));
        // Each in the place of the other.
        let error = changed::<Unsigned>(Kind::Td15, |it| std::mem::swap(&mut it.tcb_info, &mut it.qe_identity));
        assert_eq!(error.err(), unreadable(Document::TcbInfo));
    }
    let error = changed::<Unsigned>(Kind::Td15, |it| it.qe_identity.clone_from(&it.tcb_info));
    assert_eq!(error.err(), unreadable(Document::QeIdentity));
}

#[test]
fn each_field_is_there_once_and_of_its_type() {
    let optional = ["/tdxModuleIdentities", "/tdxModule", "advisoryIDs", "/category", "/type"];
    for document in BOTH {
        for place in places(&good(document), "") {
            let error = with(document, |it| *it.pointer_mut(&place).expect("a place") = json!([null]));
            let unknown = place.ends_with("/category") || place.ends_with("/type");
            assert_eq!(error, if unknown { None } else { unreadable(document) }, "{place}");

            let (parent, name) = place.rsplit_once('/').expect("a place");
            if optional.iter().any(|field| place.ends_with(field)) || name == "0" {
                continue;
            }
            let error = with(document, |it| {
                it.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(name);
            });
            assert_eq!(error, unreadable(document), "{place}");
        }
        // Twice, each time the same.
        for (name, value) in good(document).as_object().expect("an object") {
            let again = format!("\"{name}\":{value},");
            assert_eq!(with_text(document, |text| text.insert_str(1, &again)), unreadable(document), "{name}");
        }
        for field in [r#""tcbStatus":"UpToDate""#, r#""svn":4"#, r#""isvsvn":4"#, r#""pcesvn":11"#] {
            if good(document).to_string().contains(field) {
                let twice = format!("{field},{field}");
                let error = with_text(document, |text| *text = text.replacen(field, &twice, 1));
                assert_eq!(error, unreadable(document), "{field}");
            }
        }
    }
}

#[test]
fn fields_that_are_not_known_are_skipped() {
    let added = json!({"x": [1, {"y": null}], "z": 1e300});
    for document in BOTH {
        assert_eq!(with(document, |it| it["added"] = added.clone()), None);
        assert_eq!(with(document, |it| it["tcbLevels"][0]["added"] = added.clone()), None);
        assert_eq!(with(document, |it| it["tcbLevels"][0]["tcb"]["added"] = added.clone()), None);
        assert_eq!(with_text(document, |text| text.insert_str(1, "\"x\":1,\"x\":2,")), None);
        // White space is signed like everything else.
        assert_eq!(with_text(document, |text| *text = text.replace(',', " ,\r\n\t")), None);
    }
    assert_eq!(with(Document::TcbInfo, |it| it["tdxModule"]["added"] = added.clone()), None);
    assert_eq!(with(Document::TcbInfo, |it| it["tdxModuleIdentities"][0]["added"] = added.clone()), None);
}

#[test]
fn numbers_are_as_large_as_their_fields() {
    let numbers = [
        (Document::TcbInfo, "/version", 1 << 16),
        (Document::TcbInfo, "/tcbType", 1 << 32),
        (Document::TcbInfo, "/tcbEvaluationDataNumber", 1 << 32),
        (Document::TcbInfo, "/tcbLevels/0/tcb/sgxtcbcomponents/0/svn", 1 << 8),
        (Document::TcbInfo, "/tcbLevels/1/tcb/tdxtcbcomponents/15/svn", 1 << 8),
        (Document::TcbInfo, "/tcbLevels/0/tcb/pcesvn", 1 << 16),
        (Document::TcbInfo, "/tdxModuleIdentities/0/tcbLevels/0/tcb/isvsvn", 1 << 8),
        (Document::QeIdentity, "/version", 1 << 16),
        (Document::QeIdentity, "/isvprodid", 1 << 16),
        (Document::QeIdentity, "/tcbEvaluationDataNumber", 1 << 32),
        (Document::QeIdentity, "/tcbLevels/1/tcb/isvsvn", 1u64 << 16),
    ];
    for (document, place, beyond) in numbers {
        for number in [json!(beyond), json!(-1), json!(1.5), json!(u64::MAX), json!("1"), json!(true), json!(null)] {
            let error = with(document, |it| *it.pointer_mut(place).expect("a place") = number.clone());
            assert_eq!(error, unreadable(document), "{place} {number}");
        }
        let error = with(document, |it| *it.pointer_mut(place).expect("a place") = json!(beyond - 1));
        assert_ne!(error, unreadable(document), "{place}");
    }
    for count in [0, 15, 17] {
        for components in ["sgxtcbcomponents", "tdxtcbcomponents"] {
            let error = with(Document::TcbInfo, |it| {
                it["tcbLevels"][0]["tcb"][components] = json!(vec![json!({"svn": 0}); count]);
            });
            assert_eq!(error, unreadable(Document::TcbInfo), "{count} {components}");
        }
    }
}

#[test]
fn bytes_are_hexadecimal_and_of_their_length() {
    let fields = [
        (Document::TcbInfo, "/fmspc"),
        (Document::TcbInfo, "/pceId"),
        (Document::TcbInfo, "/tdxModule/mrsigner"),
        (Document::TcbInfo, "/tdxModule/attributes"),
        (Document::TcbInfo, "/tdxModule/attributesMask"),
        (Document::TcbInfo, "/tdxModuleIdentities/0/mrsigner"),
        (Document::TcbInfo, "/tdxModuleIdentities/0/attributes"),
        (Document::TcbInfo, "/tdxModuleIdentities/0/attributesMask"),
        (Document::QeIdentity, "/miscselect"),
        (Document::QeIdentity, "/miscselectMask"),
        (Document::QeIdentity, "/attributes"),
        (Document::QeIdentity, "/attributesMask"),
        (Document::QeIdentity, "/mrsigner"),
    ];
    for (document, place) in fields {
        let digits = good(document).pointer(place).and_then(Value::as_str).expect("a string").to_string();
        let set = |text: String| with(document, |it| *it.pointer_mut(place).expect("a place") = json!(text));
        assert_eq!(set(digits.to_lowercase()), None);
        let bad = [
            String::new(),
            digits[1..].into(),
            digits[2..].into(),
            format!("{digits}0"),
            format!("{digits}00"),
            format!("0x{digits}"),
            format!(" {}", &digits[1..]),
            format!("g{}", &digits[1..]),
        ];
        for text in bad {
            assert_eq!(set(text.clone()), unreadable(document), "{place} {text}");
        }
    }
}

#[test]
fn dates_are_in_utc_to_the_second() {
    for document in BOTH {
        for place in ["/issueDate", "/nextUpdate", "/tcbLevels/0/tcbDate"] {
            let set = |date: &str| with(document, |it| *it.pointer_mut(place).expect("a place") = json!(date));
            for date in [
                "",
                "2026-10-08",
                "2026-10-08T00:09:46",
                "2026-10-08T00:09:46+00:00",
                "2026-10-08 00:09:46Z",
                "2026-10-08T00:09:46.0Z",
                "2026-13-08T00:09:46Z",
                "2026-02-30T00:09:46Z",
                "2026-10-08T24:00:00Z",
                "2026-10-08T00:60:00Z",
                "1969-12-31T23:59:59Z",
                "20261008T000946Z",
                " 2026-10-08T00:09:46Z",
                "2026-10-08T00:09:46Z ",
                "+026-10-08T00:09:46Z",
            ] {
                assert_eq!(set(date), unreadable(document), "{place} {date}");
            }
        }
        assert_eq!(with(document, |it| it["tcbLevels"][0]["tcbDate"] = json!("9999-12-31T23:59:59Z")), None);
    }
}

// As with lists.
#[test]
fn a_document_that_its_signer_did_not_sign_is_not_read() {
    for document in BOTH {
        let error = changed::<Plan>(Kind::Td15, |it| {
            (it.tcb_info_signed_by, it.qe_identity_signed_by) = (Key::Pck, Key::TcbSigner);
            it.tcb_info.version = 7;
            if document == Document::QeIdentity {
                *it = Plan { qe_identity_signed_by: Key::Pck, ..Plan::new(Kind::Td15, NOW) };
                it.qe_identity.version = 7;
            }
        });
        assert_eq!(error.err(), Some(Error::DocumentSignature { document }));
    }
}
