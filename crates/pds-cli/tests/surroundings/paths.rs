//! Directory names with spaces, letters of all scripts, and special characters.

use crate::common::{DID, Home};

const NAMES: [&str; 7] = [
    "with spaces and  more",
    "ünïcode – 日本語 🦀",
    "per%cent%20 and ?query#hash",
    "quote's \"and\" $HOME `x` \\",
    "file:uri?mode=memory",
    "-R",
    "new\nline",
];

#[test]
fn a_repository_may_lie_in_a_directory_of_any_name() {
    for name in NAMES {
        let home = Home::new();
        std::fs::create_dir(home.path(name)).unwrap();
        let dir = format!("./{name}/repo of {name}");
        let pds = |args: &[&str]| {
            let args = ["-R", &dir].into_iter().chain(args.iter().copied());
            home.pds(args.map(str::to_owned)).stdin("{\"text\":\"x\"}")
        };
        home.pds(["init", &dir, "--did", DID]).ok();
        pds(&["put", "com.example.note/a"]).ok();
        pds(&["blob", "put", "-"]).ok();
        pds(&["verify", "--blobs"]).ok();
        let file = format!("./{name}/{name}.car");
        pds(&["export", "-o", &file]).ended().done();
        home.pds(["verify", &file]).ok();
        home.pds(["ls", "--at", &file]).ok();
        let out = format!("./{name}/{name}.out");
        pds(&["unpack", &out]).ok();
        std::fs::create_dir(home.path("elsewhere")).unwrap();
        home.pds(["clone", &format!(".{file}")]).within(home.path("elsewhere")).ok();
        assert_eq!(home.list("elsewhere"), [name]);
        // A name that a database might take for a URI.
        let set = home.pds([&format!("--repo={name}"), "ref", "set", "side", "HEAD"]);
        set.within(home.path("elsewhere")).ok();
        let inside = home.dir().join(&dir);
        home.pds(["ls"]).within(inside).ok();
    }
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_text_is_as_good_as_any() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let dir = OsStr::from_bytes(b"not \xff text");
    let args = |rest: &[&str]| {
        let rest = rest.iter().map(OsString::from);
        [OsString::from("-R"), dir.to_owned()].into_iter().chain(rest).collect::<Vec<_>>()
    };
    home.pds([OsStr::new("init"), dir, OsStr::new("--did"), OsStr::new(DID)]).ok();
    home.pds(args(&["put", "com.example.note/a"])).stdin("{}").ok();
    home.pds(args(&["verify"])).ok();
    let car = OsStr::from_bytes(b"\xfe.car");
    home.pds(args(&["export", "-o"]).into_iter().chain([car.to_owned()])).ended().done();
    home.pds([OsStr::new("verify"), car]).ok();
    home.pds([OsStr::new("-R"), car, OsStr::new("ls")]).ok();
}

#[test]
fn a_directory_that_has_gone_is_an_error_and_no_panic() {
    let home = Home::new();
    std::fs::create_dir(home.path("here")).unwrap();
    let said = home.sh("cd here && rmdir ../here && pds ls").fails(1);
    assert!(said.starts_with("error: cannot find the current directory: "), "{said}");
}

#[test]
fn a_symbolic_link_to_a_repository_is_that_repository() {
    let home = Home::new();
    home.pds(["init", "real/alice", "--did", DID]).ok();
    assert!(home.command("ln").args(["-s", "real/alice", "link"]).status().unwrap().success());
    home.pds(["-R", "link", "put", "com.example.note/a"]).stdin("{}").ok();
    assert_eq!(home.pds(["-R", "real/alice", "ls"]).ok(), "com.example.note\t1\n");
    assert_eq!(home.list("real"), ["alice"]);
}
