//! Every method of the protocol, a file a family. The server's table names each exactly once.

pub mod agents;
pub mod channels;
pub mod config;
pub mod connect;
pub mod devices;
pub mod health;
pub mod heartbeat;
pub mod logs;
pub mod models;
pub mod presence;
pub mod status;
pub mod wake;
