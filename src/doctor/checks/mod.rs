//! Every check: a pure function of the facts, one file each, one row in the table.

mod configuration;
mod definition;
mod drift;
mod enablement;
mod environment;
mod files;
mod machine;
mod manager;
mod permissions;
mod port;
mod process;
mod siblings;
mod state;
mod token;

use super::facts::Facts;
use super::finding::Finding;

/// A check.
pub type Check = fn(&Facts) -> Vec<Finding>;

/// Every check, by name, in the order in which people read what they find.
pub const ALL: [(&str, Check); 14] = [
    ("configuration", configuration::check),
    ("manager", manager::check),
    ("definition", definition::check),
    ("drift", drift::check),
    ("files", files::check),
    ("state", state::check),
    ("process", process::check),
    ("enablement", enablement::check),
    ("environment", environment::check),
    ("token", token::check),
    ("port", port::check),
    ("permissions", permissions::check),
    ("siblings", siblings::check),
    ("machine", machine::check),
];
