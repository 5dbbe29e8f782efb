//! Looks for secrets in files.

use std::{
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
    ensure!(secret.len() >= 16, "so few bytes stand anywhere");
    let hex = hex::encode(secret);
    let mut found = Vec::new();
    for file in files(directory)? {
        let content = match std::fs::read(&file) {
            Ok(content) => content,
            // A running database removes its logs.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        if holds(&content, secret) || holds(&content.to_ascii_lowercase(), hex.as_bytes()) {
            found.push(file);
        }
    }
    Ok(found)
}

/// The same, without those under `store`, where one must be: a search that finds nothing there would prove nothing.
pub fn files_outside(directory: &Path, store: &Path, secret: &[u8]) -> Result<Vec<PathBuf>> {
    let (inside, outside): (Vec<_>, Vec<_>) =
        files_with(directory, secret)?.into_iter().partition(|file| file.starts_with(store));
    ensure!(!inside.is_empty(), "the secret is not in {}", store.display());
    Ok(outside)
}

/// The files under `directory` that are named as LocalKeystore names a key: key type and public key in hex.
pub fn key_files(directory: &Path, key_type: &str, public: &[u8]) -> Result<Vec<PathBuf>> {
    let name = format!("{}{}", hex::encode(key_type), hex::encode(public));
    Ok(files(directory)?.into_iter().filter(|file| file.to_string_lossy().contains(&name)).collect())
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

fn holds(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}
