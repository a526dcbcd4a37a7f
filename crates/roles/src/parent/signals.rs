//! The signals by which an operator or a service manager speaks to a parent.

use super::ParentError;
use std::io::IsTerminal;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What an operator may say to a parent by signals.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Whether there was a terminal at the beginning.
    on_terminal: bool,
}

/// What a signal asks for.
pub(super) enum Asked {
    Stop,
    Reread,
}

impl Signals {
    /// Listens from now on: no signal ends the process any more. To be done before anybody can learn of it.
    ///
    /// # Errors
    /// [`ParentError::Signals`].
    pub fn listen() -> Result<Self, ParentError> {
        let listen = || -> std::io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
                on_terminal: std::io::stdin().is_terminal(),
            })
        };
        listen().map_err(ParentError::Signals)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            // A terminal that was closed means what it always did.
            _ = self.hang_up.recv() => {
                if self.on_terminal && !std::io::stdin().is_terminal() { Asked::Stop } else { Asked::Reread }
            }
        }
    }
}
