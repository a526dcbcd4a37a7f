//! What a follower has asked and waits for.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

type Task<'s, T> = Pin<Box<dyn Future<Output = T> + 's>>;

/// Futures under way, few enough to be polled all at each wake-up.
pub(super) struct Tasks<'s, T> {
    tasks: Vec<Task<'s, T>>,
}

impl<'s, T> Tasks<'s, T> {
    pub(super) const fn new() -> Self {
        Self { tasks: Vec::new() }
    }

    pub(super) fn add(&mut self, task: impl Future<Output = T> + 's) {
        self.tasks.push(Box::pin(task));
    }

    /// The outcome of the first one to be done; never without any. Cancel-safe.
    pub(super) async fn next(&mut self) -> T {
        poll_fn(|cx| {
            for index in 0..self.tasks.len() {
                if let Some(task) = self.tasks.get_mut(index)
                    && let Poll::Ready(done) = task.as_mut().poll(cx)
                {
                    drop(self.tasks.swap_remove(index));
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }
}
