//! Named values in an order: a section of a page for people, and an object for programs, with the same names.

use serde::{ser::SerializeMap, Serialize, Serializer};
use serde_json::Value;

use crate::time;

/// Some fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields(Vec<Field>);

#[derive(Clone, Debug, PartialEq)]
struct Field {
    name: &'static str,
    value: Value,
    /// What people read in place of the value.
    text: Option<String>,
}

impl Fields {
    /// With one more, at the end.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Fields {
        self.0.push(Field { name, value: value.into(), text: None });
        self
    }

    /// With a time: seconds since 1970 for programs, a date for people.
    pub(crate) fn with_time(mut self, name: &'static str, seconds: u64) -> Fields {
        self.0.push(Field { name, value: seconds.into(), text: Some(time::shown(seconds)) });
        self
    }

    /// With bytes, in hexadecimal.
    pub(crate) fn with_bytes(self, name: &'static str, bytes: &[u8]) -> Fields {
        self.with(name, hex::encode(bytes))
    }

    /// With these too.
    pub(crate) fn and(mut self, others: Fields) -> Fields {
        self.0.extend(others.0);
        self
    }

    /// As an object in another one.
    pub(crate) fn object(self) -> Value {
        Value::Object(self.0.into_iter().map(|field| (field.name.to_string(), field.value)).collect())
    }

    /// A line for each.
    pub(crate) fn text(&self) -> String {
        let width = self.0.iter().map(|field| field.name.len()).max().unwrap_or_default();
        let said = |field: &Field| field.text.clone().unwrap_or_else(|| line(&field.value));
        self.0.iter().map(|field| format!("  {:<width$}  {}\n", field.name, said(field))).collect()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Field { name, value, .. } in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn line(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".into(),
        Value::Array(values) => values.iter().map(line).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_keep_their_order_in_both_formats() {
        let more = Fields::default().with("none", json!([])).with("null", Value::Null);
        let fields = Fields::default().with_bytes("z", &[1, 0xab]).with("number", 7).with("a", true).and(more);
        let fields = fields.with_time("time", 0);
        assert_eq!(
            fields.text(),
            "  z       01ab\n  number  7\n  a       yes\n  none    none\n  null    -\n  time    1970-01-01T00:00:00Z\n"
        );
        let json = serde_json::to_string(&fields).expect("plain data");
        assert_eq!(json, r#"{"z":"01ab","number":7,"a":true,"none":[],"null":null,"time":0}"#);
    }
}
