//! The verbs of an installed service that take no words of their own: a row each.

use super::service::Verb;
use crate::service::plan::Intent;

/// `gateway uninstall`: removes what `gateway install` put there, and nothing else.
pub(super) const UNINSTALL: Verb = Verb {
    intent: Intent::Uninstall,
    name: "uninstall",
    done: "Removed",
    result: "uninstalled",
    already: "the gateway service is not installed",
};

/// `gateway start`: starts the service, from whatever state it is in.
pub(super) const START: Verb = Verb {
    intent: Intent::Start,
    name: "start",
    done: "Started",
    result: "started",
    already: "the gateway service is running already",
};

/// `gateway stop`: stops the service; it stays down until it is started, or until the next login.
pub(super) const STOP: Verb = Verb {
    intent: Intent::Stop,
    name: "stop",
    done: "Stopped",
    result: "stopped",
    already: "the gateway service is not running",
};

/// `gateway stop --disable`: stops the service, which does not start by itself any more either.
pub(super) const STOP_FOR_GOOD: Verb = Verb {
    intent: Intent::StopForGood,
    name: "stop",
    done: "Stopped and disabled",
    result: "stopped",
    already: "the gateway service neither runs nor starts by itself",
};

/// `gateway restart`: starts the service anew, and proves that it is a new process that answers.
pub(super) const RESTART: Verb = Verb {
    intent: Intent::Restart,
    name: "restart",
    done: "Restarted",
    result: "restarted",
    already: "the gateway service needs no restart",
};

/// `gateway reload`: has the gateway look at its configuration again, without a new process where that will do.
pub(super) const RELOAD: Verb = Verb {
    intent: Intent::Reload,
    name: "reload",
    done: "Reloaded",
    result: "reloaded",
    already: "the gateway service needs no reload",
};

/// `gateway enable`: starts the service at every login, or at boot, from now on.
pub(super) const ENABLE: Verb = Verb {
    intent: Intent::Enable,
    name: "enable",
    done: "Enabled",
    result: "enabled",
    already: "the gateway service starts by itself already",
};

/// `gateway disable`: does not start the service by itself any longer; whether it runs now stays as it is.
pub(super) const DISABLE: Verb = Verb {
    intent: Intent::Disable,
    name: "disable",
    done: "Disabled",
    result: "disabled",
    already: "the gateway service does not start by itself",
};
