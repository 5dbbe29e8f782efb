//! The lease on a trusted application's keys: who of several nodes may sign.
//!
//! There is one lease, on all keys together. It ends when its holder's connection does, or after [`Lease::lasts_ms`]
//! without a request from it. It keeps two nodes from signing at the same time, and is convenience: nothing
//! authenticates an [`Identity`].

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
};

use serde::{Deserialize, Serialize};

/// The longest name of a node in bytes; a longer one is cut.
pub const MAX_NAME: usize = 32;

/// Tells nodes apart that use the same daemon.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The node, the same after a restart: its public network key, for instance.
    pub node: [u8; 32],
    /// Its process: drawn anew at every start.
    pub process: [u8; 16],
    /// For people: UTF-8, padded with zeros.
    name: [u8; MAX_NAME],
}

/// What a client wants of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// Nothing but to know who holds it.
    Look,
    /// It, if nobody holds it, and nobody but this node did as far as the daemon knows.
    Take,
    /// It, because this process held it before the connection broke; unless another did since.
    Keep,
    /// It, if nobody holds it, whoever did before, and nothing was signed since this client last looked.
    TakeOver,
}

/// How the lease stands after a claim was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub tenure: Tenure,
    /// It ends after so many milliseconds without a request from its holder.
    pub lasts_ms: u32,
    /// Set id and round of the last GRANDPA vote that was signed since the daemon started.
    pub last_vote: Option<(u64, u64)>,
    /// The slot of the last seal that was signed since the daemon started.
    pub last_slot: Option<u64>,
}

/// Who holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tenure {
    /// The client that asks.
    Yours,
    /// Another.
    Held {
        /// Who.
        holder: Identity,
        /// For how long, in milliseconds.
        since_ms: u64,
        /// Milliseconds since its last request.
        silent_ms: u64,
    },
    /// Nobody.
    Free {
        /// Who held it last, as far as the daemon knows.
        last: Option<Identity>,
        /// For so many milliseconds more it is kept for who held it before the daemon started: that process, or its
        /// node after a restart; where the daemon does not know who that was, whoever says [`Claim::Keep`].
        reserved_ms: u32,
    },
}

impl Identity {
    /// This process of a node. The name is cut to [`MAX_NAME`] bytes, at a character.
    pub fn new(node: [u8; 32], name: &str) -> Identity {
        let mut end = name.len().min(MAX_NAME);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let mut padded = [0; MAX_NAME];
        padded[..end].copy_from_slice(&name.as_bytes()[..end]);
        Identity { node, process: drawn(), name: padded }
    }

    /// A process that is known from before.
    pub fn of_process(node: [u8; 32], process: [u8; 16], name: &str) -> Identity {
        Identity { process, ..Identity::new(node, name) }
    }

    /// The name as it can be shown: whatever bytes came over the wire, without control characters.
    pub fn name(&self) -> String {
        let length = self.name.iter().position(|byte| *byte == 0).unwrap_or(MAX_NAME);
        String::from_utf8_lossy(&self.name[..length]).escape_debug().to_string()
    }
}

impl Default for Identity {
    /// A node that nobody has seen before, and that has no name.
    fn default() -> Identity {
        let mut node = [0; 32];
        node[..16].copy_from_slice(&drawn());
        Identity::new(node, "")
    }
}

/// The name and the beginning of the node's key.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.node;
        write!(f, "`{}` (node {a:02x}{b:02x}{c:02x}{d:02x}…)", self.name())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.process;
        write!(f, "Identity({self}, process {a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// Sixteen bytes that no other process draws. The standard library keys its hashers from the system's randomness.
fn drawn() -> [u8; 16] {
    let [first, second] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
    (u128::from(first) << 64 | u128::from(second)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_of_one_node_are_told_apart() {
        let [first, second] = [(); 2].map(|()| Identity::new([1; 32], "one"));
        assert_eq!(first.node, second.node);
        assert_ne!(first.process, second.process);
        assert_ne!(Identity::default().node, Identity::default().node);
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        assert_eq!(Identity::new([1; 32], &"ü".repeat(40)).name(), "ü".repeat(16));
        assert_eq!(Identity::new([1; 32], &format!("x{}", "ü".repeat(40))).name(), format!("x{}", "ü".repeat(15)));
    }

    // Rule 7: a bad byte is an error, or harmless.
    #[test]
    fn a_name_of_any_bytes_can_be_shown() {
        let mut identity = Identity { name: [0xff; MAX_NAME], ..Identity::default() };
        identity.name[..5].copy_from_slice(b"\x1b[2J\n");
        let shown = identity.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}
