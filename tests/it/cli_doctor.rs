//! The doctor where nothing is installed, and what it makes of files that are none.

use serde_json::Value;

use crate::support::TestHome;

fn look(home: &TestHome, args: &[&str]) -> (i32, Value) {
    let ran = home.run(args.iter().copied());
    let answer = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    (ran.code, answer)
}

#[test]
fn a_look_at_nothing_finds_nothing_wrong_and_changes_nothing() {
    let home = TestHome::new();
    let (code, answer) = look(&home, &["--profile", "t1", "doctor", "--json"]);
    assert_eq!((code, &answer["schema"], &answer["ok"]), (0, &1.into(), &true.into()), "{answer:#}");
    assert_eq!(answer["unit"], "idlehands-gateway-t1.service");
    let ids: Vec<&str> =
        answer["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"definition.not-installed"), "{answer:#}");
    assert!(!home.path().join(".idlehands-t1").exists());
}

#[test]
fn force_is_for_repairs_alone() {
    let ran = TestHome::new().run(["doctor", "--force"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

/// Whatever stands where the unit, a drop-in, the record or the configuration should be is a finding, and stays.
#[test]
fn files_that_are_none_are_told_and_left_alone() {
    let home = TestHome::new();
    let units = home.path().join(".config/systemd/user");
    let drop_ins = units.join("idlehands-gateway-t1.service.d");
    let service = home.path().join(".idlehands-t1/service");
    for dir in [&drop_ins, &service] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let hostile: [&[u8]; 8] = [
        b"",
        b"\xff\xfe\x00",
        b"[Service]\nExecStart=\"/bin/a\\",
        b"[Service\nExecStart\n=\n[[]]\n%%%h%",
        b"{\"version\":1,\"unit\":[]}",
        b"\n\n\\\n\\\n#\\\n;",
        b"[Service]\nEnvironment=\"A=\x01 %n\" B='\nTimeoutStopSec=99999999999999999999999y\nUMask=777777777777777777777\n",
        &[b'['; 2000],
    ];
    let places = [
        units.join("idlehands-gateway-t1.service"),
        units.join("openclaw-gateway.service"),
        drop_ins.join("x.conf"),
        service.join("record.json"),
        home.path().join(".idlehands-t1/idlehands.json"),
    ];
    for bytes in hostile {
        for place in &places {
            std::fs::write(place, bytes).unwrap();
        }
        for args in [
            &["--profile", "t1", "doctor", "--json"][..],
            &["--profile", "t1", "doctor", "--json", "--fix", "--yes"],
        ] {
            let (code, answer) = look(&home, args);
            assert_eq!((code, &answer["ok"]), (6, &false.into()), "{bytes:?}: {answer:#}");
        }
        for place in [&places[0], &places[1], &places[2], &places[3]] {
            assert_eq!(std::fs::read(place).unwrap(), bytes, "{} was changed", place.display());
        }
    }
}
