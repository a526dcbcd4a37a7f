//! What was looked up and serves for a while; one look at a time, which goes on whoever waits for it.

use facilitator_store::StoreError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// What a look brings: the thing and for how long it serves, or why there is none.
pub(super) type Looked<T> = Result<(T, Duration), StoreError>;

/// The same for all who wait for it.
type Outcome<T> = Result<Arc<T>, Arc<StoreError>>;

/// How long somebody waits for a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// While there is nothing older.
    pub(super) for_the_first: Duration,
    /// While there is something older, which is taken then.
    pub(super) for_a_newer: Duration,
}

/// A thing that is looked up when it is wanted and what is known has served its time.
pub(super) struct Kept<T> {
    state: Arc<Mutex<State<T>>>,
    /// For how many times as long as it took a look that failed is not tried again.
    rest: u32,
    /// By which it is known how long something lasts and serves.
    clock: fn() -> Instant,
}

struct State<T> {
    /// What was found last, and until when it serves.
    known: Option<(Instant, Arc<T>)>,
    /// Why the last look failed, and until when none begins; `None` if it did not.
    failed: Option<(Instant, Arc<StoreError>)>,
    /// Of the look under way.
    running: Option<watch::Receiver<Option<Outcome<T>>>>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    /// One that is looked up again at once when a look failed.
    pub(super) fn new() -> Self {
        Self::resting(0)
    }

    /// One that rests for so many times as long as a look took that failed.
    pub(super) fn resting(rest: u32) -> Self {
        Self::by(Instant::now, rest)
    }

    fn by(clock: fn() -> Instant, rest: u32) -> Self {
        Self { state: Arc::new(Mutex::new(State { known: None, failed: None, running: None })), rest, clock }
    }

    /// What is known, looked up before if it has served its time. A look that lasts longer than `patience` goes on, also
    /// when whoever asked is gone; `None`: nothing is known yet, and nothing has failed.
    ///
    /// # Errors
    /// Why the look that was waited for failed, or the last one if the next has not begun or lasts. Whoever has no
    /// patience takes what is older, if there is anything.
    pub(super) async fn get<F>(
        &self,
        patience: Patience,
        look: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, Arc<StoreError>>
    where
        F: Future<Output = Looked<T>> + Send + 'static,
    {
        let (mut ended, older, failed) = {
            let mut state = lock(&self.state);
            let (now, failed) = ((self.clock)(), state.failed.clone());
            if let Some((_, fresh)) = state.known.as_ref().filter(|(until, _)| now < *until) {
                return Ok(Some(Arc::clone(fresh)));
            }
            let older = state.known.as_ref().map(|(_, known)| Arc::clone(known));
            if let Some((_, error)) = failed.as_ref().filter(|(until, _)| now < *until) {
                return match older {
                    Some(known) if patience.for_a_newer.is_zero() => Ok(Some(known)),
                    Some(_) | None => Err(Arc::clone(error)),
                };
            }
            // One whose task is gone without a word is as if it had never begun.
            let running = state.running.take().filter(|running| running.has_changed().is_ok());
            let running = running.unwrap_or_else(|| self.begin(look()));
            state.running = Some(running.clone());
            (running, older, failed.map(|(_, error)| error))
        };
        let longest = if older.is_some() { patience.for_a_newer } else { patience.for_the_first };
        let told = timeout(longest, ended.wait_for(Option::is_some)).await;
        match told {
            Ok(Ok(outcome)) => match &*outcome {
                Some(Ok(found)) => Ok(Some(Arc::clone(found))),
                Some(Err(error)) => Err(Arc::clone(error)),
                None => Ok(older),
            },
            Ok(Err(_)) => Ok(older),
            Err(_) => match (older, failed) {
                (None, Some(error)) => Err(error),
                (older, _) => Ok(older),
            },
        }
    }

    fn begin(&self, look: impl Future<Output = Looked<T>> + Send + 'static) -> watch::Receiver<Option<Outcome<T>>> {
        let (tell, ended) = watch::channel(None);
        let (state, rest, clock) = (Arc::clone(&self.state), self.rest, self.clock);
        tokio::spawn(async move {
            let began = clock();
            let looked = look.await;
            let ended = clock();
            let outcome = {
                let mut state = lock(&state);
                state.running = None;
                match looked {
                    Ok((found, serves)) => {
                        let found = Arc::new(found);
                        state.known = Some((ended + serves, Arc::clone(&found)));
                        state.failed = None;
                        Ok(found)
                    }
                    Err(error) => {
                        let error = Arc::new(error);
                        let pause = ended.duration_since(began).saturating_mul(rest);
                        state.failed = Some((ended + pause, Arc::clone(&error)));
                        Err(error)
                    }
                }
            };
            // Nobody may wait for it any more.
            tell.send_replace(Some(outcome));
        });
        ended
    }
}

/// Nothing that panics is done under the lock.
fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    /// What it waits for comes at once, however long that takes on this machine.
    const PATIENT: Patience = Patience { for_the_first: Duration::from_secs(60), for_a_newer: Duration::from_secs(60) };
    /// What it waits for does not come before it is gone.
    const HASTY: Patience = Patience { for_the_first: Duration::from_millis(5), for_a_newer: Duration::from_millis(5) };
    const NOT_AT_ALL: Patience = Patience { for_the_first: Duration::ZERO, for_a_newer: Duration::ZERO };

