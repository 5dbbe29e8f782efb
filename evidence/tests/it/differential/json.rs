//! Changes what a document in JSON says: its numbers, dates and statuses, and the order and number of things.

use super::random::Random;

/// A document whose numbers and strings are as they were written, and whose members keep their order.
#[derive(Clone)]
enum Json {
    /// A number, a string with its quotes, or a word.
    Scalar(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The same with one to three changes.
pub(super) fn changed(text: &str, random: &mut Random) -> String {
    let mut rest = text;
    let Some(mut json) = read(&mut rest).filter(|_| rest.is_empty()) else { return changed_text(text, random) };
    if random.one_in(10) {
        return changed_text(text, random);
    }
    loop {
        change(&mut json, random);
        if !random.one_in(3) {
            let mut text = String::new();
            write(&json, &mut text);
            return text;
        }
    }
}

/// One character is another, one more, or one less; or the end is missing.
pub(super) fn changed_text(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = random.below(chars.len() + 1);
    let other = random
        .pick(&[' ', '\n', '\t', '0', '1', '9', 'a', 'F', '"', ',', ':', '{', '}', '[', ']', '\\', '\0', 'é', '-']);
    match random.below(4) {
        0 => chars.insert(at, other),
        1 if at < chars.len() => chars[at] = other,
        2 if at < chars.len() => drop(chars.remove(at)),
        3 if random.one_in(3) => chars.truncate(at),
        _ => chars.push(other),
    }
    chars.into_iter().collect()
}

/// Intel writes no spaces; what is not written as Intel writes it is not read.
fn read(text: &mut &str) -> Option<Json> {
    let rest = *text;
    match rest.as_bytes().first()? {
        b'{' => {
            *text = &rest[1..];
            let mut members = vec![];
            while !text.starts_with('}') {
                let key = scalar(text)?;
                *text = text.strip_prefix(':')?;
                members.push((key, read(text)?));
                *text = text.strip_prefix(',').unwrap_or(text);
            }
            *text = &text[1..];
            Some(Json::Object(members))
        }
        b'[' => {
            *text = &rest[1..];
            let mut elements = vec![];
            while !text.starts_with(']') {
                elements.push(read(text)?);
                *text = text.strip_prefix(',').unwrap_or(text);
            }
            *text = &text[1..];
            Some(Json::Array(elements))
        }
        _ => scalar(text).map(Json::Scalar),
    }
}

fn scalar(text: &mut &str) -> Option<String> {
    let end = match text.strip_prefix('"') {
        Some(inside) => inside.find('"')? + 2,
        None => text.find([',', ':', '}', ']', '{', '[', '"'])?,
    };
    let (scalar, rest) = text.split_at(end);
    *text = rest;
    (!scalar.is_empty()).then(|| scalar.to_owned())
}

fn write(json: &Json, text: &mut String) {
    match json {
        Json::Scalar(scalar) => text.push_str(scalar),
        Json::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(element, text);
            }
            text.push(']');
        }
        Json::Object(members) => {
            text.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                text.push_str(key);
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
    }
}

fn change(json: &mut Json, random: &mut Random) {
    match json {
        Json::Scalar(scalar) => *scalar = other(scalar, random),
        Json::Array(elements) if !elements.is_empty() && !random.one_in(4) => {
            let at = random.below(elements.len());
            change(&mut elements[at], random);
        }
        Json::Object(members) if !members.is_empty() && !random.one_in(5) => {
            let at = random.below(members.len());
            change(&mut members[at].1, random);
        }
        Json::Array(elements) => match random.below(6) {
            0 => elements.push(Json::Scalar(other("", random))),
            1 => *json = Json::Scalar(other("", random)),
            _ => random.reorder(elements),
        },
        Json::Object(members) => match random.below(7) {
            0 => members.push(("\"nobodyKnowsThis\"".into(), Json::Scalar(other("", random)))),
            1 => *json = Json::Scalar(other("", random)),
            // In place of an object, serde takes a list of its members in the order in which they are declared.
            2 => *json = Json::Array(members.iter().map(|(_, value)| value.clone()).collect()),
            3 if !members.is_empty() => {
                let at = random.below(members.len());
                members[at].0 = changed_text(&members[at].0.clone(), random);
            }
            _ => random.reorder(members),
        },
    }
}

fn other(scalar: &str, random: &mut Random) -> String {
    if let Ok(number) = scalar.parse() {
        if !random.one_in(4) {
            return random.near(number).to_string();
        }
    }
    let inside = scalar.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match (inside, random.below(6)) {
        (Some(date), 0..=3) if date.contains('T') && date.ends_with('Z') => format!("\"{}\"", self::date(date, random)),
        (Some(id), 0..=2) if id.contains('-') => {
            let ids = ["INTEL-SA-00001", "intel-sa-00477", "INTEL_SA", "", "INTEL-SA-00000000000000000000000000", "é"];
            format!("\"{}\"", random.pick(&ids))
        }
        (Some(hex), 0..=2) if hex.len() >= 4 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            let mut hex: Vec<char> = hex.chars().collect();
            let at = random.below(hex.len());
            match random.below(4) {
                0 => hex = hex.into_iter().map(|digit| digit.to_ascii_lowercase()).collect(),
                1 => random.reorder(&mut hex),
                _ => hex[at] = random.pick(&['0', '1', 'F', 'a', 'g']),
            }
            format!("\"{}\"", hex.into_iter().collect::<String>())
        }
        (Some(_), 0..=4) => format!("\"{}\"", random.pick(&WORDS)),
        _ => random.pick(&SCALARS).to_owned(),
    }
}

const WORDS: [&str; 19] = [
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "Revoked",
    "uptodate",
    "SGX",
    "TDX",
    "QE",
    "TD_QE",
    "QVE",
    "TDX_01",
    "TDX_03",
    "tdx_01",
    "TDX_1",
    "",
];

const SCALARS: [&str; 15] = [
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1",
    "1.0",
    "1e0",
    "01",
    "65536",
    "18446744073709551616",
    "\"1\"",
    "\"00\"",
    "[]",
    "{}",
];

/// The same moment written otherwise, and others.
fn date(date: &str, random: &mut Random) -> String {
    let day = &date[..10];
    match random.below(16) {
        0 => date.replace('Z', "+00:00"),
        1 => date.replace('Z', ".000Z"),
        2 => date.replace('T', " "),
        3 => date.to_lowercase(),
        4 => format!("{day}T23:59:60Z"),
        5 => format!("{day}T24:00:00Z"),
        6 => day.to_owned(),
        7 => "1970-01-01T00:00:00Z".into(),
        8 => "1969-12-31T23:59:59Z".into(),
        9 => "9999-12-31T23:59:59Z".into(),
        10 => "2026-02-30T00:00:00Z".into(),
        11 => format!("+{date}"),
        12 => format!("{date} "),
        13 => "2026-09-21T14:13:20Z".into(),
        14 => "2026-09-21T14:13:21Z".into(),
        _ => "2026-09-21T14:13:19Z".into(),
    }
}
