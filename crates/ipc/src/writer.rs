//! Writes messages of one type to a pipe: one task per pipe behind a bounded queue.
//!
//! Invariants: frames never interleave, whoever sends; the queue is bounded in frames and in bytes; a message that
//! cannot be sent fails at its sender, not later in the task. Reader and writer are separate tasks, so two peers that
//! both write cannot block each other for ever.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bincode::Encode;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::codec::PREFIX;
use crate::{Frame, IpcError, MAX_FRAME, encode};

/// Most bytes that wait in one queue; every allowed frame fits.
pub const MAX_QUEUED_BYTES: usize = 2 * MAX_FRAME;

const _: () = assert!(MAX_QUEUED_BYTES >= MAX_FRAME + PREFIX && MAX_QUEUED_BYTES < u32::MAX as usize);

/// Frames that are written with one system call.
const BATCH: usize = 64;

/// Limits of one outgoing queue.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// Frames that may wait.
    pub frames: usize,
    /// Longest time in which the peer may read nothing while something waits for it; `None`: any time.
    pub stall: Option<Duration>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { frames: 256, stall: None }
    }
}

struct Queued {
    frame: Frame,
    /// Given back when the frame has been written.
    _room: OwnedSemaphorePermit,
}

/// The sending end of a pipe that carries messages of type `T`. Clones share the queue.
pub struct FrameSender<T> {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    message: PhantomData<fn(T)>,
}

impl<T> Clone for FrameSender<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), room: Arc::clone(&self.room), message: PhantomData }
    }
}

impl<T> std::fmt::Debug for FrameSender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameSender").field("free_frames", &self.queue.capacity()).finish_non_exhaustive()
    }
}

impl<T: Encode> FrameSender<T> {
    /// Queues a message, waiting for room. `Ok` means queued: the peer may still die before it reads it.
    ///
    /// # Errors
    /// [`IpcError::PeerGone`], [`IpcError::Oversize`], [`IpcError::Encode`].
    pub async fn send(&self, message: &T) -> Result<(), IpcError> {
        let frame = encode(message)?;
        let room = Arc::clone(&self.room).acquire_many_owned(bytes_of(&frame));
        let room = room.await.map_err(|_| IpcError::PeerGone)?;
        self.queue.send(Queued { frame, _room: room }).await.map_err(|_| IpcError::PeerGone)
    }

    /// Queues a message if there is room now. For a sender that must not wait for a slow peer.
    ///
    /// # Errors
    /// [`IpcError::Full`], and those of [`Self::send`].
    pub fn try_send(&self, message: &T) -> Result<(), IpcError> {
        self.try_queue(encode(message)?)
    }

    /// Tells the peer that this process lives, if there is room. One that reads nothing has no use for it.
    ///
    /// # Errors
    /// [`IpcError::Full`], [`IpcError::PeerGone`].
    pub fn beat(&self) -> Result<(), IpcError> {
        self.try_queue(Frame::beat())
    }

    fn try_queue(&self, frame: Frame) -> Result<(), IpcError> {
        let room =
            Arc::clone(&self.room).try_acquire_many_owned(bytes_of(&frame)).map_err(|refusal| match refusal {
                TryAcquireError::Closed => IpcError::PeerGone,
                TryAcquireError::NoPermits => IpcError::Full,
            })?;
        self.queue.try_send(Queued { frame, _room: room }).map_err(|refusal| match refusal {
            mpsc::error::TrySendError::Full(_) => IpcError::Full,
            mpsc::error::TrySendError::Closed(_) => IpcError::PeerGone,
        })
    }