    /// Looks that end when they may; each finds how many began before it.
    struct Slow {
        begun: AtomicU32,
        may_end: Semaphore,
    }

    impl Slow {
        fn new() -> Arc<Self> {
            Arc::new(Self { begun: AtomicU32::new(0), may_end: Semaphore::new(0) })
        }

        async fn look(self: Arc<Self>) -> Looked<u32> {
            let before = self.begun.fetch_add(1, Ordering::SeqCst);
            self.may_end.acquire().await.unwrap().forget();
            Ok((before, Duration::ZERO))
        }

        async fn ask(self: &Arc<Self>, kept: &Kept<u32>, patience: Patience) -> Option<u32> {
            kept.get(patience, || Arc::clone(self).look()).await.unwrap().map(|found| *found)
        }
    }

    #[tokio::test]
    async fn a_look_outlives_whoever_hangs_up_and_serves_the_next_one() {
        let (kept, slow) = (Kept::new(), Slow::new());
        for _ in 0..3 {
            assert_eq!(slow.ask(&kept, HASTY).await, None, "nothing is known yet");
            // The asking future is dropped in the middle, as a connection that ends drops it.
            let asking = slow.ask(&kept, PATIENT);
            assert!(timeout(Duration::from_millis(5), asking).await.is_err());
        }
        assert_eq!(slow.begun.load(Ordering::SeqCst), 1, "each of those who came found the same look under way");
        slow.may_end.add_permits(1);
        assert_eq!(slow.ask(&kept, PATIENT).await, Some(0));
    }

    #[tokio::test]
    async fn what_is_older_serves_those_who_will_not_wait() {
        let (kept, slow) = (Kept::new(), Slow::new());
        slow.may_end.add_permits(1);
        assert_eq!(slow.ask(&kept, PATIENT).await, Some(0));
        assert_eq!(slow.ask(&kept, HASTY).await, Some(0), "while a newer one is made");
        slow.may_end.add_permits(1);
        assert_eq!(slow.ask(&kept, PATIENT).await, Some(1));
    }

    #[tokio::test]
    async fn a_look_that_fails_is_told_and_tried_again() {
        let kept = Kept::<u32>::new();
        let fails = || async { Err(StoreError::Missing { name: "ledger".to_owned() }) };
        assert!(matches!(kept.get(PATIENT, fails).await.unwrap_err().as_ref(), StoreError::Missing { .. }));
        let dies = || async { panic!("a look that ends without a word") };
        assert!(kept.get(PATIENT, dies).await.unwrap().is_none());
        let found = kept.get(PATIENT, || async { Ok((7, Duration::from_secs(1))) }).await;
        assert_eq!(found.unwrap().as_deref(), Some(&7));
    }

    thread_local! {
        static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    /// A clock that stands still; each test has its own thread, on which its tasks run too.
    fn now() -> Instant {
        let now = NOW.get().unwrap_or_else(Instant::now);
        NOW.set(Some(now));
        now
    }

    fn pass(seconds: f64) {
        NOW.set(Some(now() + Duration::from_secs_f64(seconds)));
    }

    #[tokio::test]
    async fn a_look_that_failed_rests_and_is_told_meanwhile_unless_something_older_is_known() {
        let (kept, begun, may_end) = (Kept::<u32>::by(now, 20), AtomicU32::new(0), Arc::new(Semaphore::new(0)));
        let fails = || {
            begun.fetch_add(1, Ordering::SeqCst);
            let may_end = Arc::clone(&may_end);
            async move {
                may_end.acquire().await.unwrap().forget();
                Err(StoreError::Missing { name: "ledger".to_owned() })
            }
        };
        let begun = || begun.load(Ordering::SeqCst);
        // The look under way ends, having lasted for a second.
        let ends = async || {
            // It begins before that.
            yield_now().await;
            pass(1.0);
            may_end.add_permits(1);
            while lock(&kept.state).running.is_some() {
                yield_now().await;
            }
        };
        assert!(kept.get(NOT_AT_ALL, fails).await.unwrap().is_none(), "the first one lasts");
        ends().await;
        for passes in [0.0, 1.0, 18.9] {
            pass(passes);
            assert!(kept.get(NOT_AT_ALL, fails).await.is_err());
            assert!(kept.get(PATIENT, fails).await.is_err());
        }
        assert_eq!(begun(), 1, "it rests twenty times as long as it took");
        pass(0.1);
        assert!(kept.get(NOT_AT_ALL, fails).await.is_err(), "why the last one failed, while the next one lasts");
        assert_eq!(begun(), 2);
        ends().await;
        pass(20.0);
        let found = kept.get(PATIENT, || async { Ok((7, Duration::from_secs(1))) }).await;
        assert_eq!(found.unwrap().as_deref(), Some(&7));
        pass(0.9);
        assert_eq!(kept.get(NOT_AT_ALL, fails).await.unwrap().as_deref(), Some(&7));
        assert_eq!(begun(), 2, "it serves for as long as it was said to");
        pass(0.1);
        for _ in 0..2 {
            let older = kept.get(NOT_AT_ALL, fails).await;
            assert_eq!(older.unwrap().as_deref(), Some(&7), "what is older serves those who will not wait");
            if lock(&kept.state).running.is_some() {
                ends().await;
            }
        }
        assert!(kept.get(PATIENT, fails).await.is_err());
        assert_eq!(begun(), 3);
    }
}
