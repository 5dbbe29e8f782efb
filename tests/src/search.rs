//! Looks for what must not be in files: secrets, and news of equivocation.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure, Context, Result};
use sp_core::{ed25519, sr25519, Pair};

/// All files under `directory`.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => found.extend(files(&entry.path())?),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    Ok(found)
}

/// The files under `directory` whose content holds `secret`, as it is or in hex.
pub fn files_with(directory: &Path, secret: &[u8]) -> Result<Vec<PathBuf>> {
    Ok(files_with_each(directory, &[secret])?.remove(0))
}

/// The same for each of several secrets: files are read once.
pub fn files_with_each(directory: &Path, secrets: &[&[u8]]) -> Result<Vec<Vec<PathBuf>>> {
    ensure!(secrets.iter().all(|secret| secret.len() >= 16), "so few bytes stand anywhere");
    let needles = Needles::new(secrets);
    let mut found = vec![Vec::new(); secrets.len()];
    for file in files(directory)? {
        let content = match std::fs::read(&file) {
            Ok(content) => content,
            // A running database removes its logs.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        for secret in needles.within(&content) {
            found[secret].push(file.clone());
        }
    }
    Ok(found)
}

/// As [`files_with`], without those under `store`, where one must be: a search that finds nothing there would prove
/// nothing.
pub fn files_outside(directory: &Path, store: &Path, secret: &[u8]) -> Result<Vec<PathBuf>> {
    outside(store, files_with(directory, secret)?)
}

/// Of the files with a secret those that are not under `store`, where one must be.
pub fn outside(store: &Path, files: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let (inside, outside): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.starts_with(store));
    ensure!(!inside.is_empty(), "the secret is not in {}", store.display());
    Ok(outside)
}

/// The files under `directory` that are named as LocalKeystore names a key: key type and public key in hex.
pub fn key_files(directory: &Path, key_type: &str, public: &[u8]) -> Result<Vec<PathBuf>> {
    let name = format!("{}{}", hex::encode(key_type), hex::encode(public));
    Ok(files(directory)?.into_iter().filter(|file| file.to_string_lossy().contains(&name)).collect())
}

/// What a validator did twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Equivocation {
    /// Two blocks for a slot.
    Seal,
    /// Two prevotes in a round.
    Prevote,
    /// Two precommits in a round.
    Precommit,
}

/// The equivocation that a line of a node's log tells of.
///
/// | who says so | line |
/// |---|---|
/// | sc-consensus-aura, `import_queue.rs` | `Slot author is equivocating at slot …` |
/// | sc-consensus-grandpa, `environment.rs` | `Detected prevote equivocation in the finality worker: …` |
/// | | `Detected precommit equivocation in the finality worker: …` |
/// | | `Error reporting prevote equivocation: …`, also of the node's own vote |
///
/// No other line of theirs has the word; those of the node itself may.
pub fn equivocation(line: &str) -> Option<Equivocation> {
    let vote = |stage: &str| {
        ["Detected", "Error reporting"].iter().any(|who| line.contains(&format!("{who} {stage} equivocation")))
    };
    match () {
        () if line.contains("Slot author is equivocating") => Some(Equivocation::Seal),
        () if vote("prevote") => Some(Equivocation::Prevote),
        () if vote("precommit") => Some(Equivocation::Precommit),
        () => None,
    }
}

/// The lines that tell of an equivocation, in all logs under `directory`: those of processes that are gone too.
pub fn equivocations(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files(directory)?.into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "log")) {
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().filter(|line| equivocation(line).is_some());
        found.extend(lines.map(|line| format!("{}: {line}", file.display())));
    }
    Ok(found)
}

/// The sr25519 secret in a TEE's store that belongs to `public`, whatever the shape of the store's files.
pub fn sr25519_secret(store: &Path, public: &sr25519::Public) -> Result<Vec<u8>> {
    secret_of::<sr25519::Pair>(store, public, &[32, 64])
}

/// The ed25519 secret in a TEE's store that belongs to `public`.
pub fn ed25519_secret(store: &Path, public: &ed25519::Public) -> Result<Vec<u8>> {
    secret_of::<ed25519::Pair>(store, public, &[32])
}

/// Tries every run of bytes of the lengths that the scheme's secrets have.
fn secret_of<P: Pair>(store: &Path, public: &P::Public, lengths: &[usize]) -> Result<Vec<u8>> {
    for file in files(store)? {
        let content = std::fs::read(&file)?;
        for length in lengths {
            let secret = content
                .windows(*length)
                .find(|bytes| P::from_seed_slice(bytes).is_ok_and(|pair| pair.public() == *public));
            if let Some(secret) = secret {
                return Ok(secret.to_vec());
            }
        }
    }
    bail!("{} holds no secret of 0x{}", store.display(), hex::encode(public))
}

