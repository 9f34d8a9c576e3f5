//! Devices: pairing without a question on this machine and with one from elsewhere, device tokens, and what operators
//! can do about either (protocol notes §1.9, §1.11, §3.20).

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::device::Device;
use crate::support::gateway::{Setup, TOKEN, TestGateway};
use crate::support::schema;
use crate::support::ws::{ALL_SCOPES, Ws, connect};

/// A header that makes a client seem to come from elsewhere.
const ELSEWHERE: [(&str, &str); 1] = [("X-Forwarded-For", "203.0.113.9")];

/// Parameters of `connect` of a command line with these scopes and this `auth`.
fn asking(scopes: &[&str], auth: Value) -> Value {
    let mut params = connect(3, scopes);
    params["client"] = json!({ "id": "cli", "version": "1", "platform": "linux", "mode": "cli" });
    params["auth"] = auth;
    params
}

fn with_token(scopes: &[&str]) -> Value {
    asking(scopes, json!({ "token": TOKEN }))
}

/// Connects a device, which must be let in. Returns the connection and `auth` of `hello-ok`.
fn enter(gateway: &TestGateway, headers: &[(&str, &str)], device: &Device, params: Value) -> (Ws, Value) {
    let mut ws = Ws::open_with(gateway.port, headers);
    let answer = ws.connect_device(params, device);
    assert_eq!(answer["ok"], true, "{answer}");
    (ws, answer["payload"]["auth"].clone())
}

/// Connects a device, which must be told to be paired first. Returns `details`.
fn must_pair(gateway: &TestGateway, headers: &[(&str, &str)], device: &Device, params: Value) -> Value {
    let mut ws = Ws::open_with(gateway.port, headers);
    let answer = ws.connect_device(params, device);
    let error = &answer["error"];
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("NOT_PAIRED"), &json!("pairing required")),
        "{answer}"
    );
    assert_eq!(error["details"]["code"], "PAIRING_REQUIRED");
    assert_eq!(ws.end(), (1008, "pairing required".to_owned()));
    error["details"].clone()
}

/// What is kept of devices.
fn kept(gateway: &TestGateway, file: &str) -> Value {
    let path = gateway.state("devices").join(file);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{file}");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_device_on_this_machine_is_paired_without_a_question_and_stays_paired() {
    let gateway = TestGateway::start();
    let mut watcher = Ws::admin(&gateway);
    let device = Device::new(1);
    let (_ws, auth) = enter(&gateway, &[], &device, with_token(&ALL_SCOPES));
    let resolved = watcher.event("device.pair.resolved");
    schema::assert_event(&resolved);
    assert_eq!(
        (&resolved["payload"]["deviceId"], &resolved["payload"]["decision"]),
        (&json!(device.id()), &json!("approved"))
    );

    let paired = kept(&gateway, "paired.json")[device.id()].clone();
    assert_eq!(paired["publicKey"], device.public_key());
    assert_eq!(paired["platform"], "linux");
    assert_eq!(paired["tokens"]["operator"]["token"], auth["deviceToken"]);
    assert_eq!(paired["tokens"]["operator"]["scopes"], auth["scopes"]);
    let dir = std::fs::metadata(gateway.state("devices")).unwrap().permissions().mode() & 0o777;
    assert_eq!(dir, 0o700);
    // The same token again, for every signature version and way to write the key.
    let (_ws, again) = enter(&gateway, &[], &device, with_token(&ALL_SCOPES));
    assert_eq!(again["deviceToken"], auth["deviceToken"]);
    assert_eq!(again["issuedAtMs"], auth["issuedAtMs"]);
    let mut ws = Ws::open(gateway.port);
    let mut params = with_token(&ALL_SCOPES);
    device.prove(&mut params, ws.nonce(), 2);
    params["device"]["publicKey"] = json!(device.public_pem());
    assert_eq!(ws.connect(params)["payload"]["auth"]["deviceToken"], auth["deviceToken"]);
}

