//! Who may connect, and as what: credentials, devices, addresses.
//!
//! Decides; carries nothing out, but for [`store`], which keeps paired devices on disk. It must not know sockets,
//! frames on their way, or methods.

pub mod admission;
pub mod device;
pub mod limit;
pub mod origin;
pub mod pairing;
pub mod peer;
pub mod policy;
pub mod reason;
pub mod store;
