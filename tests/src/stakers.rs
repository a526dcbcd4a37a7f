//! Stakers: [`Requesters`] of stakes at the first pair of gateways, by their own name.

pub use crate::requesters::Ask;
use crate::requesters::{Request, Requesters};

/// A number of stakers on one devnet.
pub type Stakers = Requesters;

/// A request that stands in the composer.
pub type Stake = Request;