    /// Whether the pipe is closed for writing.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

fn bytes_of(frame: &Frame) -> u32 {
    // `encode` allows no frame that does not fit; the assertion above keeps the limits apart.
    u32::try_from(frame.as_bytes().len()).unwrap_or(u32::MAX)
}

/// The task behind a [`FrameSender`].
#[derive(Debug)]
pub struct WriterTask {
    task: JoinHandle<Result<(), IpcError>>,
    closing: Arc<Notify>,
}

impl WriterTask {
    /// Takes no more messages, writes those that wait, closes the pipe.
    ///
    /// # Errors
    /// [`IpcError::PeerGone`], [`IpcError::Stalled`], [`IpcError::Io`]: messages may be lost.
    pub async fn finish(mut self) -> Result<(), IpcError> {
        self.closing.notify_one();
        self.ended().await
    }

    /// Gives up what waits and closes the pipe: the peer is known to be dead. Later sends fail.
    pub async fn abort(self) {
        self.task.abort();
        // Cancelled, or ended before that: either way it is over.
        let _over = self.task.await;
    }

    /// Waits until the task ended by itself: the last sender was dropped, or the pipe failed. Safe to cancel; not to
    /// be called again after it returned.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub async fn ended(&mut self) -> Result<(), IpcError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) => Err(IpcError::Io(std::io::Error::other(error))),
        }
    }
}

/// Starts the writing task of a pipe; `first` is written before everything else.
pub fn start_writer<T, W>(pipe: W, first: Option<Frame>, options: WriterOptions) -> (FrameSender<T>, WriterTask)
where
    T: Encode,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (queue, waiting) = mpsc::channel(options.frames.max(1));
    let room = Arc::new(Semaphore::new(MAX_QUEUED_BYTES));
    let closing = Arc::new(Notify::new());
    let writer = Writer { pipe, stall: options.stall };
    let (task_room, task_closing) = (CloseOnDrop(Arc::clone(&room)), Arc::clone(&closing));
    let task = tokio::spawn(async move {
        let _closed_at_the_end = task_room;
        writer.run(first, waiting, &task_closing).await
    });
    (FrameSender { queue, room, message: PhantomData }, WriterTask { task, closing })
}

