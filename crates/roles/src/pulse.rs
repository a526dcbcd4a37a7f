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
use tokio::time::{Instant, sleep_until};

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

/// When a child beats: told the time, it knows no clock.
struct Pulse {
    every: Duration,
    longest: Duration,
    /// When it beats next, if it may.
    next: Instant,
    mute: bool,
}

impl Pulse {
    /// One that beats `every` so often from `start` on, but not when the loop has been at the same thing for longer than
    /// `longest`.
    fn new(start: Instant, every: Duration, longest: Duration) -> Self {
        Self { every: every.max(Duration::from_millis(1)), longest, next: start, mute: false }
    }

    /// Whether it beats now that its time has come; a late beat makes those after it late too.
    fn beats(&mut self, now: Instant, busy_since: Option<Instant>) -> bool {
        self.next = now + self.every;
        let stuck = busy_since.is_some_and(|since| now.saturating_duration_since(since) > self.longest);
        if stuck && !self.mute {
            tracing::error!(for_s = self.longest.as_secs(), "at the same thing for too long: the heartbeat stops");
        }
        self.mute = stuck;
        !stuck
    }
}

/// Does `work`, and beats towards the parent meanwhile: `every` so often, but not when it has been at the same thing for
/// longer than `longest`.
pub(crate) async fn beating<T, Out: bincode::Encode>(
    work: impl Future<Output = T>,
    parent: FrameSender<Out>,
    every: Duration,
    longest: Duration,
) -> T {
    beating_by(work, Pulse::new(Instant::now(), every, longest), || {
        if let Err(error) = parent.beat() {
            tracing::debug!(%error, "a heartbeat was not delivered");
        }
    })
    .await
}

/// Does `work`, and calls `beat` meanwhile whenever the pulse beats.
async fn beating_by<T>(work: impl Future<Output = T>, mut pulse: Pulse, beat: impl Fn()) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep_until(pulse.next) => {}
        }
        if pulse.beats(Instant::now(), BUSY_SINCE.get()) {
            beat();
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
    const SHORT: Duration = Duration::from_millis(1);

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

    /// How often it beats from one second to another, told the times at which it wants to be asked.
    fn beats_within(pulse: &mut Pulse, start: Instant, (from, to): (u64, u64), busy_since: Option<u64>) -> usize {
        let second = |number: u64| start + Duration::from_secs(number);
        let mut beats = 0;
        while pulse.next < second(to) {
            assert!(pulse.next >= second(from), "it beats too often");
            beats += usize::from(pulse.beats(pulse.next, busy_since.map(second)));
        }
        beats
    }

    #[test]
    fn one_that_waits_for_something_to_do_beats_for_ever() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, EVERY, LONGEST);
        assert_eq!(beats_within(&mut pulse, start, (0, 3599), None), 720);
    }

    #[test]
    fn one_that_never_gets_further_falls_silent_and_one_that_does_is_heard_again() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, EVERY, LONGEST);
        assert_eq!(beats_within(&mut pulse, start, (0, 62), Some(0)), 13);
        assert_eq!(beats_within(&mut pulse, start, (62, 200), Some(0)), 0);
        assert_eq!(beats_within(&mut pulse, start, (200, 250), Some(200)), 10);
    }

    #[test]
    fn what_is_late_is_not_made_up_for() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, EVERY, LONGEST);
        let late = start + Duration::from_secs(99);
        assert!(pulse.beats(late, None) && pulse.next == late + EVERY);
    }

    #[tokio::test]
    async fn a_loop_that_awaits_beats_towards_its_parent_and_its_result_comes_through() {
        let Ends { mut parent, child, _writer } = ends();
        let work = async {
            idle();
            for beat in 0..20 {
                let sign = parent.next_sign().await;
                assert!(matches!(sign, Ok(Some(Sign::Beat))), "{beat}: {sign:?}");
            }
            7
        };
        let start = Instant::now();
        assert_eq!(beating(work, child, SHORT, Duration::ZERO).await, 7);
        assert!(start.elapsed() >= SHORT * 19, "it beats too often: {:?}", start.elapsed());
    }

    #[tokio::test]
    async fn where_the_loop_stands_is_what_it_has_said_last() {
        let longest = Duration::from_millis(20);
        let heard = Cell::new(0);
        let until_heard = async |said: fn()| {
            let before = heard.get();
            while heard.get() == before {
                said();
                tokio::time::sleep(SHORT).await;
            }
        };
        let work = async {
            until_heard(idle).await;
            until_heard(busy).await;
            busy();
            std::thread::sleep(longest * 2);
            let before = heard.get();
            tokio::time::sleep(longest * 2).await;
            assert_eq!(heard.get(), before, "it beats though it never gets further");
            until_heard(busy).await;
            idle();
            std::thread::sleep(longest * 2);
            until_heard(|| ()).await;
        };
        beating_by(work, Pulse::new(Instant::now(), SHORT, longest), || heard.set(heard.get() + 1)).await;
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
