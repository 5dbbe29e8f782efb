//! Any commands in any order, with any accidents among them.

use proptest::{prelude::*, sample::Index};

use super::*;

#[derive(Clone, Debug)]
struct Step {
    command: Index,
    key: Index,
    accident: Option<(usize, Accident)>,
    restart: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let accident = (0..3usize, prop::sample::select(&ACCIDENTS[..]));
    (any::<Index>(), any::<Index>(), prop::option::of(accident), prop::bool::weighted(0.2))
        .prop_map(|(command, key, accident, restart)| Step { command, key, accident, restart })
}

/// A command of the world's, on a key that is there now if it names one.
fn on_a_key_that_is_there(command: Command, ids: &[KeyId], key: &Index) -> Command {
    let retire = |id: &KeyId| Command::Retire { id: id.clone() };
    match command {
        Command::Retire { .. } if !ids.is_empty() => retire(key.get(ids)),
        Command::Measure { keys, .. } if !keys.is_empty() && !ids.is_empty() => measure(&[key.get(ids).clone()]),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_promise_is_broken(production: bool, new: bool, steps in prop::collection::vec(step(), 1..30)) {
        let world = if production { World::production() } else { World::development() };
        let commands = world.commands();
        let (mut tee, mut promises) = world.begin(if new { Start::New } else { Start::Older });
        for Step { command, key, accident, restart } in steps {
            let ids: Vec<KeyId> = promises.certain().cloned().collect();
            let command = on_a_key_that_is_there(command.get(&commands).clone(), &ids, &key);
            if let Some((write, accident)) = accident {
                tee.plan(write, accident);
            }
            let result = tee.ask(command.clone());
            promises.note(&command, &result);
            tee.accident_happened();
            if restart || tee.is_off() {
                tee.restart();
            }
            promises.settle(&mut tee);
        }
    }
}
