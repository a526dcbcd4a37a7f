//! One task per child: reads its messages, waits for its end, carries out orders, enforces limits.
//!
//! Invariants: the task alone knows the truth about its child and tells it in order: at most one `Ready`, messages,
//! exactly one `Ended`, and the process has been waited for by then. Messages that the child wrote before its death
//! arrive. A slow receiver of events slows the child down (its pipe fills), never grows a queue, never delays an order.
//!
//! Left alone: whether a child that ended is started again (see [`crate::RestartHistory`]).

use std::time::Duration;

use bincode::{Decode, Encode};
use facilitator_ipc::{FrameReader, FrameSender, IpcError, Sign, WriterOptions, WriterTask, start_writer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdout};
use tokio::sync::{mpsc, watch as order_channel};
use tokio::time::{Instant, sleep_until};

use crate::heard::Heard;
use crate::{Cause, End, Event, Exit, Patience, Spawned, StreamEnd};

/// Limits on one child.
#[derive(Debug, Clone, Copy)]
pub struct WatchOptions {
    /// Protocol version that the child must speak.
    pub version: u32,
    /// Time until its hello.
    pub hello_within: Duration,
    /// Longest time afterwards without a message or a heartbeat; `None` for a child that may be silent. Only time in
    /// which this process ran is counted ([`Patience`]).
    pub silence: Option<Duration>,
    /// Time to end after it closed its pipe, or after its handle was dropped.
    pub linger: Duration,
    /// Time to read what is left in the pipe after its end.
    pub drain: Duration,
    /// Limits of what waits to be sent to it.
    pub writer: WriterOptions,
}

impl WatchOptions {
    /// Usual limits.
    pub fn new(version: u32) -> Self {
        Self {
            version,
            hello_within: Duration::from_secs(10),
            silence: None,
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(1),
            writer: WriterOptions { stall: Some(Duration::from_secs(30)), ..WriterOptions::default() },
        }
    }
}

/// How a child is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A message has told it already: only wait.
    Await,
    /// With SIGTERM.
    Terminate,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Run,
    Stop { stop: Stop, deadline: Instant },
}

/// The parent's hold on a child: send it messages, stop it. Dropping it closes the child's input, which tells the
/// child to end, and kills it after [`WatchOptions::linger`].
#[derive(Debug)]
pub struct ChildHandle<Out> {
    /// Process id of the child.
    pub pid: u32,
    sender: FrameSender<Out>,
    orders: order_channel::Sender<Order>,
    heard: Heard,
}

impl<Out: Encode> ChildHandle<Out> {
    /// Sends a message without waiting; may be called before the child is ready.
    ///
    /// # Errors
    /// [`IpcError::Full`] if the child reads too slowly, [`IpcError::PeerGone`] if it has ended (its event follows),
    /// [`IpcError::Oversize`], [`IpcError::Encode`].
    pub fn send(&self, message: &Out) -> Result<(), IpcError> {
        self.sender.try_send(message)
    }

    /// A sender to hand to somebody who may wait for room. Keeps the child's input open while it lives.
    pub fn sender(&self) -> FrameSender<Out> {
        self.sender.clone()
    }

    /// How long the child has shown no sign of life: no message and no heartbeat.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        self.heard.ago()
    }

    /// Asks the child to end, and kills it if it has not done so `within` this time. Zero kills at once. A later
    /// order replaces an earlier one.
    pub fn stop(&self, stop: Stop, within: Duration) {
        let deadline = Instant::now() + within;
        // Without a listener the child has ended already.
        self.orders.send_replace(Order::Stop { stop, deadline });
    }
}

/// Takes charge of a child that was started as `role`: its events come as `key` through `events`.
pub fn watch<K, Out, In>(
    spawned: Spawned,
    role: &'static str,
    key: K,
    events: mpsc::Sender<Event<K, In>>,
    options: WatchOptions,
) -> ChildHandle<Out>
where
    K: Clone + Send + 'static,
    Out: Encode + 'static,
    In: Decode<()> + Send + 'static,
{
    let pid = spawned.process.id().unwrap_or_default();
    let (sender, writer) = start_writer(spawned.to_child, None, options.writer);
    let (order_sender, orders) = order_channel::channel(Order::Run);
    let now = Instant::now();
    let heard = Heard::since(now);
    let unit = Unit {
        heard: heard.clone(),
        role,
        options,
        pid,
        started: spawned.started.into(),
        process: spawned.process,
        reader: FrameReader::new(spawned.from_child),
        writer: Some(writer),
        orders: Some(orders),
        greeted: false,
        exit: None,
        stream: None,
        cause: None,
        kill_at: None,
        untold: None,
        patience: Some(Patience::new(options.hello_within, now)),
    };
    tokio::spawn(unit.run(key, events));
    ChildHandle { pid, sender, orders: order_sender, heard }
}

