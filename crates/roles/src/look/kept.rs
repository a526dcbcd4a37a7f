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
}

struct State<T> {
    known: Option<(Instant, Arc<T>)>,
    /// Of the look under way.
    running: Option<watch::Receiver<Option<Outcome<T>>>>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new() -> Self {
        Self { state: Arc::new(Mutex::new(State { known: None, running: None })) }
    }

    /// What is known, looked up before if it has served its time. A look that lasts longer than `patience` goes on, also
    /// when whoever asked is gone; `None`: it is the first one.
    pub(super) async fn get<F>(
        &self,
        patience: Patience,
        look: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, Arc<StoreError>>
    where
        F: Future<Output = Looked<T>> + Send + 'static,
    {
        let (mut ended, older) = {
            let mut state = lock(&self.state);
            let older = state.known.clone();
            if let Some((_, fresh)) = older.as_ref().filter(|(until, _)| Instant::now() < *until) {
                return Ok(Some(Arc::clone(fresh)));
            }
            // One whose task is gone without a word is as if it had never begun.
            let running = state.running.take().filter(|running| running.has_changed().is_ok());
            let running = running.unwrap_or_else(|| self.begin(look()));
            state.running = Some(running.clone());
            (running, older.map(|(_, known)| known))
        };
        let longest = if older.is_some() { patience.for_a_newer } else { patience.for_the_first };
        let told = timeout(longest, ended.wait_for(Option::is_some)).await;
        match told {
            Ok(Ok(outcome)) => match &*outcome {
                Some(Ok(found)) => Ok(Some(Arc::clone(found))),
                Some(Err(error)) => Err(Arc::clone(error)),
                None => Ok(older),
            },
            Ok(Err(_)) | Err(_) => Ok(older),
        }
    }

    fn begin(&self, look: impl Future<Output = Looked<T>> + Send + 'static) -> watch::Receiver<Option<Outcome<T>>> {
        let (tell, ended) = watch::channel(None);
        let state = Arc::clone(&self.state);
        tokio::spawn(async move {
            let looked = look.await;
            let outcome = {
                let mut state = lock(&state);
                state.running = None;
                match looked {
                    Ok((found, serves)) => {
                        let found = Arc::new(found);
                        state.known = Some((Instant::now() + serves, Arc::clone(&found)));
                        Ok(found)
                    }
                    Err(error) => Err(Arc::new(error)),
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
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Semaphore;

    const PATIENT: Patience = Patience { for_the_first: Duration::from_secs(9), for_a_newer: Duration::from_secs(9) };
    const HASTY: Patience = Patience { for_the_first: Duration::from_millis(5), for_a_newer: Duration::from_millis(5) };

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

    #[tokio::test(start_paused = true)]
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

    #[tokio::test(start_paused = true)]
    async fn what_is_older_serves_those_who_will_not_wait() {
        let (kept, slow) = (Kept::new(), Slow::new());
        slow.may_end.add_permits(1);
        assert_eq!(slow.ask(&kept, PATIENT).await, Some(0));
        assert_eq!(slow.ask(&kept, HASTY).await, Some(0), "while a newer one is made");
        slow.may_end.add_permits(1);
        assert_eq!(slow.ask(&kept, PATIENT).await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_is_told_and_tried_again() {
        let kept = Kept::<u32>::new();
        let fails = || async { Err(StoreError::Missing { name: "ledger".to_owned() }) };
        assert!(matches!(kept.get(PATIENT, fails).await.unwrap_err().as_ref(), StoreError::Missing { .. }));
        let dies = || async { panic!("a look that ends without a word") };
        assert!(kept.get(PATIENT, dies).await.unwrap().is_none());
        let found = kept.get(PATIENT, || async { Ok((7, Duration::from_secs(1))) }).await;
        assert_eq!(found.unwrap().as_deref(), Some(&7));
    }
}
