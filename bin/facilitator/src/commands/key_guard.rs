//! One running facilitator for each worker key of this host, whatever databases there are (law 5).
//!
//! The process table of a database tells nothing once the database is lost while its facilitator still runs. So each
//! key's name is also taken as an abstract socket: the system gives it to one process alone, takes it back at the end of
//! that process however it ends, and no file is left that could be deleted. It holds within one network namespace.

use crate::failure::{Exit, Failure};
use facilitator_config::Loaded;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// The worker keys of a configuration, held until this is dropped.
pub(crate) struct KeyGuard {
    _names: Vec<UnixListener>,
}

impl KeyGuard {
    /// Takes all keys of a configuration.
    ///
    /// # Errors
    /// [`Exit::AlreadyRunning`] if another process has one of them.
    pub(crate) fn take(loaded: &Loaded) -> Result<Self, Failure> {
        let chains = [&loaded.facilitator.origin, &loaded.facilitator.auxiliary];
        let names = chains.into_iter().flat_map(|chain| {
            let id = chain.chain_id;
            chain.workers.iter().map(move |worker| format!("facilitator/{id}/{}", worker.to_lower_hex()))
        });
        Ok(Self { _names: names.map(|name| hold(&name)).collect::<Result<_, _>>()? })
    }
}

fn hold(name: &str) -> Result<UnixListener, Failure> {
    let address = SocketAddr::from_abstract_name(name)?;
    match UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(taken(name, &address)),
        Err(error) => Err(Failure::new(Exit::Failed, format!("can't hold the worker key {name}: {error}"))),
    }
}

fn taken(name: &str, address: &SocketAddr) -> Failure {
    let who = holder(address).map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"));
    let key = name.rsplit('/').next().unwrap_or(name);
    let text = format!(
        "a facilitator runs already with the worker key {key}: {who}, perhaps on another database or on one that was deleted; end it first"
    );
    Failure::new(Exit::AlreadyRunning, text)
}

fn holder(address: &SocketAddr) -> Option<i32> {
    let stream = UnixStream::connect_addr(address).ok()?;
    nix::sys::socket::getsockopt(&stream, nix::sys::socket::sockopt::PeerCredentials).ok().map(|peer| peer.pid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_by_one_until_it_is_dropped_and_the_holder_is_known() {
        let name = format!("facilitator-test/{}/0xab", std::process::id());
        let held = hold(&name).unwrap();
        let refused = hold(&name).unwrap_err();
        assert_eq!(refused.exit, Exit::AlreadyRunning);
        assert!(refused.message.contains(&format!("0xab: pid {}", std::process::id())), "{refused}");
        drop(held);
        hold(&name).unwrap();
    }
}
