use alloc::vec::Vec;

use super::TcbStatus::{self, *};

/// In the order of [`TcbStatus::ALL`], a letter each.
const LETTERS: &str = "USCBOPLMR";

fn of(letter: char) -> TcbStatus {
    TcbStatus::ALL[LETTERS.find(letter).expect("one of the letters")]
}

/// Compares a function of two statuses with a table: a row for each first one, a column for each second one.
fn compare(table: [&str; 9], function: fn(TcbStatus, TcbStatus) -> TcbStatus) {
    for (row, one) in table.into_iter().zip(TcbStatus::ALL) {
        let row: Vec<char> = row.chars().filter(|letter| !letter.is_whitespace()).collect();
        assert_eq!(row.len(), TcbStatus::ALL.len());
        for (expected, other) in row.into_iter().zip(TcbStatus::ALL) {
            assert_eq!(function(one, other), of(expected), "{one} and {other}");
        }
    }
}

#[test]
fn the_letters_are_those_of_the_statuses() {
    let statuses = [
        UpToDate,
        SWHardeningNeeded,
        ConfigurationNeeded,
        ConfigurationAndSWHardeningNeeded,
        OutOfDate,
        OutOfDateConfigurationNeeded,
        TDRelaunchAdvised,
        TDRelaunchAdvisedConfigurationNeeded,
        Revoked,
    ];
    assert_eq!(LETTERS.chars().map(of).collect::<Vec<_>>(), statuses);
    for (index, status) in TcbStatus::ALL.into_iter().enumerate() {
        assert_eq!(status as usize, index, "as it is encoded, and as a policy's bits are");
    }
}

#[test]
fn a_part_revokes_or_outdates_its_platform_and_changes_nothing_else() {
    // Of a part:  U S C B O P L M R
    let table = [
        "U           U U U U O U U U R",
        "S           S S S S O S S S R",
        "C           C C C C P C C C R",
        "B           B B B B P B B B R",
        "O           O O O O O O O O R",
        "P           P P P P P P P P R",
        "L           L L L L L L L L R",
        "M           M M M M M M M M R",
        "R           R R R R R R R R R",
    ];
    compare(table.map(|row| &row[1..]), TcbStatus::with_part);
}

#[test]
fn a_td_should_start_anew_if_only_what_it_started_with_is_outdated() {
    // Now:        U S C B O P L M R
    let table = [
        "U           U U U U U U U U R",
        "S           S S S S S S S S R",
        "C           C C C C C C C C R",
        "B           B B B B B B B B R",
        "O           L L M M O O L L R",
        "P           M M M M P P M M R",
        "L           L L L L L L L L R",
        "M           M M M M M M M M R",
        "R           R R R R R R R R R",
    ];
    compare(table.map(|row| &row[1..]), TcbStatus::with_current);
}
