//! Text that the daemon chose, made fit for a log line.

/// The most characters of it that are shown.
const MOST: usize = 240;

/// Text that a daemon chose, fit for a log line or a terminal: cut short, and without what could forge a line or steer
/// the terminal.
pub fn shown(text: impl ToString) -> String {
    let mut out = String::new();
    for character in text.to_string().chars().take(MOST) {
        if character.is_control() || !(character.is_ascii() || character.is_alphanumeric()) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // Rule 7: what comes from a socket is bounded, and does no harm.
    #[test]
    fn rule_7_a_daemon_can_neither_forge_a_line_nor_flood_the_log() {
        assert_eq!(shown("fine: 1 µs?"), "fine: 1 µs?");
        assert_eq!(shown("a\n2026 ERROR\x1b[2J\u{202e}"), "a\\n2026 ERROR\\u{1b}[2J\\u{202e}");
        assert!(shown("\u{0}".repeat(100_000)).len() <= MOST * 5);
    }
}
