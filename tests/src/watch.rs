//! Watches finality for pauses.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{anyhow, Error, Result};
use tokio::task::JoinHandle;

use crate::rpc::{Heads, Rpc};

/// Notes when a node hears of finalised blocks, from its start to [`Watch::end`].
///
/// Tests that watch run on a runtime of several threads: what blocks the test must not delay the watch.
pub struct Watch {
    start: Instant,
    seen: Arc<Mutex<Vec<Instant>>>,
    /// Ends by itself only if it fails.
    following: JoinHandle<Error>,
}

impl Watch {
    /// Watches through this node, which must run for as long.
    pub async fn finality(rpc: &Rpc) -> Result<Watch> {
        let mut heads = rpc.heads(Heads::Finalised).await?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let following = tokio::spawn(async move {
            loop {
                match heads.next().await {
                    Some(Ok(_)) => noted.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now()),
                    Some(Err(error)) => return error.into(),
                    None => return anyhow!("the node closed the connection"),
                }
            }
        });
        Ok(Watch { start: Instant::now(), seen, following })
    }

    /// The longest time without news since the watch began, that before the first and after the last included.
    pub async fn end(self) -> Result<Duration> {
        let end = Instant::now();
        self.following.abort();
        match self.following.await {
            Ok(error) => return Err(error.context("finality could not be watched to the end")),
            Err(error) if error.is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(longest_pause(self.start, &seen, end))
    }
}

fn longest_pause(start: Instant, seen: &[Instant], end: Instant) -> Duration {
    let from = std::iter::once(&start).chain(seen);
    let to = seen.iter().chain(std::iter::once(&end));
    from.zip(to).map(|(from, to)| to.saturating_duration_since(*from)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_may_be_the_first_one_between_or_the_last() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for (seen, end, expected) in [
            (vec![], 5, 5),
            (vec![4, 5, 6], 7, 4),
            (vec![1, 2, 8, 9], 10, 6),
            (vec![1, 2, 3], 20, 17),
            // The connection's first news is of what was final before.
            (vec![0, 1], 2, 1),
        ] {
            let seen: Vec<Instant> = seen.into_iter().map(at).collect();
            assert_eq!(longest_pause(start, &seen, at(end)), Duration::from_secs(expected));
        }
    }
}
