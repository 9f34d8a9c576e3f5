//! `connect` after the handshake: it exists only to say that it comes too late (§1.6).

use crate::protocol::method::{Done, Ignored, Method};
use crate::protocol::scope::{Access, Scope};

/// `connect` on a connection that is connected.
pub enum Connect {}

impl Method for Connect {
    const NAME: &'static str = "connect";
    const ACCESS: Access = Access::Operator(Scope::Admin);
    type Params = Ignored;
    type Output = Done;
}