#[test]
fn a_device_token_is_a_credential_of_its_own_also_after_a_restart() {
    let setup = Setup::with(json!({}));
    let (home, device) = (setup.home().to_owned(), Device::new(2));
    let gateway = setup.start();
    let (_ws, auth) = enter(&gateway, &[], &device, with_token(&["operator.write"]));
    let token = auth["deviceToken"].as_str().unwrap().to_owned();
    let as_device_token = || json!({ "deviceToken": token });
    let as_token = || json!({ "token": token });
    for auth in [as_device_token(), as_token()] {
        // What the token grants covers what is asked for.
        let (mut ws, granted) = enter(&gateway, &[], &device, asking(&["operator.read"], auth));
        assert_eq!(granted["deviceToken"], token.as_str());
        ws.call("status", json!({}));
    }
    // Not more than was granted, not for another device, and not without the key.
    let refused = |device: Option<&Device>, scopes: &[&str], auth: Value| {
        let mut ws = Ws::open(gateway.port);
        let answer = match device {
            Some(device) => ws.connect_device(asking(scopes, auth), device),
            None => ws.connect(asking(scopes, auth)),
        };
        answer["error"]["details"]["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    assert_eq!(refused(Some(&device), &["operator.admin"], as_device_token()), "AUTH_DEVICE_TOKEN_MISMATCH");
    assert_eq!(refused(Some(&device), &["operator.admin"], as_token()), "AUTH_TOKEN_MISMATCH");
    assert_eq!(
        refused(Some(&Device::new(3)), &["operator.read"], as_device_token()),
        "AUTH_DEVICE_TOKEN_MISMATCH"
    );
    assert_eq!(refused(None, &["operator.read"], as_token()), "AUTH_TOKEN_MISMATCH");
    assert_eq!(refused(None, &["operator.read"], as_device_token()), "DEVICE_IDENTITY_REQUIRED");

    let port = gateway.port;
    let again = gateway.restart();
    assert_ne!(again.port, port);
    assert_eq!(again.home(), home);
    enter(&again, &[], &device, asking(&["operator.read"], as_device_token()));
}

#[test]
fn a_device_from_elsewhere_asks_and_an_operator_approves() {
    let gateway = TestGateway::start();
    let (mut pairing, mut reader) =
        (Ws::operator(&gateway, &["operator.pairing"]), Ws::operator(&gateway, &["operator.read"]));
    let device = Device::new(4);
    let mut params = with_token(&["operator.read"]);
    params["client"]["displayName"] = json!("Ada's phone");
    let details = must_pair(&gateway, &ELSEWHERE, &device, params.clone());
    assert_eq!(details["reason"], "not-paired");

    let requested = pairing.event("device.pair.requested");
    schema::assert_event(&requested);
    let request = &requested["payload"];
    assert_eq!(request["requestId"], details["requestId"]);
    assert_eq!(request["deviceId"], device.id());
    assert_eq!((&request["displayName"], &request["role"]), (&json!("Ada's phone"), &json!("operator")));
    assert_eq!(request["scopes"], json!(["operator.read"]));
    // Asking again is the same request.
    assert_eq!(must_pair(&gateway, &ELSEWHERE, &device, params.clone())["requestId"], details["requestId"]);
    let list = pairing.call("device.pair.list", json!({}));
    schema::assert_valid("/methods/device.pair.list/result", &list);
    assert_eq!((list["pending"].as_array().unwrap().len(), &list["paired"]), (1, &json!([])));
    assert_eq!(kept(&gateway, "pending.json").as_object().unwrap().len(), 1);

    let approved = pairing.call("device.pair.approve", json!({ "requestId": details["requestId"] }));
    schema::assert_valid("/methods/device.pair.approve/result", &approved);
    assert_eq!(
        (&approved["requestId"], &approved["device"]["deviceId"]),
        (&details["requestId"], &json!(device.id()))
    );
    let resolved = pairing.event("device.pair.resolved");
    assert_eq!(resolved["payload"]["decision"], "approved");
    let again = pairing.refusal("device.pair.approve", json!({ "requestId": details["requestId"] }));
    assert_eq!((&again["code"], &again["message"]), (&json!("INVALID_REQUEST"), &json!("unknown requestId")));

    let (_ws, auth) = enter(&gateway, &ELSEWHERE, &device, params);
    assert_eq!(auth["scopes"], json!(["operator.read"]));
    // Whoever may not pair is told nothing, but sees that numbers were used.
    let told = reader.so_far();
    assert!(
        told.iter().all(|frame| !frame["event"].as_str().unwrap_or_default().starts_with("device.")),
        "{told:?}"
    );
    // Nothing that is told or listed contains a token.
    let list = pairing.call("device.pair.list", json!({})).to_string();
    assert!(!list.contains(auth["deviceToken"].as_str().unwrap()), "{list}");
}

#[test]
fn a_request_can_be_rejected_and_made_again() {
    let gateway = TestGateway::start();
    let mut admin = Ws::admin(&gateway);
    let device = Device::new(5);
    let first = must_pair(&gateway, &ELSEWHERE, &device, with_token(&[]));
    let rejected = admin.call("device.pair.reject", json!({ "requestId": first["requestId"] }));
    assert_eq!(rejected, json!({ "requestId": first["requestId"], "deviceId": device.id() }));
    assert_eq!(admin.event("device.pair.resolved")["payload"]["decision"], "rejected");
    assert_eq!(
        admin.refusal("device.pair.reject", json!({ "requestId": first["requestId"] }))["message"],
        "unknown requestId"
    );
    let second = must_pair(&gateway, &ELSEWHERE, &device, with_token(&[]));
    assert_ne!(second["requestId"], first["requestId"]);
}

#[test]
fn a_removed_device_has_to_ask_again() {
    let gateway = TestGateway::start();
    let mut admin = Ws::admin(&gateway);
    let device = Device::new(6);
    let (_ws, auth) = enter(&gateway, &[], &device, with_token(&[]));
    assert_eq!(
        admin.call("device.pair.remove", json!({ "deviceId": device.id() })),
        json!({ "deviceId": device.id() })
    );
    let again = admin.refusal("device.pair.remove", json!({ "deviceId": device.id() }));
    assert_eq!(again["message"], "unknown deviceId");
    assert_eq!(kept(&gateway, "paired.json"), json!({}));
    let mut ws = Ws::open(gateway.port);
    let answer = ws.connect_device(asking(&[], json!({ "deviceToken": auth["deviceToken"] })), &device);
    assert_eq!(answer["error"]["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH");
    assert_eq!(must_pair(&gateway, &ELSEWHERE, &device, with_token(&[]))["reason"], "not-paired");
}

#[test]
fn tokens_are_rotated_and_revoked() {
    let gateway = TestGateway::start();
    let mut admin = Ws::admin(&gateway);
    let device = Device::new(7);
    let (_ws, auth) = enter(&gateway, &[], &device, with_token(&["operator.read", "operator.pairing"]));
    let code = |token: &Value| {
        let mut ws = Ws::open(gateway.port);
        let answer = ws.connect_device(asking(&["operator.read"], json!({ "deviceToken": token })), &device);
        if answer["ok"] == true {
            "ok".to_owned()
        } else {
            answer["error"]["details"]["code"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(code(&auth["deviceToken"]), "ok");

    let ask = json!({ "deviceId": device.id(), "role": "operator", "scopes": ["operator.read"] });
    let rotated = admin.call("device.token.rotate", ask);
    schema::assert_valid("/methods/device.token.rotate/result", &rotated);
    assert_eq!(rotated["scopes"], json!(["operator.read"]));
    assert_eq!(rotated["token"].as_str().unwrap().len(), 43);
    assert_eq!(code(&auth["deviceToken"]), "AUTH_DEVICE_TOKEN_MISMATCH");
    assert_eq!(code(&rotated["token"]), "ok");

    let too_much = json!({ "deviceId": device.id(), "role": "operator", "scopes": ["operator.admin"] });
    let message = admin.refusal("device.token.rotate", too_much)["message"].clone();
    assert_eq!(message, "requested scopes exceed the approved scopes of the device");
    let revoked = admin.call("device.token.revoke", json!({ "deviceId": device.id(), "role": "operator" }));
    schema::assert_valid("/methods/device.token.revoke/result", &revoked);
    assert_eq!(code(&rotated["token"]), "AUTH_DEVICE_TOKEN_MISMATCH");
    for method in ["device.token.rotate", "device.token.revoke"] {
        for params in [
            json!({ "deviceId": "00", "role": "operator" }),
            json!({ "deviceId": device.id(), "role": "node" }),
        ] {
            assert_eq!(admin.refusal(method, params)["message"], "unknown deviceId/role", "{method}");
        }
    }
    let list = admin.call("device.pair.list", json!({}));
    let token = &list["paired"][0]["tokens"][0];
    assert!(token["revokedAtMs"].as_u64().is_some() && token["rotatedAtMs"].as_u64().is_some(), "{token}");
    assert!(token.get("token").is_none(), "{token}");
}

#[test]
fn more_than_was_approved_is_asked_for_again() {
    let gateway = TestGateway::start();
    let mut admin = Ws::admin(&gateway);
    let device = Device::new(8);
    let first = must_pair(&gateway, &ELSEWHERE, &device, with_token(&["operator.read"]));
    admin.call("device.pair.approve", json!({ "requestId": first["requestId"] }));
    enter(&gateway, &ELSEWHERE, &device, with_token(&["operator.read"]));

    let details = must_pair(&gateway, &ELSEWHERE, &device, with_token(&["operator.read", "operator.write"]));
    assert_eq!(details["reason"], "scope-upgrade");
    let pending = admin.call("device.pair.list", json!({}))["pending"][0].clone();
    assert_eq!(pending["isRepair"], true);
    admin.call("device.pair.approve", json!({ "requestId": details["requestId"] }));
    let (_ws, auth) = enter(&gateway, &ELSEWHERE, &device, with_token(&["operator.read", "operator.write"]));
    assert_eq!(auth["scopes"], json!(["operator.read", "operator.write"]));

    // Another machine than the one that was approved, even on this machine.
    let mut moved = with_token(&["operator.read"]);
    moved["client"]["platform"] = json!("darwin");
    for headers in [&ELSEWHERE[..], &[]] {
        assert_eq!(must_pair(&gateway, headers, &device, moved.clone())["reason"], "metadata-upgrade");
    }
    moved["client"]["platform"] = json!(" LINUX ");
    enter(&gateway, &ELSEWHERE, &device, moved);
    // On this machine more scopes are granted without a question, but no other role.
    enter(&gateway, &[], &device, with_token(&ALL_SCOPES));
    let mut node = with_token(&[]);
    node["role"] = json!("node");
    assert_eq!(must_pair(&gateway, &[], &device, node)["reason"], "role-upgrade");
}

#[test]
fn what_is_asked_while_a_request_waits_is_added_to_it_and_told() {
    let gateway = TestGateway::start();
    let mut admin = Ws::admin(&gateway);
    let device = Device::new(9);
    let first = must_pair(&gateway, &ELSEWHERE, &device, with_token(&["operator.read"]));
    assert_eq!(admin.event("device.pair.requested")["payload"]["scopes"], json!(["operator.read"]));
    let second = must_pair(&gateway, &ELSEWHERE, &device, with_token(&["operator.write"]));
    assert_eq!(first["requestId"], second["requestId"]);
    // An operator who approves has been told all that is approved.
    let told = admin.event("device.pair.requested");
    assert_eq!(told["payload"]["scopes"], json!(["operator.read", "operator.write"]));
    let pending = admin.call("device.pair.list", json!({}))["pending"].clone();
    assert_eq!(pending, json!([told["payload"]]));
}

#[test]
fn a_node_needs_a_device_and_may_call_next_to_nothing() {
    let gateway = TestGateway::start();
    let device = Device::new(10);
    let mut params = connect(3, &[]);
    params["client"] = json!({ "id": "node-host", "version": "1", "platform": "linux", "mode": "node" });
    (params["role"], params["commands"]) = (json!("node"), json!(["system.run"]));
    (params["permissions"], params["pathEnv"]) = (json!({ "camera": false }), json!("/usr/bin"));
    let (mut node, auth) = enter(&gateway, &[], &device, params);
    assert_eq!((&auth["role"], &auth["scopes"]), (&json!("node"), &json!([])));
    assert_eq!(node.call("health", json!({}))["ok"], true);
    for method in ["status", "device.pair.list", "nope"] {
        assert_eq!(node.refusal(method, json!({}))["message"], "unauthorized role: node", "{method}");
    }
    assert_eq!(kept(&gateway, "paired.json")[device.id()]["roles"], json!(["node"]));
}

#[test]
fn a_page_of_another_program_is_not_paired_without_a_question() {
    let gateway = TestGateway::start();
    let local_page = [("Origin", "http://localhost:5173")];
    let device = Device::new(11);
    let mut params = connect(3, &["operator.read"]);
    assert_eq!(must_pair(&gateway, &local_page, &device, params.clone())["reason"], "not-paired");
    params["client"] =
        json!({ "id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "webchat" });
    enter(&gateway, &local_page, &Device::new(12), params);
}

#[test]
fn a_damaged_list_of_devices_stops_the_start_and_is_not_overwritten() {
    let setup = Setup::with(json!({}));
    let dir = setup.home().join(".idlehands/devices");
    std::fs::create_dir_all(&dir).unwrap();
    let damaged = "{\"d1\": {\"token\": \"tok-in-the-file\"";
    std::fs::write(dir.join("paired.json"), damaged).unwrap();
    let ran = setup.refused(0);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("paired.json: damaged at line 1, column "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("tok-in-the-file"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(dir.join("paired.json")).unwrap(), damaged);
}

/// Whoever may ask to be paired may ask often; that must not keep the gateway from starting again.
#[test]
fn many_large_requests_do_not_fill_the_file_beyond_what_is_read_back() {
    let gateway = TestGateway::start();
    let mut admin = Ws::admin(&gateway);
    let long: Vec<String> = (0..64).map(|n| format!("{n:-<128}")).collect();
    let scopes: Vec<&str> = long.iter().map(String::as_str).collect();
    let mut params = with_token(&scopes);
    params["client"]["displayName"] = json!("x".repeat(40_000));
    for seed in 0..100 {
        must_pair(&gateway, &ELSEWHERE, &Device::new(seed), params.clone());
    }
    let waiting = admin.call("device.pair.list", json!({}))["pending"].as_array().unwrap().len();
    assert_eq!(waiting, 64);
    let size = std::fs::metadata(gateway.state("devices/pending.json")).unwrap().len();
    assert!(size < 4 * 1024 * 1024, "{size}");
    let again = gateway.restart();
    Ws::admin(&again).call("device.pair.list", json!({}));

    let refused =
        |scopes: &[&str]| Ws::open(again.port).connect(with_token(scopes))["error"]["message"].clone();
    let expected = "invalid connect params: at /scopes: must NOT have more than 64 items";
    assert_eq!(refused(&["operator.read"; 65]), expected);
    let expected = "invalid connect params: at /scopes/1: must NOT have more than 128 characters";
    assert_eq!(refused(&["operator.read", &"x".repeat(129)]), expected);
}