/// Whoever waits for room when the task ends would wait for ever.
struct CloseOnDrop(Arc<Semaphore>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Writer<W> {
    pipe: W,
    stall: Option<Duration>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn run(
        mut self,
        first: Option<Frame>,
        mut waiting: mpsc::Receiver<Queued>,
        closing: &Notify,
    ) -> Result<(), IpcError> {
        if let Some(first) = first {
            self.write(first.as_bytes()).await?;
        }
        let mut batch = Vec::new();
        loop {
            let count = tokio::select! {
                biased;
                count = waiting.recv_many(&mut batch, BATCH) => count,
                () = closing.notified(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
            };
            if count == 0 {
                return Ok(());
            }
            self.write_batch(&batch).await?;
            batch.clear();
        }
    }

    async fn write_batch(&mut self, batch: &[Queued]) -> Result<(), IpcError> {
        if let [one] = batch {
            return self.write(one.frame.as_bytes()).await;
        }
        let length = batch.iter().map(|queued| queued.frame.as_bytes().len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        for queued in batch {
            bytes.extend_from_slice(queued.frame.as_bytes());
        }
        self.write(&bytes).await
    }

    /// Writes all; the stall limit runs anew with each piece that the peer makes room for.
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), IpcError> {
        while !bytes.is_empty() {
            let write = self.pipe.write(bytes);
            let written = match self.stall {
                None => write.await?,
                Some(limit) => tokio::time::timeout(limit, write).await.map_err(|_| stalled(limit))??,
            };
            if written == 0 {
                return Err(IpcError::PeerGone);
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }
}

fn stalled(limit: Duration) -> IpcError {
    IpcError::Stalled { waited_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;
    use tokio::io::duplex;

    use super::*;
    use crate::FrameReader;

    const STALL: Duration = Duration::from_millis(300);
    const SMALL: WriterOptions = WriterOptions { frames: 2, stall: Some(STALL) };

    #[tokio::test]
    async fn finish_writes_all_that_waits_and_closes() {
        let (near, far) = duplex(16);
        let (sender, task) = start_writer::<u32, _>(near, None, WriterOptions::default());
        for n in 0..100 {
            sender.try_send(&n).unwrap();
        }
        let read = tokio::spawn(async move {
            let mut reader = FrameReader::<u32, _>::new(far);
            let mut got = Vec::new();
            while let Some(n) = reader.next().await.unwrap() {
                got.push(n);
            }
            got
        });
        task.finish().await.unwrap();
        assert_eq!(read.await.unwrap(), (0..100).collect::<Vec<_>>());
        assert!(matches!(sender.try_send(&1), Err(IpcError::PeerGone)));
        assert!(matches!(sender.send(&1).await, Err(IpcError::PeerGone)));
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_fills_the_queue_then_stalls() {
        let (near, _far) = duplex(8);
        let (sender, mut task) = start_writer::<String, _>(near, None, SMALL);
        let message = "x".repeat(100);
        let start = Instant::now();
        sender.send(&message).await.unwrap();
        tokio::task::yield_now().await;
        assert!((0..3).any(|_| matches!(sender.try_send(&message), Err(IpcError::Full))));
        assert!(matches!(task.ended().await, Err(IpcError::Stalled { waited_ms: 300 })));
        assert!(start.elapsed() >= STALL, "given up after {:?}", start.elapsed());
        assert!(sender.is_closed());
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_bytes_too_and_room_comes_back() {
        let (near, far) = duplex(64 << 10);
        let (sender, _task) = start_writer::<String, _>(near, None, WriterOptions { frames: 64, stall: None });
        let large = "x".repeat(MAX_FRAME / 2);
        let refused = (0..8).find(|_| sender.try_send(&large).is_err()).unwrap();
        assert!((3..=4).contains(&refused), "{refused} frames of half the limit were queued");
        let waits = {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(&"late".to_owned()).await })
        };
        let mut reader = FrameReader::<String, _>::new(far);
        for _ in 0..refused {
            assert_eq!(reader.next().await.unwrap().unwrap().len(), large.len());
        }
        waits.await.unwrap().unwrap();
        assert_eq!(reader.next().await.unwrap().as_deref(), Some("late"));
    }

    #[tokio::test]
    async fn a_dead_peer_is_told_to_waiting_and_later_senders() {
        let (near, far) = duplex(8);
        let (sender, task) = start_writer::<String, _>(near, None, WriterOptions { frames: 1, stall: None });
        let senders = (0..4).map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move {
                let text = "x".repeat(64);
                loop {
                    if let Err(error) = sender.send(&text).await {
                        return error;
                    }
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        tokio::task::yield_now().await;
        drop(far);
        for sender in senders {
            assert!(matches!(sender.await.unwrap(), IpcError::PeerGone));
        }
        assert!(matches!(task.finish().await, Err(IpcError::PeerGone)));
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_not_waited_for_for_ever() {
        let (near, _far) = duplex(8);
        let (sender, _task) = start_writer::<String, _>(near, None, SMALL);
        let text = "x".repeat(64);
        let told = async {
            loop {
                if let Err(error) = sender.send(&text).await {
                    return error;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), told).await;
        assert!(matches!(told, Ok(IpcError::PeerGone)), "{told:?}");
    }

    #[tokio::test]
    async fn an_unsendable_message_fails_at_its_sender_and_harms_nobody() {
        let (near, far) = duplex(64);
        let (sender, task) = start_writer::<String, _>(near, None, WriterOptions::default());
        assert!(matches!(sender.send(&"x".repeat(MAX_FRAME)).await, Err(IpcError::Oversize { .. })));
        sender.send(&"fits".to_owned()).await.unwrap();
        task.finish().await.unwrap();
        assert_eq!(FrameReader::<String, _>::new(far).next().await.unwrap().as_deref(), Some("fits"));
    }
}
