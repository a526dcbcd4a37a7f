//! What an operator reads about a pair: why work is refused, and the rows of `sync status`.

use super::gate::PairGate;
use super::message::{Stage, Standing};
use facilitator_protocol::model::Side;
use serde::{Deserialize, Serialize};

/// One chain in `sync status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRow {
    /// `origin` or `auxiliary`.
    pub side: String,
    /// Its id.
    pub chain_id: u64,
    /// The stage; none while no scanner runs.
    pub stage: Option<String>,
    /// First block not yet read when the process or the last re-sync began.
    pub starting_block: Option<u64>,
    /// Last block read.
    pub current_block: Option<u64>,
    /// Block that the stage is to reach.
    pub highest_block: Option<u64>,
    /// Newest block seen.
    pub max_block: Option<u64>,
    /// Height of the coordinator's checkpoint agreed last.
    pub last_coord: Option<u64>,
    /// Since when in this stage, in the scanner's milliseconds.
    pub since_ms: Option<u64>,
    /// Since when ready, in the scanner's milliseconds.
    pub ready_since_ms: Option<u64>,
    /// What it waits for; none when the pair works.
    pub waits_for: Option<String>,
    /// What went wrong last; none once it works.
    pub last_error: Option<String>,
}

impl SyncRow {
    /// Heads of the columns of [`Self::cells`].
    pub const HEADER: [&'static str; 8] = ["CHAIN", "ID", "STAGE", "BLOCK", "OF", "HEAD", "CHECKPOINT", "WAITS FOR"];

    /// The row in words.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        vec![
            self.side.clone(),
            self.chain_id.to_string(),
            self.stage.clone().unwrap_or_else(|| "-".to_owned()),
            number(self.current_block),
            number(self.highest_block),
            number(self.max_block),
            number(self.last_coord),
            self.waits_for.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

impl PairGate {
    /// Why no work is handed out, beginning with `synchronization`; `None` while it is. Tells of the chain that the
    /// other one waits for.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        if self.is_open() {
            return None;
        }
        let stage = |side: Side| self.standing(side).map(|standing| standing.stage);
        let (origin, auxiliary) = (stage(Side::Origin), stage(Side::Auxiliary));
        let behind = if auxiliary < origin { Side::Auxiliary } else { Side::Origin };
        let mut text = format!("synchronization: {}", self.where_is(behind));
        if self.standing(behind).is_none() && self.standing(behind.other()).is_some() {
            text = format!("{text}, {}", self.where_is(behind.other()));
        }
        let reason = |side: Side| self.standing(side).and_then(|standing| standing.last_error.as_deref());
        if let Some(reason) = reason(behind).or_else(|| reason(behind.other())) {
            text = format!("{text}: {reason}");
        }
        Some(text)
    }

    /// Both chains, for `sync status`.
    #[must_use]
    pub fn rows(&self) -> Vec<SyncRow> {
        Side::ALL.iter().map(|side| self.row(*side)).collect()
    }

    /// One chain, for `status` and `sync status`.
    #[must_use]
    pub fn row(&self, side: Side) -> SyncRow {
        let standing = self.standing(side);
        SyncRow {
            side: side.to_string(),
            chain_id: self.known(side).chain_id,
            stage: standing.map(|standing| standing.stage.to_string()),
            starting_block: standing.map(|standing| standing.starting_block),
            current_block: standing.and_then(|standing| standing.current_block),
            highest_block: standing.and_then(|standing| standing.highest_block),
            max_block: standing.and_then(|standing| standing.max_block),
            last_coord: standing.and_then(|standing| standing.last_coord),
            since_ms: standing.map(|standing| standing.since_ms),
            ready_since_ms: standing.and_then(|standing| standing.ready_since_ms),
            waits_for: self.waits_for(side, standing),
            last_error: standing.and_then(|standing| standing.last_error.clone()),
        }
    }

    fn waits_for(&self, side: Side, standing: Option<&Standing>) -> Option<String> {
        if self.is_open() {
            return None;
        }
        let Some(standing) = standing else { return Some("its scanner".to_owned()) };
        let reason = standing.last_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        let other = side.other();
        let other_lags = self.standing(other).is_none_or(|other| other.stage.is_catching_up());
        Some(match standing.stage {
            Stage::Resync => format!("a fresh start{reason}"),
            Stage::CheckpointSync | Stage::DagSync => format!("its blocks{reason}"),
            Stage::HeadSyncReady | Stage::HeadSync | Stage::Working if other_lags => self.where_is(other),
            Stage::HeadSyncReady => format!("the handshake with {}{reason}", self.name(other)),
            Stage::HeadSync => "the comparison of anchored state roots".to_owned(),
            Stage::Working => format!("the word of {} that it works", self.name(other)),
        })
    }

    fn name(&self, side: Side) -> String {
        format!("{side} chain {}", self.known(side).chain_id)
    }

    fn where_is(&self, side: Side) -> String {
        let name = self.name(side);
        let Some(standing) = self.standing(side) else { return format!("{name} is not being read yet") };
        let stage = standing.stage;
        match (standing.current_block, standing.highest_block) {
            (current, Some(highest)) => {
                format!("{name} is in {stage} (block {} of {highest})", current.unwrap_or(0).min(highest))
            }
            (Some(current), None) => format!("{name} is in {stage} (block {current})"),
            (None, None) => format!("{name} is in {stage}"),
        }
    }
}
