//! The configuration file: reading, checking, editing and comparing it.
//!
//! Text becomes a tree that knows where everything stands ([`Source::load`]), the tree becomes a checked [`Config`] or
//! a list of every [`Problem`]. Must not know who uses a setting and for what; nothing here watches, listens or logs.

mod check;
pub mod create;
mod cut;
mod decode;
mod diff;
mod edit;
mod include;
mod include_file;
mod node;
mod path;
mod problem;
mod redact;
pub mod reload;
pub mod resolve;
mod schema;
pub mod section;
mod source;
mod style;
mod substitute;
mod syntax;
mod write;

pub use diff::changed_paths;
pub use edit::{EditError, set_value, unset_value};
pub use path::{KeyPath, NotAPath, Segment};
pub use problem::{Problem, tilde_path};
pub use redact::{SECRETS, is_secret, redact, redact_at, redact_text};
pub use schema::{NoSuchSetting, Setting, config_schema, find_setting, with_defaults};
pub use section::Config;
pub use source::{Loaded, Origin, Source};
pub use syntax::parse_value;
pub use write::{WriteError, Written, update_config};
