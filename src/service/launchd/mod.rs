//! launchd: looking at one job, and performing the steps of a plan.
//!
//! What a property list says is [`job`]'s business, how it is written [`property_list`]'s.

pub mod job;
pub mod print;
pub mod property_list;
