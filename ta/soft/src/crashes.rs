//! The trusted application over real files, cut at every step of every change that its commands make: opened again, it
//! has each key whose creation was answered, none twice, nothing by halves, and gives no measurement another's number.

mod platform;
mod world;

use std::panic::{catch_unwind, AssertUnwindSafe};

use holdfast_ta::{Command, Error, KeyId, Reply};
use proptest::{prelude::*, sample::Index};
use rustix::io::Errno;

use self::world::{commands, measure, Machine, Start};
use crate::directory::mishap::{Died, Mishap, MISHAPS};

impl Machine {
    /// Asks, with a mishap after so many steps; whether it happened. After a death everything starts again.
    fn ask_with(&mut self, command: &Command, steps: usize, mishap: Mishap) -> bool {
        self.directory().mishap.plan(steps, mishap);
        match catch_unwind(AssertUnwindSafe(|| self.ask(command))) {
            Ok(result) => {
                if !self.directory().mishap.happened() {
                    return false;
                }
                assert_eq!(mishap, Mishap::Fails);
                match command {
                    Command::Info => assert!(matches!(result, Ok(Reply::Info(info)) if info.keys.is_none())),
                    _ => assert_eq!(result, Err(Error::Platform(Errno::NOSPC.raw_os_error().unsigned_abs()))),
                }
            }
            Err(thrown) => {
                assert!(thrown.is::<Died>(), "a panic of another kind");
                assert_eq!(mishap, Mishap::Dies);
                self.in_doubt(command);
                self.restart();
            }
        }
        true
    }
}

#[test]
fn a_cut_at_any_step_of_any_command_breaks_no_promise() {
    let mut cut = 0;
    for start in [Start::New, Start::Older, Start::Filled, Start::Measured] {
        for command in commands(start) {
            for mishap in MISHAPS {
                for steps in 0.. {
                    let mut machine = Machine::new(start);
                    if !machine.ask_with(&command, steps, mishap) {
                        break;
                    }
                    cut += 1;
                    machine.restart();
                    machine.settle();
                    // And it can be done again.
                    machine.ask(&command).map(drop).or_else(unless_gone).expect("done");
                    machine.restart();
                    machine.settle();
                }
            }
        }
    }
    assert!(cut > 300, "{cut}");
}

#[test]
fn a_second_cut_during_the_recovery_breaks_no_promise_either() {
    let mut cut = 0;
    let writes =
        |command: &&Command| matches!(command, Command::Generate { .. } | Command::Measure { .. } | Command::Info);
    for start in [Start::New, Start::Older, Start::Measured] {
        for command in commands(start).iter().filter(writes) {
            for first in 0.. {
                let mut more = false;
                for second in 0.. {
                    let mut machine = Machine::new(start);
                    if !machine.ask_with(command, first, Mishap::Dies) {
                        break;
                    }
                    more = true;
                    if !machine.ask_with(command, second, Mishap::Dies) {
                        break;
                    }
                    cut += 1;
                    machine.settle();
                }
                if !more {
                    break;
                }
            }
        }
    }
    assert!(cut > 300, "{cut}");
}

#[test]
fn a_key_that_was_answered_outlives_the_death_that_follows_at_once() {
    for start in [Start::Filled, Start::Measured] {
        for command in commands(start) {
            let mut machine = Machine::new(start);
            machine.ask(&command).map(drop).or_else(unless_gone).expect("done");
            // Dropped without a word, and the lock with it.
            machine.restart();
            machine.settle();
            if matches!(start, Start::Measured) {
                machine.ask(&measure(&[])).expect("measured again");
            }
        }
    }
}

fn unless_gone(error: Error) -> Result<(), Error> {
    match error {
        Error::NoSuchKey => Ok(()),
        other => Err(other),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_commands_with_any_mishaps_among_them_break_no_promise(
        start in prop::sample::select(&[Start::New, Start::Measured][..]),
        steps in prop::collection::vec(
            (any::<Index>(), any::<Index>(), prop::option::of((0..9usize, prop::sample::select(&MISHAPS[..])))),
            1..20,
        ),
    ) {
        let mut machine = Machine::new(start);
        let commands = commands(start);
        for (command, key, mishap) in steps {
            let ids: Vec<KeyId> = machine.certain();
            let command = match command.get(&commands) {
                Command::Retire { .. } if !ids.is_empty() => Command::Retire { id: key.get(&ids).clone() },
                Command::Measure { .. } if !ids.is_empty() => measure(&[key.get(&ids).clone()]),
                other => other.clone(),
            };
            match mishap {
                None => drop(machine.ask(&command)),
                Some((steps, mishap)) => {
                    if machine.ask_with(&command, steps, mishap) {
                        machine.restart();
                    }
                }
            }
            machine.settle();
        }
    }
}
