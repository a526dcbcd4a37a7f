//! How things stand, as JSON in the process table: what `status` and `list` show without asking this process.

use super::news::Announcement;
use super::pace::Progress;
use super::slot::Slot;
use super::stop::Phase;
use super::{Parent, PerSide};
use crate::clock::now_ms;
use crate::connections::{Connections, EndpointCalls};
use facilitator_chain::sync::SyncRow;
use facilitator_protocol::model::Side;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One report of a running facilitator. Stored as JSON; read by the command line of the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// `starting`, `active` or `stopping`.
    pub status: String,
    /// Each chain.
    pub chains: Vec<ChainStanding>,
    /// Scanners and senders, and monitor and metrics process if there are any.
    pub children: Vec<ChildStanding>,
    /// Worker processes at work.
    pub workers: usize,
    /// Most worker processes.
    pub max_workers: usize,
    /// What the database keeps refusing, if it does.
    pub database_trouble: Option<String>,
    /// Why no work is done, beginning with `synchronization`; none while it is.
    #[serde(default)]
    pub synchronization: Option<String>,
}

/// One chain as the facilitator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStanding {
    /// `origin` or `auxiliary`.
    pub side: String,
    /// Its id.
    pub chain_id: u64,
    /// `checkpoint-sync`, `dag-sync`, `head-sync-ready`, `head-sync`, `working` or `resync`; `starting` before.
    pub stage: String,
    /// Newest block seen.
    pub head: Option<u64>,
    /// Newest block that is acted upon.
    pub final_block: Option<u64>,
    /// What keeps it from working.
    pub trouble: Option<String>,
    /// Balances of the worker keys: account, base coin, bounty token where there is one.
    pub workers: Vec<WorkerBalance>,
    /// What an operator should look into, until the pair works again.
    #[serde(default)]
    pub critical: Option<String>,
    /// How far it is, while it is being caught up with.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// How it stands with the other chain.
    #[serde(default)]
    pub sync: Option<SyncRow>,
    /// The endpoints, once the scanner has told of them.
    #[serde(default)]
    pub connections: Option<Connections>,
    /// What the sender has asked each endpoint.
    #[serde(default)]
    pub sender_calls: Vec<EndpointCalls>,
}

/// The funds of one worker key, as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerBalance {
    /// The account.
    pub address: String,
    /// Base coin in wei, decimal.
    pub coin: Option<String>,
    /// Bounty token of the first gateway in its smallest units, decimal; none on the auxiliary chain.
    pub bounty_token: Option<String>,
    /// Those of all gateways.
    #[serde(default)]
    pub bounty_tokens: Vec<TokenBalance>,
}

/// What a worker key holds of one token, as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBalance {
    /// The token.
    pub token: String,
    /// In its smallest units, decimal; none where it could not be read.
    pub amount: Option<String>,
}

/// One long-lived child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStanding {
    /// `scanner`, `sender`, `monitor` or `metrics`.
    pub role: String,
    /// `origin` or `auxiliary`; `both` of a monitor and of a metrics process.
    pub side: String,
    /// Process id, if it runs.
    pub pid: Option<u32>,
    /// `starting`, `working`, `restarting`, `quarantined` or `stopped`.
    pub state: String,
    /// How often it was started again.
    pub restarts: u32,
    /// What keeps it from its work.
    pub trouble: Option<String>,
    /// How long it has shown no sign of life, milliseconds, if it runs.
    #[serde(default)]
    pub silent_ms: Option<u64>,
    /// When it is started again, Unix milliseconds, if it is waited for.
    #[serde(default)]
    pub next_try_at_ms: Option<i64>,
}

/// A moment of the steady clock as Unix milliseconds.
fn at_ms(at: Instant) -> i64 {
    let wait = at.saturating_duration_since(Instant::now());
    now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

impl Parent {
    pub(super) fn report(&self) -> String {
        let standing = self.standing();
        serde_json::to_string(&standing).unwrap_or_default()
    }

    fn standing(&self) -> Standing {
        let status = match (self.phase, self.readiness == Announcement::Due) {
            (Phase::Working, true) => "starting",
            (Phase::Working, false) => "active",
            (Phase::Workers { .. } | Phase::Services { .. }, _) => "stopping",
        };
        let mut children = children("scanner", &self.scanners);
        children.extend(self::children("sender", &self.senders));
        if self.setup.monitor.is_some() {
            children.push(child("monitor", "both", &self.monitor));
        }
        if self.setup.metrics.is_some() {
            children.push(child("metrics", "both", &self.display));
        }
        Standing {
            status: status.to_owned(),
            chains: Side::ALL.iter().map(|side| self.chain_standing(*side)).collect(),
            children,
            workers: self.crew.len(),
            max_workers: self.setup.max_workers,
            database_trouble: self.database_trouble.clone(),
            synchronization: self.refusal(),
        }
    }

    fn chain_standing(&self, side: Side) -> ChainStanding {
        let scanner = &self.scanners[side];
        let chain = &self.setup.scanners[side].chain;
        let head = self.heads[side].map(|head| head.number);
        let sync = self.pair.row(side);
        ChainStanding {
            side: side.to_string(),
            chain_id: chain.chain_id,
            stage: sync.stage.clone().unwrap_or_else(|| "starting".to_owned()),
            head,
            final_block: head.map(|head| head.saturating_sub(chain.confirmations)),
            trouble: scanner.trouble.clone().or_else(|| self.senders[side].trouble.clone()),
            workers: self.balances[side].clone(),
            critical: self.critical[side].clone(),
            progress: self.progress(side, &sync),
            sync: Some(sync),
            connections: self.connections[side].clone(),
            sender_calls: self.sender_calls[side].clone(),
        }
    }
}

impl Parent {
    /// Takes down where each chain stands, so that its pace can be told.
    pub(super) fn note_pace(&mut self) {
        for side in Side::ALL {
            if let Some(block) = self.pair.row(*side).current_block {
                self.pace[*side].note(now_ms(), block);
            }
        }
    }

    /// How far a chain is that still catches up.
    fn progress(&self, side: Side, sync: &SyncRow) -> Option<Progress> {
        let catching_up = self.pair.standing(side).is_some_and(|standing| standing.stage.is_catching_up());
        let (start, end) = (sync.starting_block?, sync.highest_block?);
        self.pace[side].progress(start, end).filter(|_| catching_up)
    }
}

fn children<Out: bincode::Encode>(role: &str, slots: &PerSide<Slot<Out>>) -> Vec<ChildStanding> {
    Side::ALL.iter().map(|side| child(role, side.as_str(), &slots[*side])).collect()
}

fn child<Out: bincode::Encode>(role: &str, side: &str, slot: &Slot<Out>) -> ChildStanding {
    ChildStanding {
        role: role.to_owned(),
        side: side.to_owned(),
        pid: slot.child().map(|child| child.pid),
        state: slot.word().to_owned(),
        restarts: slot.restarts,
        trouble: slot.trouble.clone(),
        silent_ms: slot.child().map(|child| u64::try_from(child.silent_for().as_millis()).unwrap_or(u64::MAX)),
        next_try_at_ms: slot.due_at().map(at_ms),
    }
}
