//! The listeners in the service manager's store: what of them goes there and what is taken out of it again, so that
//! connections wait instead of being refused while one process takes the place of another (lifecycle notes E9.13).
//!
//! The store is the manager's: where there is none, all of this is said to nobody.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use socket2::SockRef;
use tokio::net::TcpListener;

use super::listen::{is_stored, stored_name};
use crate::host::handed::Handed;
use crate::host::notify::Notify;

/// A listener that is to be stored. Holding it keeps the port.
#[derive(Debug)]
pub struct Listener {
    name: String,
    file: OwnedFd,
}

/// Closes sockets that were kept and are not wanted any longer, and says so. A stored one ends at once, in the
/// manager's store, too: nobody would ever answer there, and its address may be in the way of a new one.
pub fn drop_unwanted(unwanted: Vec<Handed>, notify: Notify) -> Vec<String> {
    let mut told = Vec::new();
    for handed in unwanted {
        let Handed { name, address, .. } = &handed;
        if is_stored(&handed) {
            notify.unstore(name);
            if let Err(error) = SockRef::from(&handed.listener).shutdown(Shutdown::Both) {
                told.push(format!("cannot end the kept listener on {address}: {error}"));
            }
            told.push(format!("no longer listening on {address}, which the service manager had kept"));
        } else {
            told.push(format!(
                "the socket \"{name}\" listens on {address}, which is not configured; not served"
            ));
        }
    }
    told
}

/// Which listeners the manager does not keep yet: none where there is no manager, and none that a socket unit made,
/// for that one keeps its own.
pub fn to_store(listeners: &[TcpListener], kept: Vec<Handed>, notify: Notify) -> Vec<Listener> {
    let is_kept = |address: &SocketAddr| kept.iter().any(|kept| kept.address == *address);
    let listeners = listeners.iter().filter(|_| notify.is_heard());
    listeners
        .filter_map(|listener| Some((listener.local_addr().ok()?, listener)))
        .filter(|(address, _)| !is_kept(address))
        // Without a second handle it is not stored; it is served all the same.
        .filter_map(|(address, listener)| {
            Some(Listener { name: stored_name(address), file: listener.as_fd().try_clone_to_owned().ok()? })
        })
        .collect()
}

/// Puts listeners into the store.
pub fn put(listeners: Vec<Listener>, notify: Notify) {
    for Listener { name, file } in listeners {
        notify.store(&name, file.as_fd());
    }
}