/// Something read from the child.
enum Read<In> {
    Hello,
    Message(In),
    Beat,
}

struct Unit<In> {
    role: &'static str,
    options: WatchOptions,
    pid: u32,
    started: Instant,
    process: Child,
    reader: FrameReader<In, ChildStdout>,
    /// Until it ended.
    writer: Option<WriterTask>,
    /// Until the handle was dropped.
    orders: Option<order_channel::Receiver<Order>>,
    greeted: bool,
    exit: Option<Exit>,
    stream: Option<StreamEnd>,
    /// The first cause stands: what follows from it is not another one.
    cause: Option<Cause>,
    /// When to kill the child, and the cause if nothing else was one before.
    kill_at: Option<(Instant, Cause)>,
    /// What was read and waits for a place among the events.
    untold: Option<Read<In>>,
    heard: Heard,
    /// With a child that is to say hello, then with one that is silent, then with the pipe of a dead one. It runs only
    /// while nothing but the child keeps a message from being read.
    patience: Option<Patience>,
}

impl<In: Decode<()> + Send + 'static> Unit<In> {
    async fn run<K: Clone>(mut self, key: K, events: mpsc::Sender<Event<K, In>>) {
        while self.exit.is_none() || self.stream.is_none() || self.untold.is_some() {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                order = next_order(&mut self.orders) => self.obey(order),
                status = self.process.wait(), if self.exit.is_none() => self.exited(status),
                result = writer_end(&mut self.writer) => self.writer_ended(result),
                // A place in the channel is taken only for an event that is there: idle children share it.
                free = events.reserve(), if self.untold.is_some() => match free {
                    Ok(free) => {
                        if let Some(event) = self.tell(&key) {
                            free.send(event);
                        }
                    }
                    Err(_) => { self.forsaken(); break }
                },
                () = events.closed() => { self.forsaken(); break }
                read = read(&mut self.reader, self.greeted, self.options.version, self.role), if self.is_reading() =>
                    self.took(read),
                () = sleep_until(wake_at.unwrap_or(self.started)), if wake_at.is_some() => self.time_passed(),
            }
            // A read from the pipe brings thousands of heartbeats, which cost no further wait: others have their turn.
            tokio::task::consume_budget().await;
        }
        let end = self.finish().await;
        // A receiver that is gone wants to know nothing.
        let _unwanted = events.send(Event::Ended { key, end }).await;
    }

    fn tell<K: Clone>(&mut self, key: &K) -> Option<Event<K, In>> {
        self.heard();
        let (key, pid) = (key.clone(), self.pid);
        self.untold.take().and_then(|read| match read {
            Read::Hello => Some(Event::Ready { key, pid }),
            Read::Message(message) => Some(Event::Message { key, message }),
            Read::Beat => None,
        })
    }

    /// Whether the next message is waited for: the one before has been told.
    fn is_reading(&self) -> bool {
        self.untold.is_none() && self.stream.is_none()
    }

    /// The next moment at which something is due by the clock alone.
    fn wake_at(&self) -> Option<Instant> {
        let patience = self.patience.filter(|_| self.is_reading()).map(|patience| patience.wake_at());
        let limits = [self.kill_at.as_ref().map(|(at, _)| *at), patience];
        limits.into_iter().flatten().min()
    }

    /// The child gave a sign of life, or could not.
    fn heard(&mut self) {
        self.heard.now();
        if let Some(patience) = &mut self.patience {
            patience.renew(Instant::now());
        }
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        if self.is_reading() && self.patience.as_mut().is_some_and(|patience| patience.is_over(now)) {
            match (self.exit, self.greeted) {
                (Some(_), _) => self.stream = Some(StreamEnd::HeldOpen),
                (None, true) => self.kill(Cause::Silent),
                (None, false) => self.kill(Cause::NoHello),
            }
        }
        if self.kill_at.as_ref().is_some_and(|(at, _)| *at <= now)
            && let Some((_, cause)) = self.kill_at.take()
        {
            self.kill(cause);
        }
    }

    fn obey(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Run) => {}
            Some(Order::Stop { stop, deadline }) => {
                self.blame(Cause::Stopped);
                self.kill_at = Some((deadline, Cause::Stopped));
                if stop == Stop::Terminate {
                    self.terminate();
                }
            }
            None => {
                self.orders = None;
                self.blame(Cause::Dropped);
                self.allow_linger(Cause::Dropped);
            }
        }
    }

    /// Lets the child end by itself for a while, unless it is to be killed sooner.
    fn allow_linger(&mut self, cause: Cause) {
        let at = Instant::now() + self.options.linger;
        if self.kill_at.as_ref().is_none_or(|(earlier, _)| at < *earlier) {
            self.kill_at = Some((at, cause));
        }
    }

    fn terminate(&self) {
        // The id is known only while the process has not been waited for, so it cannot be another's.
        if let Some(pid) = self.process.id().and_then(|id| i32::try_from(id).ok()) {
            let _ended_meanwhile = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }

    /// Notes the cause of an end that has not come yet, unless there is one already.
    fn blame(&mut self, cause: Cause) {
        if self.exit.is_none() {
            self.cause.get_or_insert(cause);
        }
    }

    fn kill(&mut self, cause: Cause) {
        self.blame(cause);
        self.kill_at = None;
        // It fails only if the process has ended meanwhile.
        let _ended_meanwhile = self.process.start_kill();
        // Not again before the end has been seen.
        self.patience = None;
    }

    fn forsaken(&mut self) {
        self.kill(Cause::Dropped);
        self.stream.get_or_insert(StreamEnd::HeldOpen);
    }

    fn exited(&mut self, status: std::io::Result<std::process::ExitStatus>) {
        self.exit = Some(status.map_or(Exit::Unknown, Exit::from));
        self.kill_at = None;
        self.patience = Some(Patience::new(self.options.drain, Instant::now()));
    }

    fn writer_ended(&mut self, result: Result<(), IpcError>) {
        self.writer = None;
        if let Err(stalled @ IpcError::Stalled { .. }) = result {
            self.kill(Cause::Protocol(stalled));
        }
        // A peer that is gone shows as end of file and as an exit.
    }

    /// Takes in what was read.
    fn took(&mut self, read: Result<Option<Read<In>>, IpcError>) {
        match read {
            Ok(Some(Read::Beat)) => self.heard(),
            Ok(Some(Read::Hello)) => {
                self.greeted();
                self.untold = Some(Read::Hello);
            }
            Ok(Some(message @ Read::Message(_))) => self.untold = Some(message),
            Ok(None) | Err(IpcError::NoHello) => self.stream_ended(StreamEnd::Clean),
            Err(IpcError::Torn { .. }) => self.stream_ended(StreamEnd::Torn),
            Err(error) => {
                self.stream = Some(StreamEnd::Broken);
                self.kill(Cause::Protocol(error));
            }
        }
    }

    fn greeted(&mut self) {
        self.greeted = true;
        // A child that was killed meanwhile stays so.
        let silence = self.options.silence.filter(|_| self.patience.is_some());
        self.patience = silence.map(|silence| Patience::new(silence, Instant::now()));
    }

    fn stream_ended(&mut self, end: StreamEnd) {
        self.stream = Some(end);
        if self.exit.is_none() {
            self.allow_linger(Cause::ClosedPipe);
        }
    }

    async fn finish(mut self) -> End {
        let exit = match self.exit {
            Some(exit) => exit,
            None => self.process.wait().await.map_or(Exit::Unknown, Exit::from),
        };
        if let Some(writer) = self.writer.take() {
            writer.abort().await;
        }
        End {
            pid: self.pid,
            exit,
            cause: self.cause.unwrap_or(Cause::Itself),
            stream: self.stream.unwrap_or(StreamEnd::HeldOpen),
            lived: self.started.elapsed(),
        }
    }
}

async fn read<In: Decode<()>>(
    reader: &mut FrameReader<In, ChildStdout>,
    greeted: bool,
    version: u32,
    role: &str,
) -> Result<Option<Read<In>>, IpcError> {
    if greeted {
        Ok(reader.next_sign().await?.map(|sign| match sign {
            Sign::Message(message) => Read::Message(message),
            Sign::Beat => Read::Beat,
        }))
    } else {
        reader.greet(version, role).await.map(|_| Some(Read::Hello))
    }
}

/// The next order; `None` once, when the handle is gone; then never again.
async fn next_order(orders: &mut Option<order_channel::Receiver<Order>>) -> Option<Order> {
    match orders {
        Some(receiver) => receiver.changed().await.ok().map(|()| *receiver.borrow_and_update()),
        None => std::future::pending().await,
    }
}

async fn writer_end(writer: &mut Option<WriterTask>) -> Result<(), IpcError> {
    match writer {
        Some(writer) => writer.ended().await,
        None => std::future::pending().await,
    }
}
