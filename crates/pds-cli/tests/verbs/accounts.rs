//! Names of accounts and hosts, and options about them, that are not valid. No host is asked.

use crate::common::Home;

#[test]
fn a_source_that_can_only_be_an_account_is_judged_as_one() {
    let home = Home::new();
    for (source, reason) in [
        ("alice..test", "use a handle, a DID"),
        ("@alice", "use a handle, a DID"),
        ("did:plc:short", "a did:plc has 24 characters"),
        ("did:web:example.com:user", "has no path"),
        ("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "only did:plc and did:web"),
        ("ftp://example.com", "use a handle, a DID"),
    ] {
        let said = home.pds(["clone", source]).fails(2);
        let start = format!("error: \"{source}\" is no account: ");
        assert!(said.starts_with(&start) && said.contains(reason), "{said}");
        assert!(said.ends_with("hint: a path begins with ./ or /\n"), "{said}");
        let said = home.pds(["identity", "show", source]).fails(2);
        assert!(said.contains(reason), "{said}");
    }
    for path in ["notes", "./alice..test", "dir/alice..test", "alice..car"] {
        let said = home.pds(["clone", path]).ended();
        assert_ne!(said.code(), 2, "{}", said.stderr);
    }
    home.write("alice..test", "no file of this kind");
    home.pds(["clone", "alice..test"]).fails(3);
}

#[test]
fn sizes_have_units() {
    let home = Home::new();
    for option in ["--max-repo", "--max-blob"] {
        for size in ["1EB", "1.5GiB", "-1"] {
            let said = home.pds(["identity", "show", "a.local", &format!("{option}={size}")]);
            assert!(said.fails(2).contains("a size such as 8GiB or 500MB"));
        }
        // The name is refused before any host is asked.
        home.pds(["identity", "show", "a.local", option, "8GiB"]).fails(4);
    }
}
