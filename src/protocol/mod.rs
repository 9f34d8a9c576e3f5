//! The words of the wire: frames, the handshake, methods and events, and their JSON Schema.
//!
//! Data only. This module must not know sockets, who is allowed what, or how a method is carried out; it says what
//! the shapes are and what a wrong one is told. Source of every rule: the protocol notes (§ numbers in comments).

pub mod connect;
pub mod device;
pub mod error;
pub mod event;
pub mod frame;
pub mod hello;
pub mod method;
pub mod methods;
pub mod presence;
pub mod probe;
pub mod scope;
pub mod snapshot;
pub mod text;
pub mod validation;
