//! The parent's piece: relays between the two scanners, and knows whether work may be handed out.
//!
//! Invariant: the gate is open only while the last word of *both* scanners is that they work in the *same* round. Rounds
//! are never used twice, so whoever has fallen back opens it again only through a handshake of both.

use super::message::{Peer, PeerMessage, Refusal, Relayed, Said, Stage, Standing};
use facilitator_protocol::model::Side;

/// What the parent has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateEffect {
    /// No more work: pause the workers before their next transaction, refuse what needs both chains.
    Close {
        /// As [`PairGate::refusal`].
        why: String,
    },
    /// Both chains work: resume the rows that wait.
    Open,
    /// Send this to the scanner of that chain.
    Relay(Side, Relayed),
}

/// What the gate knows of one chain.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) chain_id: u64,
    /// The last word of its scanner, if one runs.
    pub(super) standing: Option<Standing>,
}

/// The gate of a pair.
#[derive(Debug, Clone)]
pub struct PairGate {
    origin: Known,
    auxiliary: Known,
    open: bool,
}

impl PairGate {
    /// A closed gate. No scanner runs yet.
    #[must_use]
    pub const fn new(origin_id: u64, auxiliary_id: u64) -> Self {
        Self {
            origin: Known { chain_id: origin_id, standing: None },
            auxiliary: Known { chain_id: auxiliary_id, standing: None },
            open: false,
        }
    }

    /// Whether work may be handed out.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// The last word of a chain's scanner, if one runs.
    #[must_use]
    pub const fn standing(&self, side: Side) -> Option<&Standing> {
        self.known(side).standing.as_ref()
    }

    /// What a scanner said leads to this, in this order.
    #[must_use]
    pub fn heard(&mut self, side: Side, said: Said) -> Vec<GateEffect> {
        match said {
            Said::Standing(standing) => self.stands(side, standing),
            Said::Message(message) => self.message(side, message),
        }
    }

    /// A scanner ended, however: the other one falls back without being restarted.
    #[must_use]
    pub fn ended(&mut self, side: Side) -> Vec<GateEffect> {
        let was_known = self.known_mut(side).standing.take().is_some();
        let mut effects = self.turn();
        if was_known && self.standing(side.other()).is_some() {
            effects.push(GateEffect::Relay(side.other(), Relayed::Peer(None)));
        }
        effects
    }

    fn stands(&mut self, side: Side, standing: Standing) -> Vec<GateEffect> {
        let now = Peer { stage: standing.stage, round: standing.round };
        let before = self.known_mut(side).standing.replace(standing).as_ref().map(peer);
        let mut effects = self.turn();
        let other = self.standing(side.other()).map(peer);
        // A pair that is not working hears it again each time, so that nothing hangs on a single message.
        if other.is_some() && (before != Some(now) || !self.open) {
            effects.push(GateEffect::Relay(side.other(), Relayed::Peer(Some(now))));
        }
        if before.is_none() {
            effects.push(GateEffect::Relay(side, Relayed::Peer(other)));
        }
        effects
    }

    fn message(&self, side: Side, message: PeerMessage) -> Vec<GateEffect> {
        if self.standing(side.other()).is_some() {
            return vec![GateEffect::Relay(side.other(), Relayed::Message(message))];
        }
        let result = Refusal::NotConnected;
        let reply = match message {
            PeerMessage::HeadSyncReady { round, .. } => PeerMessage::ReadyReply { round, result: Err(result) },
            PeerMessage::HeadSync { round, .. } => PeerMessage::HeadSyncReply { round, result: Err(result) },
            PeerMessage::ReadyReply { .. } | PeerMessage::HeadSyncReply { .. } | PeerMessage::Working { .. } => {
                return Vec::new();
            }
        };
        vec![GateEffect::Relay(side, Relayed::Message(reply))]
    }

    fn turn(&mut self) -> Vec<GateEffect> {
        let agreed = |known: &Known| {
            let standing = known.standing.as_ref().filter(|standing| standing.stage == Stage::Working);
            standing.and_then(|standing| standing.round)
        };
        let (origin, auxiliary) = (agreed(&self.origin), agreed(&self.auxiliary));
        let open = origin.is_some() && origin == auxiliary;
        if std::mem::replace(&mut self.open, open) == open {
            return Vec::new();
        }
        match self.refusal() {
            Some(why) => vec![GateEffect::Close { why }],
            None => vec![GateEffect::Open],
        }
    }

    pub(super) const fn known(&self, side: Side) -> &Known {
        match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        }
    }

    const fn known_mut(&mut self, side: Side) -> &mut Known {
        match side {
            Side::Origin => &mut self.origin,
            Side::Auxiliary => &mut self.auxiliary,
        }
    }
}

const fn peer(standing: &Standing) -> Peer {
    Peer { stage: standing.stage, round: standing.round }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
