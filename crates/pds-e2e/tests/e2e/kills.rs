//! The harness that kills a process at a chosen moment.

use std::process::Command;
use std::time::Duration;

use pds_e2e::kill::{End, Moment, run};
use pds_e2e::{Account, Liar, Servers, servers};

/// A process that fetches addresses one after another, and prints the bytes of each body.
fn fetch(urls: &[String]) -> Command {
    let mut command = servers::node();
    let script = "for (const url of process.argv.slice(1))
        console.log((await (await fetch(url)).arrayBuffer()).byteLength)";
    command.args(["--input-type=module", "-e", script]).args(urls);
    command
}

#[test]
fn a_process_is_killed_at_a_byte_a_request_or_a_time() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    account.act("bulk", &["300"]);
    let liar = Liar::before(&account.host().url);
    let url = |method: &str| account.sync_url(liar.url(), method);
    let urls = [url("getLatestCommit"), url("getRepo"), url("getRepo")];
    let whole = account.sync("getRepo", "").body.len();
    let first = account.sync("getLatestCommit", "").body.len();
    let printed = format!("{first}\n{whole}\n");

    let cases = [
        (Moment::Bytes(1), String::new()),
        (Moment::Bytes((first + whole / 2) as u64), format!("{first}\n")),
        (Moment::Bytes((first + whole + 1) as u64), printed.clone()),
        (Moment::Request("getRepo".to_owned(), 0), format!("{first}\n")),
        (Moment::Request("getRepo".to_owned(), 1), printed.clone()),
        (Moment::Time(Duration::ZERO), String::new()),
    ];
    for (moment, printed) in cases {
        let End::Killed(ended) = run(&mut fetch(&urls), &liar, &moment) else {
            panic!("not killed at {moment:?}")
        };
        assert_eq!((ended.code, ended.stdout), (None, printed), "{moment:?}");
    }
    for moment in [Moment::Bytes(u64::MAX), Moment::Request("getRepo".to_owned(), 2)] {
        let End::Finished(ended) = run(&mut fetch(&urls), &liar, &moment) else {
            panic!("killed at {moment:?}")
        };
        assert_eq!(ended.with(0), format!("{printed}{whole}\n"));
    }
}
