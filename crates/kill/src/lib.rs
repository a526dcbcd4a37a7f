//! Kill points: named places at which a process may be made to die, for tests of law 7. And a wall clock that may be
//! made to jump while everything runs.
//!
//! A kill point stands before and after every write and every effect that leaves a process. In the shipped program it
//! is nothing: [`here`] is empty unless the feature `armed` is on. Armed, the process kills itself with SIGKILL at the
//! point that the environment names, so that no destructor, no flush and no handler runs.
//!
//! The list of points is read from the source itself, so a new one without a scenario can't be forgotten.

/// Variable that names the point to die at, and at which of its visits: `sender.signed` or `sender.signed:3`.
pub const AT: &str = "FACILITATOR_KILL_AT";

/// Variable that names a file: it is made at the first death, and while it is there nobody dies any more. So a process
/// that is started again gets past the point.
pub const ONCE: &str = "FACILITATOR_KILL_ONCE";

/// Variable with a text: the process then panics at its point instead of vanishing, and says this text, as a mistake in
/// the program might say a value that the process holds.
pub const PANIC: &str = "FACILITATOR_KILL_PANIC";

/// Variable that names a file with a number of milliseconds by which the wall clock is wrong, read at every look at it.
pub const CLOCK: &str = "FACILITATOR_CLOCK_SHIFT";

/// The variables that children must inherit for their kill points to be real; none in the shipped program.
pub const VARIABLES: &[&str] = if cfg!(feature = "armed") { &[AT, ONCE, PANIC, CLOCK] } else { &[] };

/// Marks a kill point. Its name is `role.what_has_just_happened` and stands once in the source.
#[macro_export]
macro_rules! kill_point {
    ($name:literal) => {
        $crate::here($name)
    };
}

/// Nothing: the program as it is shipped.
#[cfg(not(feature = "armed"))]
#[inline(always)]
pub const fn here(_name: &str) {}

/// By how many milliseconds the wall clock is to be wrong: not at all in the program as it is shipped.
#[cfg(not(feature = "armed"))]
#[must_use]
#[inline(always)]
pub const fn clock_shift_ms() -> i64 {
    0
}

#[cfg(feature = "armed")]
pub use armed::{clock_shift_ms, here};

#[cfg(feature = "armed")]
mod armed {
    //! The armed form.

    use super::{AT, CLOCK, ONCE, PANIC};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::fs::OpenOptions;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Order {
        point: String,
        visit: u64,
        once: Option<String>,
    }

    static ORDER: OnceLock<Option<Order>> = OnceLock::new();
    static VISITS: AtomicU64 = AtomicU64::new(0);

    fn order() -> Option<Order> {
        let text = std::env::var(AT).ok()?;
        let (point, visit) = match text.split_once(':') {
            Some((point, visit)) => (point.to_owned(), visit.parse().ok()?),
            None => (text, 1),
        };
        Some(Order { point, visit, once: std::env::var(ONCE).ok() })
    }

    /// By how many milliseconds the wall clock is to be wrong now. A file that can't be read says nothing.
    #[must_use]
    pub fn clock_shift_ms() -> i64 {
        static FILE: OnceLock<Option<String>> = OnceLock::new();
        let file = FILE.get_or_init(|| std::env::var(CLOCK).ok()).as_ref();
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Dies here if the environment says so.
    #[allow(clippy::panic, reason = "a panic is what a test asks for")]
    pub fn here(name: &str) {
        let Some(order) = ORDER.get_or_init(order) else { return };
        if order.point != name || VISITS.fetch_add(1, Ordering::Relaxed) + 1 != order.visit {
            return;
        }
        let first = |file: &String| OpenOptions::new().write(true).create_new(true).open(file).is_ok();
        if order.once.as_ref().is_none_or(first) {
            if let Ok(text) = std::env::var(PANIC) {
                panic!("at {name}: {text}");
            }
            // SIGKILL to oneself is delivered before the call returns.
            let _never_returns = kill(Pid::this(), Signal::SIGKILL);
        }
    }
}
