//! A LaunchDaemon: the machine's own gateway, under an account of its own, from install to uninstall.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{LABEL, Mac, Ran};

/// An account that every Linux has, in the place of one that was made for the gateway.
const ACCOUNT: &str = "daemon";
const INSTALL: &str = "gateway install --run-as daemon";

fn plist(mac: &Mac) -> PathBuf {
    mac.path().join(format!("machine/Library/LaunchDaemons/{LABEL}.plist"))
}

fn done(ran: &Ran) -> &str {
    assert_eq!(ran.code, 0, "{ran:?}");
    &ran.out
}

fn status(mac: &Mac) -> Value {
    let ran = mac.as_root("gateway status --json");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn findings(mac: &Mac, flags: &str) -> Vec<Value> {
    let ran = mac.as_root(&format!("doctor --json {flags}"));
    let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let all = answer["findings"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|finding| finding["id"] != "machine.passing").collect()
}

fn owner(path: &Path) -> (u32, u32, u32) {
    let meta = path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (meta.uid(), meta.gid(), meta.permissions().mode() & 0o777)
}

#[test]
fn a_daemon_is_installed_runs_under_its_account_and_goes_again() {
    let Some(mac) = Mac::of_root() else { return };
    let said = mac.as_root(INSTALL);
    assert!(done(&said).contains(&format!("Installed LaunchDaemon: {LABEL}")), "{said:?}");
    let (job, pid) = (mac.state(|state| state.jobs[LABEL].domain.clone()), mac.pid(LABEL));
    assert_eq!(job, "system");
    let own = std::fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_eq!(own, 1, "it is not {ACCOUNT}'s process");
    let status_now = status(&mac);
    for fact in ["installed", "enabled", "loaded", "running", "healthy"] {
        assert_eq!(status_now["service"]["facts"][fact]["is"], "yes", "{fact}: {status_now:#}");
    }
    // What launchd does not make is made, and is the account's; the secret is root's and for the account to read.
    let machine = mac.path().join("machine");
    assert_eq!(owner(&machine.join("var/lib/idlehands-gateway")), (1, 1, 0o700));
    assert_eq!(owner(&machine.join("var/log/idlehands-gateway")), (1, 1, 0o700));
    let secrets = machine.join("etc/idlehands-gateway/credentials");
    assert_eq!(owner(&secrets), (0, 1, 0o750));
    assert_eq!(owner(&secrets.join("IDLEHANDS_GATEWAY_TOKEN")), (0, 1, 0o640));
    let token = std::fs::read_to_string(secrets.join("IDLEHANDS_GATEWAY_TOKEN")).unwrap();
    let shown = mac.launchctl(&format!("print system/{LABEL}")).out;
    for text in [std::fs::read_to_string(plist(&mac)).unwrap(), shown] {
        assert!(text.contains("credentials") && !text.contains(token.trim()), "{text}");
    }
    assert_eq!(findings(&mac, ""), Vec::<Value>::new());
    assert!(done(&mac.as_root("gateway install")).starts_with("Nothing to do"), "the account is kept");

    done(&mac.as_root("gateway restart"));
    assert_ne!(mac.pid(LABEL), pid);
    let stopped = mac.as_root("gateway stop");
    assert!(stopped.err.contains("until it is started or the machine boots"), "{stopped:?}");
    assert_eq!(mac.as_root("gateway status").code, 3);
    done(&mac.as_root("gateway start"));
    done(&mac.as_root("gateway disable"));
    assert_eq!(status(&mac)["service"]["facts"]["enabled"]["is"], "no");
    done(&mac.as_root("gateway enable"));
    assert_eq!(status(&mac)["service"]["facts"]["enabled"]["is"], "yes");

    let gone = mac.as_root("gateway uninstall");
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(!plist(&mac).exists() && mac.state(|state| state.jobs.is_empty()));
    assert!(secrets.join("IDLEHANDS_GATEWAY_TOKEN").exists(), "what is the operator's stays");
    assert_eq!(mac.as_root("gateway status").code, 4);
}

#[test]
fn a_secret_that_is_added_reaches_the_daemon_with_the_next_install() {
    let Some(mac) = Mac::of_root() else { return };
    done(&mac.as_root(INSTALL));
    let pid = mac.pid(LABEL);
    let secret = mac.path().join("machine/etc/idlehands-gateway/credentials/MODEL_KEY");
    std::fs::write(&secret, "sk-1\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    done(&mac.as_root("gateway install"));
    assert_eq!(owner(&secret), (0, 1, 0o640));
    assert_ne!(mac.pid(LABEL), pid);
    assert!(done(&mac.as_root("gateway install")).starts_with("Nothing to do"));
    // Nobody else may read it, and the doctor says so of whatever lets them.
    std::fs::set_permissions(secret.parent().unwrap(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let found = findings(&mac, "");
    assert!(found.iter().any(|finding| finding["id"] == "permissions.mode"), "{found:?}");
    assert_eq!(findings(&mac, "--fix --yes"), Vec::<Value>::new());
    assert_eq!(owner(secret.parent().unwrap()), (0, 1, 0o750));
}

#[test]
fn the_doctor_repairs_a_daemon_too_and_only_root_may() {
    let Some(mac) = Mac::of_root() else { return };
    done(&mac.as_root(INSTALL));
    let text = std::fs::read_to_string(plist(&mac)).unwrap();
    let table = [
        ("<integer>63</integer>", "<integer>18</integer>", "Umask", "--fix --yes --force"),
        ("<string>daemon</string>", "<string>root</string>", "UserName", "--fix --yes --force"),
        ("\t<key>RunAtLoad</key>\n\t<true/>\n", "", "RunAtLoad", "--fix --yes"),
    ];
    for (from, to, key, flags) in table {
        assert!(text.contains(from), "{from}");
        std::fs::write(plist(&mac), text.replace(from, to)).unwrap();
        let found = findings(&mac, "");
        assert!(found.iter().any(|finding| finding["key"] == key), "{key}: {found:?}");
        assert_eq!(findings(&mac, flags), Vec::<Value>::new(), "{key}");
        std::fs::write(plist(&mac), &text).unwrap();
        findings(&mac, flags);
    }
    let user = mac.run("--system gateway install --run-as daemon");
    assert_eq!(user.code, 5, "{user:?}");
    assert!(user.err.contains("sudo idlehands --system gateway install"), "{user:?}");
    let user = mac.run("--system gateway stop");
    assert_eq!(user.code, 5, "{user:?}");
    assert!(mac.state(|state| state.jobs[LABEL].pid.is_some()));
}

#[test]
fn a_daemon_needs_an_account_that_exists() {
    let Some(mac) = Mac::of_root() else { return };
    let without = mac.as_root("gateway install");
    assert_eq!(without.code, 1, "{without:?}");
    assert!(without.err.contains("--run-as"), "{without:?}");
    let unknown = mac.as_root("gateway install --run-as nobody-of-that-name");
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(
        unknown.err.contains("there is no account nobody-of-that-name")
            && unknown.err.contains("sysadminctl"),
        "{unknown:?}"
    );
    assert!(!plist(&mac).exists() && mac.state(|state| state.jobs.is_empty()));
}

#[test]
fn why_a_daemon_gave_up_is_known_although_it_may_not_write_where_root_remembers() {
    let Some(mac) = Mac::of_root() else { return };
    done(&mac.as_root(INSTALL));
    done(&mac.as_root("gateway stop"));
    let _taken = std::net::TcpListener::bind(("127.0.0.1", mac.port)).unwrap();
    let loaded = mac.as_root("gateway start");
    assert_eq!(loaded.code, 7, "{loaded:?}");
    assert!(loaded.err.contains("it gave up: "), "{loaded:?}");
    assert_eq!(status(&mac)["service"]["facts"]["headline"], "failed");
}

/// Lifecycle notes B7: one gateway has one owner, and the way from one to the other is two lines.
#[test]
fn one_scope_owns_a_profile_and_the_other_is_refused_with_the_way_out() {
    let Some(mac) = Mac::of_root() else { return };
    // Somebody else's agent.
    let agents = mac.path().join("machine/Users/ada/Library/LaunchAgents");
    std::fs::create_dir_all(&agents).unwrap();
    let agent = agents.join(format!("{LABEL}.plist"));
    std::fs::write(&agent, "").unwrap();
    let refused = mac.as_root(INSTALL);
    assert_eq!(refused.code, 7, "{refused:?}");
    let way = format!("sudo launchctl bootout gui/$(id -u ada)/{LABEL}; sudo rm {}", agent.display());
    assert!(refused.err.contains(&way), "{refused:?}");
    assert!(refused.err.contains("then: sudo idlehands --system gateway install"), "{refused:?}");
    std::fs::remove_file(&agent).unwrap();

    done(&mac.as_root(INSTALL));
    let refused = mac.run("gateway install");
    assert_eq!(refused.code, 7, "{refused:?}");
    let way = format!("sudo launchctl bootout system/{LABEL}; sudo rm {}", plist(&mac).display());
    assert!(
        refused.err.contains(&way) && refused.err.contains("then: idlehands gateway install"),
        "{refused:?}"
    );
    assert!(!mac.plist().exists());
}
