//! The connector in a simulated world: a chain that grows and forks, endpoints that lie, lag, stall and come back, a
//! database that keeps what it is told. No clock: time is the world's.

mod random;
mod scenarios;
mod world;
