//! How an endpoint is, and why it is set aside.

use crate::rpc::RpcError;
use facilitator_eth::B256;
use std::fmt;

/// Why nothing is read from an endpoint. Its text is for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It serves another chain; never counted as connected.
    WrongChain {
        /// The chain configured.
        expected: u64,
        /// The chain it says.
        actual: u64,
    },
    /// It wants fewer calls.
    RateLimited,
    /// It doesn't let us in.
    Denied {
        /// What it said.
        message: String,
    },
    /// It can't be reached, or says it is unwell.
    Unreachable {
        /// What the connection said.
        message: String,
    },
    /// It takes too long.
    Stalled {
        /// Who gave up.
        message: String,
    },
    /// Its answers are cut off or have a wrong form.
    Malformed {
        /// What is wrong with them.
        message: String,
    },
    /// It can't do what is needed: a method or block is missing, or one block is too much for it.
    Unable {
        /// What it said.
        message: String,
    },
    /// It is behind the others.
    Lags {
        /// Blocks behind.
        behind: u64,
    },
    /// Its hash is not the one that the others agree on.
    WrongHash {
        /// Height of the block.
        number: u64,
        /// What it says.
        said: B256,
        /// What the others say.
        agreed: B256,
    },
    /// It was caught leaving logs out, inventing some, or with a block whose contents don't give its hash.
    Lied {
        /// What is wrong with its answer.
        message: String,
    },
}

impl Reason {
    /// What an error means for the endpoint, and whether it takes several in a row to be set aside for it.
    #[must_use]
    pub fn of(error: &RpcError) -> (Self, bool) {
        let message = error.to_string();
        match error {
            RpcError::RateLimited { .. } => (Self::RateLimited, false),
            RpcError::Denied { .. } | RpcError::Endpoint { .. } => (Self::Denied { message }, false),
            RpcError::Unsupported { .. } => (Self::Unable { message }, false),
            RpcError::Transport { .. } => (Self::Unreachable { message }, true),
            RpcError::Timeout { .. } => (Self::Stalled { message }, true),
            RpcError::Malformed { .. } => (Self::Malformed { message }, true),
            RpcError::TooManyResults { .. }
            | RpcError::RangeTooWide { .. }
            | RpcError::TooLarge { .. }
            | RpcError::Server { .. } => (Self::Unable { message }, true),
        }
    }

    /// Whether the endpoint gave a wrong answer, rather than none.
    #[must_use]
    pub const fn is_lie(&self) -> bool {
        match self {
            Self::WrongHash { .. } | Self::Lied { .. } => true,
            Self::WrongChain { .. }
            | Self::RateLimited
            | Self::Denied { .. }
            | Self::Unreachable { .. }
            | Self::Stalled { .. }
            | Self::Malformed { .. }
            | Self::Unable { .. }
            | Self::Lags { .. } => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongChain { expected, actual } => {
                write!(f, "serves chain {actual}, expected is chain {expected}: check its URL")
            }
            Self::RateLimited => f.write_str("limits the rate of calls"),
            Self::Denied { message }
            | Self::Unreachable { message }
            | Self::Stalled { message }
            | Self::Malformed { message }
            | Self::Unable { message }
            | Self::Lied { message } => f.write_str(message),
            Self::Lags { behind } => write!(f, "lags {behind} blocks behind the others"),
            Self::WrongHash { number, said, agreed } => {
                write!(f, "says block {number} is {said}, the others agree on {agreed}")
            }
        }
    }
}

/// How an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    /// It has not answered yet.
    #[default]
    Unknown,
    /// It is read.
    Well,
    /// It is not read, but probed again at `until`.
    SetAside {
        /// Why.
        reason: Reason,
        /// Since when, milliseconds.
        since: u64,
        /// When it is asked again, milliseconds.
        until: u64,
    },
}

impl Health {
    /// The name that status and logs show.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Well => "well",
            Self::SetAside { .. } => "set aside",
        }
    }
}
