//! The heartbeat of a child, which shows its parent that its loop still runs.
//!
//! It beats in the very task that does the work: a loop that spins, blocks or is stopped does not beat, and one that
//! awaits an answer does, for every call to a node has a limit of its own. Should an await never end all the same, the
//! beat stops once the loop has been [`busy`] with one thing for longer than all those limits together.
//!
//! A child has one loop on one thread, so where that stands is a thread's own.

use facilitator_ipc::FrameSender;
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Calls to a node that one pass of a loop makes one after the other, generously counted.
const CALLS_OF_A_PASS: u32 = 30;

/// What one pass may spend beside them: a database that is waited for, call data that is encoded.
const REST_OF_A_PASS: Duration = Duration::from_secs(120);

thread_local! {
    /// Since when the loop has been at the same thing; `None`: it waits for something to do.
    static BUSY_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The loop takes up something, or has come further with it.
pub(crate) fn busy() {
    BUSY_SINCE.set(Some(Instant::now()));
}

/// The loop has nothing to do and waits for a message or the clock: it may do so for ever.
pub(crate) fn idle() {
    BUSY_SINCE.set(None);
}

/// Longest time that a living loop is at the same thing, with a node that may take `call` for each answer.
pub(crate) const fn longest_pass(call: Duration) -> Duration {
    REST_OF_A_PASS.saturating_add(call.saturating_mul(CALLS_OF_A_PASS))
}

/// Does `work`, and beats towards the parent meanwhile: `every` so often, but not when it has been at the same thing for
/// longer than `longest`.
pub(crate) async fn beating<T, Out: bincode::Encode>(
    work: impl Future<Output = T>,
    parent: FrameSender<Out>,
    every: Duration,
    longest: Duration,
) -> T {
    let mut work = pin!(work);
    let mut beats = interval(every.max(Duration::from_millis(1)));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut mute = false;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = beats.tick() => {}
        }
        let stuck = BUSY_SINCE.get().is_some_and(|since| since.elapsed() > longest);
        if stuck && !mute {
            tracing::error!(for_s = longest.as_secs(), "at the same thing for too long: the heartbeat stops");
        }
        mute = stuck;
        if !stuck && let Err(error) = parent.beat() {
            tracing::debug!(%error, "a heartbeat was not delivered");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test says what cannot go wrong by panicking")]
mod tests {
    use super::*;
    use facilitator_ipc::{FrameReader, Sign, WriterOptions, start_writer};
    use tokio::io::{DuplexStream, duplex};

    const EVERY: Duration = Duration::from_secs(5);
    const LONGEST: Duration = Duration::from_secs(60);

    struct Ends {
        parent: FrameReader<u32, DuplexStream>,
        child: FrameSender<u32>,
        _writer: facilitator_ipc::WriterTask,
    }

    fn ends() -> Ends {
        let (near, far) = duplex(4096);
        let (child, writer) = start_writer(near, None, WriterOptions::default());
        Ends { parent: FrameReader::new(far), child, _writer: writer }
    }

    /// Beats within a time of the paused clock.
    async fn beats_within(parent: &mut FrameReader<u32, DuplexStream>, time: Duration) -> u32 {
        let mut beats = 0;
        let end = tokio::time::sleep(time);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                sign = parent.next_sign() => match sign {
                    Ok(Some(Sign::Beat)) => beats += 1,
                    other => panic!("{other:?}"),
                },
                () = &mut end => return beats,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_awaits_beats_and_its_result_comes_through() {
        let Ends { mut parent, child, _writer } = ends();
        let work = async {
            idle();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            7
        };
        let work = beating(work, child, EVERY, LONGEST);
        let (result, beats) = tokio::join!(work, beats_within(&mut parent, Duration::from_secs(3599)));
        assert_eq!((result, beats), (7, 720));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_never_gets_further_falls_silent_and_one_that_does_is_heard_again() {
        let Ends { mut parent, child, _writer } = ends();
        let work = async {
            busy();
            tokio::time::sleep(Duration::from_secs(200)).await;
            busy();
            tokio::time::sleep(Duration::from_secs(60)).await;
        };
        let work = beating(work, child, EVERY, LONGEST);
        let looking = async {
            let first = beats_within(&mut parent, Duration::from_secs(62)).await;
            let stuck = beats_within(&mut parent, Duration::from_secs(137)).await;
            let again = beats_within(&mut parent, Duration::from_secs(50)).await;
            (first, stuck, again)
        };
        let ((), (first, stuck, again)) = tokio::join!(work, looking);
        assert_eq!((first, stuck), (13, 0));
        assert!(again >= 9, "{again}");
    }

    #[tokio::test]
    async fn a_loop_that_blocks_does_not_beat() {
        let Ends { mut parent, child, _writer } = ends();
        let work = async {
            std::thread::sleep(Duration::from_millis(300));
        };
        beating(work, child, Duration::from_millis(10), LONGEST).await;
        let late = tokio::time::timeout(Duration::from_millis(20), parent.next_sign()).await;
        assert!(!matches!(late, Ok(Ok(Some(_)))), "{late:?}");
    }

    #[test]
    fn the_longest_pass_is_beyond_the_limits_of_its_calls_and_never_overflows() {
        assert_eq!(longest_pass(Duration::from_secs(10)), Duration::from_secs(420));
        assert_eq!(longest_pass(Duration::MAX), Duration::MAX);
    }
}
