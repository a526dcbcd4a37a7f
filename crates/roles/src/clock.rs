//! The clock by which all processes of a database go: the one place of this crate that reads the time of day.
//!
//! Hosts that share a database server judge each other by times: who is silent, whose lease has run out, what is due. So
//! a host whose clock is wrong goes by the server's; where nothing is shared, the host's own clock is as good as any.

use facilitator_store::{Store, StoreError};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the host's clock is behind that of the database server, milliseconds; ahead of it if negative.
static BEHIND_MS: AtomicI64 = AtomicI64::new(0);

/// What two clocks may differ by without being corrected: well below anything that hosts judge each other by.
const TOLERATED_MS: i64 = 500;

/// An answer that took longer tells nothing.
const LONGEST_ANSWER_MS: i64 = 2_000;

/// Time between two looks at the server's clock.
const LOOK: Duration = Duration::from_secs(30);

/// Looks without an answer after which that is said.
const UNKNOWN_LOOKS: u32 = 5;

/// Unix time in milliseconds, as the database server has it where there is one. A clock before 1970 reads as zero.
#[must_use]
pub fn now_ms() -> i64 {
    own_ms().saturating_add(BEHIND_MS.load(Ordering::Relaxed))
}

fn own_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    now.saturating_add(facilitator_kill::clock_shift_ms())
}

/// Looks at the clock of the database server, if there is one, and goes by it from now on.
///
/// # Errors
/// [`StoreError`] if it does not answer; then everything stays as it is.
pub async fn agree(store: &Store) -> Result<(), StoreError> {
    let asked = own_ms();
    let Some(server) = store.server_time_ms().await? else { return Ok(()) };
    let known = BEHIND_MS.load(Ordering::Relaxed);
    let found = behind(known, server, (asked, own_ms()));
    if found != known {
        BEHIND_MS.store(found, Ordering::Relaxed);
        tracing::warn!(
            behind_ms = found,
            "the clock of this host is not that of the database server, by which all instances go: correct the wrong one, e.g. by NTP"
        );
    }
    Ok(())
}

/// Keeps to the clock of the database server for as long as this process lives.
pub fn follow(store: Store) {
    tokio::spawn(async move {
        let mut unknown = 0_u32;
        loop {
            tokio::time::sleep(LOOK).await;
            let error = agree(&store).await.err();
            unknown = if error.is_some() { unknown.saturating_add(1) } else { 0 };
            if let Some(error) = error {
                tracing::debug!(%error, "the database did not tell the time");
                if unknown == UNKNOWN_LOOKS {
                    tracing::warn!(%error, "the database has not told the time for a while: this host goes by its own clock, corrected as it was");
                }
            }
        }
    });
}

/// How far the own clock is behind, where the server said `server_ms` between two looks at the own clock.
fn behind(known_ms: i64, server_ms: i64, (asked_ms, answered_ms): (i64, i64)) -> i64 {
    let (least, most) = (server_ms.saturating_sub(answered_ms), server_ms.saturating_sub(asked_ms));
    let took = answered_ms.saturating_sub(asked_ms);
    let fits = known_ms >= least.saturating_sub(TOLERATED_MS) && known_ms <= most.saturating_add(TOLERATED_MS);
    // A clock that was set meanwhile seems to have taken no time, or very long.
    if fits || !(0..=LONGEST_ANSWER_MS).contains(&took) { known_ms } else { least.midpoint(most) }
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn a_wrong_clock_is_corrected_and_one_that_is_nearly_right_is_left() {
        assert_eq!(behind(0, 60_000, (0, 10)), 59_995, "a minute behind");
        assert_eq!(behind(59_995, 60_300, (0, 10)), 59_995, "as good as before");
        assert_eq!(behind(59_995, 1_000, (990, 1_010)), 0, "it was set right");
        assert_eq!(behind(0, 40_000, (100_000, 100_010)), -60_005, "a minute ahead");
        assert_eq!(behind(0, 1_400, (1_000, 1_010)), 0, "well within what judgements can bear");
    }

    #[test]
    fn an_answer_that_took_long_or_a_jump_between_tells_nothing() {
        assert_eq!(behind(7, 60_000, (0, 3_000)), 7);
        assert_eq!(behind(7, 60_000, (10, 0)), 7);
    }
}
