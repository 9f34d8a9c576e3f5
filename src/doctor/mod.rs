//! What is wrong, and its repair: facts → findings → plan → done, and another look.
//!
//! * [`facts`]: one look at everything. What could not be looked at is a fact too.
//! * [`checks`]: pure functions of the facts, listed in one table.
//! * [`finding`]: what a check may say. Pure.
//! * [`exposed`]: what others could change of what runs here.
//! * [`foreign`]: where gateways of other products keep their port and their token.
//! * [`repair`]: from findings to steps, and performing them.
//!
//! Knows no terminal, and nothing of the inside of the gateway: a gateway that runs is asked from outside.

pub mod checks;
pub mod exposed;
pub mod facts;
pub mod finding;
pub mod foreign;
pub mod machine;
pub mod process;
pub mod repair;

use finding::Finding;

/// Runs every check. The worst comes first.
pub fn diagnose(facts: &facts::Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = checks::ALL.iter().flat_map(|(_, check)| check(facts)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}
