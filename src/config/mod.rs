//! The configuration file: reading, checking, editing and comparing it.
//!
//! Text becomes a tree that knows where everything stands ([`Source::load`]), the tree becomes a checked [`Config`] or
//! a list of every [`Problem`]. Must not know who uses a setting and for what; nothing here watches, listens or logs.

mod check;
mod decode;
mod include;
mod include_file;
mod node;
mod path;
mod problem;
pub mod section;
mod source;
mod substitute;
mod syntax;

pub use path::{KeyPath, NotAPath, Segment};
pub use problem::{Problem, tilde_path};
pub use section::Config;
pub use source::{Loaded, Origin, Source};
