//! The only place that signs: journal, nonces, fees, attempts, and the loop that carries them out on one chain.
//!
//! Invariants: whatever leaves the process was committed before (law 2), and after a restart the same bytes are sent
//! again, never others; an account is signed for by the holder of its lease alone (law 5); one intent never takes
//! effect twice. What a transaction is good for, and whether it is wise, is the affair of the workers.

mod book;
mod error;
mod keep;
mod node;
pub mod policy;
mod sender;
mod settings;
mod types;

pub use error::SenderError;
pub use keep::{Keep, Records};
pub use node::{
    Answers, Ask, Node, Question, Receipt, ReceiptsOf, Simulate, Simulation, Success, TokenFlow, Told, Trial,
};
pub use sender::{AccountView, Gate, Sender};
pub use settings::Settings;
pub use types::{Allowance, Failure, Head, Outcome, Submit, SubmitAnswer, Visibility};
