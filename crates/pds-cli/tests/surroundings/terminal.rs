//! Output to a terminal, and to everything else.

use crate::common::{Home, TestRepo};

/// Runs a line of shell on a terminal; `None` where there is no program that makes one.
fn on_a_terminal(home: &Home, line: &str) -> Option<String> {
    if !home.command("script").arg("--version").output().is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: no script(1) here");
        return None;
    }
    let mut command = home.command("script");
    command.env("TERM", "xterm-256color").args(["-qec", line, "/dev/null"]);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn colour_is_for_terminals_and_no_color_is_respected() {
    let repo = TestRepo::with_notes();
    let failing = "pds -R alice verify --did did:web:bob.example.com";
    for line in ["pds --help", "pds -R alice get com.example.note/x", failing] {
        let Some(coloured) = on_a_terminal(&repo.home, line) else { return };
        assert!(coloured.contains('\x1b'), "{line}: {coloured:?}");
        let plain = on_a_terminal(&repo.home, &format!("NO_COLOR=1 {line}")).unwrap();
        assert!(!plain.contains('\x1b'), "{line}: {plain:?}");
        // An empty variable counts as none (no-color.org).
        let empty = on_a_terminal(&repo.home, &format!("NO_COLOR= {line}")).unwrap();
        assert!(empty.contains('\x1b'), "{line}: {empty:?}");
        for redirected in [format!("{line} 2>&1 | cat"), format!("{line} 2>&1 | cat; true")] {
            let piped = on_a_terminal(&repo.home, &redirected).unwrap();
            assert!(!piped.contains('\x1b'), "{redirected}: {piped:?}");
        }
    }
    // All other tests check that there are no escape codes.
    repo.home.pds(["--help"]).env("TERM", "xterm-256color").ok();
    assert_eq!(repo.home.sh(failing).ended().code(), 1);
}

#[test]
fn bytes_are_not_for_terminals() {
    let repo = TestRepo::with_notes();
    let Some(said) = on_a_terminal(&repo.home, "pds -R alice export; echo $?") else { return };
    assert_eq!(
        said,
        "\x1b[1m\x1b[31merror:\x1b[0m a CAR file cannot be written to a terminal; use -o FILE\r\n2\r\n"
    );
}
