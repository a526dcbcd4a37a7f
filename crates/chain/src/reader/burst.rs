//! Who asks in one breath.

use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

/// How long to gather.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// A burst ends when nobody has come for so long: of one who seems to be alone,
    pub(super) alone: Duration,
    /// and of several.
    pub(super) among_others: Duration,
    /// It ends after so long, whoever still comes.
    pub(super) longest: Duration,
}

/// Hands `first`, and all that come behind it in one burst, to `take`, until that says that it is full. Tells how many
/// came; `before` is how many that were the last time.
pub(super) async fn burst<T>(
    first: T,
    queue: &mut mpsc::Receiver<T>,
    pace: Pace,
    before: usize,
    mut take: impl FnMut(T) -> bool + Send,
) -> usize {
    let end = Instant::now() + pace.longest;
    let mut is_full = take(first);
    let mut count = 1;
    while !is_full {
        let pause = if count.max(before) > 1 { pace.among_others } else { pace.alone };
        let left = end.saturating_duration_since(Instant::now());
        // What has come already is part of it, however late it is.
        match timeout(pause.min(left), queue.recv()).await {
            Ok(Some(next)) => is_full = take(next),
            Ok(None) | Err(_) => break,
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

    use super::*;
    use tokio::time::sleep;

    const NEVER: Duration = Duration::from_secs(3600);

    async fn gathered(queue: &mut mpsc::Receiver<u32>, pace: Pace, before: usize, most: usize) -> Vec<u32> {
        let mut all = Vec::new();
        let first = queue.recv().await.unwrap();
        burst(first, queue, pace, before, |one| {
            all.push(one);
            all.len() >= most
        })
        .await;
        all
    }

    #[tokio::test]
    async fn whoever_comes_within_the_pause_belongs_to_it_however_long_all_take_together() {
        let (sender, mut queue) = mpsc::channel(9);
        tokio::spawn(async move {
            for one in 0..4 {
                sender.send(one).await.unwrap();
                sleep(Duration::from_millis(300)).await;
            }
            // Nobody comes any more, but somebody could.
            sleep(NEVER).await;
        });
        let pace = Pace { alone: Duration::from_millis(1), among_others: Duration::from_secs(1), longest: NEVER };
        assert_eq!(gathered(&mut queue, pace, 2, usize::MAX).await, [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn it_ends_after_the_longest_time_although_more_come() {
        let (sender, mut queue) = mpsc::channel(9);
        tokio::spawn(async move {
            for one in 0.. {
                if sender.send(one).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let pace = Pace { alone: NEVER, among_others: NEVER, longest: Duration::from_millis(50) };
        assert_eq!(gathered(&mut queue, pace, 1, usize::MAX).await[0], 0);
    }

    #[tokio::test]
    async fn it_ends_when_it_is_full_and_the_rest_is_the_next_one() {
        let (sender, mut queue) = mpsc::channel(9);
        for one in 0..5 {
            sender.send(one).await.unwrap();
        }
        drop(sender);
        let pace = Pace { alone: NEVER, among_others: NEVER, longest: NEVER };
        assert_eq!(gathered(&mut queue, pace, 1, 3).await, [0, 1, 2]);
        assert_eq!(gathered(&mut queue, pace, 1, 3).await, [3, 4], "none can come any more");
    }

    #[tokio::test]
    async fn whoever_is_alone_waits_for_nobody() {
        let (sender, mut queue) = mpsc::channel(9);
        sender.send(7).await.unwrap();
        let pace = Pace { alone: Duration::from_millis(1), among_others: NEVER, longest: NEVER };
        assert_eq!(gathered(&mut queue, pace, 1, usize::MAX).await, [7]);
        drop(sender);
    }
}
