//! Which domain a job goes to (lifecycle notes B2).

use crate::fake::Knobs;
use crate::support::{LABEL, Mac, uid};

fn domain(mac: &Mac) -> String {
    mac.state(|state| state.jobs[LABEL].domain.clone())
}

#[test]
fn the_graphical_session_comes_first_and_the_users_domain_where_there_is_none() {
    let mac = Mac::new();
    mac.ok("gateway install");
    assert_eq!(domain(&mac), format!("gui/{}", uid()));
    let without = [
        Knobs { no_gui: true, ..Knobs::default() },
        Knobs { gui_125: true, ..Knobs::default() },
        Knobs { gui_takes_none: true, ..Knobs::default() },
    ];
    for knobs in without {
        let mac = Mac::new();
        let told = format!("{knobs:?}");
        mac.state(|state| state.knobs = knobs);
        mac.ok("gateway install");
        assert_eq!(domain(&mac), format!("user/{}", uid()), "{told}");
        let text = std::fs::read_to_string(mac.plist()).unwrap();
        assert!(
            text.contains("<key>LimitLoadToSessionType</key>\n\t<string>Background</string>"),
            "{told}: {text}"
        );
        assert_eq!(mac.status()["service"]["definition"]["standing"], "ours", "{told}");
        // It is remembered: a session at the screen later does not move it.
        mac.state(|state| state.knobs = Knobs::default());
        assert!(mac.ok("gateway install").starts_with("Nothing to do"), "{told}");
        mac.ok("gateway restart");
        assert_eq!(domain(&mac), format!("user/{}", uid()), "{told}");
    }
}

#[test]
fn without_a_domain_it_is_said_which_sessions_would_have_one() {
    let mac = Mac::new();
    mac.state(|state| state.knobs = Knobs { no_gui: true, no_user: true, ..Knobs::default() });
    let ran = mac.run("gateway install");
    assert_eq!(ran.code, 8, "{ran:?}");
    for words in ["log in at the screen", "over ssh", "--system", "gateway run"] {
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
    assert!(!mac.plist().exists());
    assert_eq!(mac.status()["service"]["facts"]["headline"], "unknown");
}

#[test]
fn a_domain_that_refuses_every_job_leaves_nothing_behind() {
    let mac = Mac::new();
    mac.state(|state| state.knobs = Knobs { no_gui: true, user_5: true, ..Knobs::default() });
    let ran = mac.run("gateway install");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("rolled back: nothing is installed, as before"), "{ran:?}");
    assert!(!mac.plist().exists());
}

#[test]
fn a_job_of_the_machine_with_the_same_label_is_another_owner() {
    let mac = Mac::new();
    mac.ok("gateway install");
    assert!(!mac.state(|state| state.calls.iter().any(|call| call.contains("gui/0"))));
}
