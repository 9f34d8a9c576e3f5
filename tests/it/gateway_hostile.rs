//! Whatever is thrown at it, the gateway stays up and goes on answering others. Inputs are random; a failure prints the
//! smallest one that was found.

use std::cell::RefCell;
use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::support::gateway::TestGateway;
use crate::support::schema;
use crate::support::ws::{Next, Ws, connect, raw_frame, upgrade};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() })
}

/// Any JSON, small; words of the protocol are likelier than others.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("req".to_owned()),
        Just("connect".to_owned()),
        Just("health".to_owned()),
        Just("id".to_owned()),
        Just("operator.admin".to_owned()),
        Just("cli".to_owned()),
        Just(String::new()),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("type".to_owned()),
        Just("id".to_owned()),
        Just("method".to_owned()),
        Just("params".to_owned()),
        Just("client".to_owned()),
        Just("auth".to_owned()),
        Just("text".to_owned()),
        Just("requestId".to_owned()),
        word,
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((key.clone(), inner), 0..5)
                .prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A frame as it should be, as it should not be, or bytes.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload =
        prop_oneof![vec(any::<u8>(), 0..300), any_json().prop_map(|value| value.to_string().into_bytes())];
    let good = (
        payload.clone(),
        prop_oneof![Just(0x81_u8), Just(0x82), Just(0x89), Just(0x8a), Just(0x88), Just(0x01)],
    );
    let odd = (payload.clone(), any::<u8>(), any::<bool>());
    prop_oneof![
        4 => good.prop_map(|(payload, first)| raw_frame(first, true, &payload)),
        1 => odd.prop_map(|(payload, first, masked)| raw_frame(first, masked, &payload)),
        1 => payload,
    ]
}

/// A gateway, and a client of it that must not notice anything.
struct Watched {
    gateway: TestGateway,
    friend: RefCell<Ws>,
}

impl Watched {
    fn start() -> Self {
        let gateway = TestGateway::start();
        let friend = RefCell::new(Ws::admin(&gateway));
        Self { gateway, friend }
    }

    /// It is the same process and answers its friend.
    fn is_well(&self) -> bool {
        let health = self.friend.borrow_mut().request("health", json!({}));
        health["ok"] == true && std::path::Path::new(&format!("/proc/{}", self.gateway.pid())).exists()
    }
}

#[test]
fn bytes_before_an_upgrade_do_no_harm() {
    let watched = Watched::start();
    let gateway = &watched.gateway;
    let request = prop_oneof![
        vec(any::<u8>(), 0..400),
        "(GET|POST|FOO) /[a-z%./]{0,20} HTTP/1.[01]\r\n([A-Za-z-]{1,20}: [ -~]{0,40}\r\n){0,6}\r\n"
            .prop_map(String::into_bytes),
        "[ -~]{0,10}".prop_map(|value| {
            crate::support::ws::upgrade_request(
                1,
                &[("Sec-WebSocket-Key", &value), ("Connection", "Upgrade")],
            )
            .into_bytes()
        }),
    ];
    let tried = runner(400).run(&request, |bytes| {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
        let _ = stream.write_all(&bytes);
        drop(stream);
        prop_assert!(watched.is_well());
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn frames_of_strangers_do_no_harm() {
    let watched = Watched::start();
    let gateway = &watched.gateway;
    let tried = runner(400).run(&vec(any_frame(), 1..4), |frames| {
        let (mut stream, _) = upgrade(gateway.port, &[]);
        for frame in frames {
            let _ = stream.write_all(&frame);
        }
        drop(stream);
        prop_assert!(watched.is_well());
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn frames_of_clients_are_answered_ignored_or_end_the_connection() {
    let watched = Watched::start();
    let gateway = &watched.gateway;
    let tried = runner(400).run(&vec(any_frame(), 1..6), |frames| {
        let mut client = Ws::admin(gateway);
        for frame in &frames {
            let _ = client.stream().write_all(frame);
        }
        // A close of its own, so that there is an end to wait for unless one of the frames swallowed it.
        let _ = client.stream().write_all(&raw_frame(0x88, true, &1000_u16.to_be_bytes()));
        let _ = client.stream().shutdown(std::net::Shutdown::Write);
        loop {
            match client.next() {
                Next::Frame(frame) if frame["type"] == "res" => {
                    schema::assert_valid("/frames/response", &frame)
                }
                Next::Frame(_) => {}
                Next::Closed(code, _) => {
                    prop_assert!((1000..5000).contains(&code), "{code}");
                    break;
                }
                Next::Gone => break,
            }
        }
        prop_assert!(watched.is_well());
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn a_connect_that_was_tampered_with_is_refused_or_accepted_but_always_answered() {
    let gateway = TestGateway::start();
    let fields = prop_oneof![
        Just("minProtocol"),
        Just("maxProtocol"),
        Just("client"),
        Just("role"),
        Just("scopes"),
        Just("auth"),
        Just("device"),
        Just("caps"),
        Just("locale"),
        Just("permissions"),
        Just("unknown"),
    ];
    let tried = runner(600).run(&vec((fields, any_json()), 1..3), |changes| {
        let mut params = connect(3, &["operator.read"]);
        for (field, value) in changes {
            params[field] = value;
        }
        let mut ws = Ws::open(gateway.port);
        let answer = ws.connect(params);
        schema::assert_valid("/frames/response", &answer);
        if answer["ok"] == false {
            let (code, reason) = ws.end();
            let message = answer["error"]["message"].as_str().unwrap();
            prop_assert!(
                [1002, 1008].contains(&code) && message.starts_with(reason.as_str()),
                "{code} {reason} {message}"
            );
        }
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn every_method_answers_any_parameters_once_and_as_described() {
    let gateway = TestGateway::start();
    let ws = RefCell::new(Ws::admin(&gateway));
    let methods: Vec<String> = schema::document()["methods"].as_object().unwrap().keys().cloned().collect();
    let tried = runner(400).run(&(proptest::sample::select(methods), any_json()), |(method, params)| {
        let mut ws = ws.borrow_mut();
        let answer = ws.request(&method, params);
        if answer["ok"] == true {
            schema::assert_valid(&format!("/methods/{method}/result"), &answer["payload"]);
        } else {
            schema::assert_valid("/frames/response", &answer);
            prop_assert!(
                ["INVALID_REQUEST", "UNAVAILABLE"].contains(&answer["error"]["code"].as_str().unwrap())
            );
        }
        for frame in ws.so_far_without_asking() {
            prop_assert_eq!(&frame["type"], "event");
        }
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn depth_is_no_way_in() {
    let watched = Watched::start();
    let gateway = &watched.gateway;
    for depth in [100, 10_000, 3_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let mut ws = Ws::admin(gateway);
            ws.send_text(format!(r#"{{"type":"req","id":"deep","method":"wake","params":{nested}}}"#));
            let answer = ws.response("deep");
            assert_eq!(answer["ok"], false);
            ws.send_text(nested);
            ws.call("health", json!({}));
        }
        assert!(watched.is_well());
    }
}
