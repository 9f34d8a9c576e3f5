//! The README says what is so.

use crate::support::TestHome;

const README: &str = include_str!("../../README.md");

/// The exit codes are documented in the README and in `--help`, and both are the one table.
#[test]
fn exit_codes_are_those_of_the_help() {
    let help = TestHome::new().run(["--help"]).stdout;
    let rows: Vec<(&str, &str)> = README
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(code, _)| code.parse::<u8>().is_ok())
        .collect();
    assert_eq!(rows.len(), 13);
    for (code, meaning) in rows {
        assert!(
            help.contains(&format!("{code:>4}  {meaning}")),
            "--help does not say: {code} {meaning}\n{help}"
        );
    }
}

/// Two set-up commands at the top, and no more.
#[test]
fn it_opens_with_the_two_commands() {
    let top = README.split("\n## ").next().unwrap();
    let blocks: Vec<&str> = top.split("```").skip(1).step_by(2).collect();
    let run = "bash\ncargo run --release -- --dev gateway --allow-unconfigured\n";
    assert_eq!(blocks, [run, "bash\nscripts/test\n"]);
}
