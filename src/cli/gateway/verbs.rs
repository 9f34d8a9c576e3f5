//! The verbs of an installed service that take no words of their own: a row each.

use super::service::Verb;
use crate::service::plan::Intent;

/// `gateway uninstall`: removes what `gateway install` put there, and nothing else.
pub(super) const UNINSTALL: Verb = Verb {
    intent: Intent::Uninstall,
    name: "uninstall",
    done: "Removed systemd service",
    result: "uninstalled",
    already: "the gateway service is not installed",
};

/// `gateway start`: starts the service, from whatever state it is in.
pub(super) const START: Verb = Verb {
    intent: Intent::Start,
    name: "start",
    done: "Started systemd service",
    result: "started",
    already: "the gateway service is running already",
};

/// `gateway stop`: stops the service; it stays down until it is started, or until the next login.
pub(super) const STOP: Verb = Verb {
    intent: Intent::Stop,
    name: "stop",
    done: "Stopped systemd service",
    result: "stopped",
    already: "the gateway service is not running",
};

/// `gateway restart`: starts the service anew, and proves that it is a new process that answers.
pub(super) const RESTART: Verb = Verb {
    intent: Intent::Restart,
    name: "restart",
    done: "Restarted systemd service",
    result: "restarted",
    already: "the gateway service needs no restart",
};
