//! `docs/guide-network.md`: its commands are run, and print what the page says.

use std::path::Path;
use std::process::Command;

use pds_e2e::home::binary;
use pds_e2e::{Account, Home, Servers, page};

#[test]
fn the_guide_says_what_happens() {
    let Some(servers) = Servers::shared() else { return };
    for handle in ["alice.test", "bob.test"] {
        let account = Account::named(servers, 0, handle);
        account.act("fill", &[]);
    }
    let home = Home::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/guide-network.md")).unwrap();
    let paths = std::env::var_os("PATH").unwrap();
    let own = binary().parent().unwrap().to_owned();
    let path =
        std::env::join_paths([own].into_iter().chain(std::env::split_paths(&paths))).unwrap();
    let steps = page::steps(&text);
    assert!(steps.len() >= 9, "there is something on the page");
    for step in steps {
        step.run(home.dir(), &|mut shell: Command| {
            shell.env("PATH", &path).env("ATP_PLC_HOST", servers.plc());
            shell.env("DATA", servers.dir().join("pds0"));
            shell.env("PDS_RESOLVER", &servers.host(0).url).env("PDS_ALLOW_PRIVATE", "1");
            shell
        });
    }
}