/// Secrets, each as it is and in hex, by their first byte: databases are large, and few of their bytes begin one.
struct Needles {
    by_first: Vec<Vec<Needle>>,
}

struct Needle {
    secret: usize,
    bytes: Vec<u8>,
    /// In either case.
    hex: bool,
}

impl Needles {
    fn new(secrets: &[&[u8]]) -> Needles {
        let mut by_first: Vec<Vec<Needle>> = (0..=u8::MAX).map(|_| Vec::new()).collect();
        for (secret, bytes) in secrets.iter().enumerate() {
            by_first[usize::from(bytes[0])].push(Needle { secret, bytes: bytes.to_vec(), hex: false });
            let hex = hex::encode(bytes).into_bytes();
            for first in BTreeSet::from([hex[0], hex[0].to_ascii_uppercase()]) {
                by_first[usize::from(first)].push(Needle { secret, bytes: hex.clone(), hex: true });
            }
        }
        Needles { by_first }
    }

    /// Which of the secrets are there.
    fn within(&self, content: &[u8]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for (start, first) in content.iter().enumerate() {
            for needle in &self.by_first[usize::from(*first)] {
                let same = |there: &[u8]| match needle.hex {
                    true => there.eq_ignore_ascii_case(&needle.bytes),
                    false => there == needle.bytes,
                };
                if content[start..].get(..needle.bytes.len()).is_some_and(same) {
                    found.insert(needle.secret);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands_as_it_is_and_in_hex_of_either_case() {
        let byte =
            |number: u8, place: u8| place.wrapping_mul(7).wrapping_add(number.wrapping_mul(100)).wrapping_add(0xa1);
        let secrets: Vec<Vec<u8>> = (0..3).map(|number| (0..32).map(|place| byte(number, place)).collect()).collect();
        let needles = Needles::new(&secrets.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (number, secret) in secrets.iter().enumerate() {
            for form in [secret.clone(), hex::encode(secret).into_bytes(), hex::encode_upper(secret).into_bytes()] {
                for (before, after) in [(0, 0), (1000, 0), (0, 1000), (63, 1)] {
                    let content = [vec![form[0]; before], form.clone(), vec![form[0]; after]].concat();
                    assert_eq!(needles.within(&content), BTreeSet::from([number]));
                    let cut = &content[..before + form.len() - 1];
                    assert!(needles.within(cut).is_empty());
                }
            }
        }
        assert_eq!(needles.within(&secrets.concat()), BTreeSet::from([0, 1, 2]));
    }

    #[test]
    fn every_line_that_tells_of_an_equivocation_is_found_in_whatever_log_it_stands() -> Result<()> {
        let directory = crate::directory()?;
        let below = directory.path().join("alice");
        std::fs::create_dir(&below)?;
        use Equivocation::{Precommit, Prevote, Seal};
        let told = [
            (Seal, "2026-11-20 12:00:00 Slot author is equivocating at slot Slot(7) with headers 0x1b…4c and 0x99…00"),
            (Prevote, "2026-11-20 12:00:01 Detected prevote equivocation in the finality worker: Equivocation { .. }"),
            (
                Precommit,
                "2026-11-20 12:00:02 Detected precommit equivocation in the finality worker: Equivocation { .. }",
            ),
            (Prevote, "2026-11-20 12:00:03 Error reporting prevote equivocation: Safety(Refraining from sending it)"),
        ];
        let others = "2026-11-20 12:00:00 Prepared block for proposing at 7\n2026-11-20 12:00:00 Imported #7\n\
                      2026-11-20 12:00:00 It would have been an equivocation\n";
        std::fs::write(directory.path().join("node.log"), others)?;
        assert!(equivocations(directory.path())?.is_empty());
        for (count, (kind, line)) in told.into_iter().enumerate() {
            assert_eq!(equivocation(line), Some(kind));
            let log = below.join(format!("{count}.log"));
            std::fs::write(&log, format!("{others}{line}\n{others}"))?;
            let found = equivocations(directory.path())?;
            assert_eq!(found.len(), count + 1, "{found:?}");
            assert!(found.contains(&format!("{}: {line}", log.display())), "{found:?}");
        }
        Ok(())
    }
}
