//! Input that is far too large.

use super::bounded;
use crate::common::TestRepo;

#[test]
fn json_that_is_too_much_is_refused_in_bounds() {
    let repo = TestRepo::new();
    let digits = format!("{{\"n\":{}}}", "9".repeat(2_000_000));
    let fraction = format!("{{\"n\":0.5{}}}", "9".repeat(2_000_000));
    let exponent = format!("{{\"n\":1e{}}}", "9".repeat(2_000_000));
    let brackets = "[".repeat(2 << 20);
    let maps = "{\"a\":".repeat(400_000);
    let nulls = format!("{{\"a\":[{}null]}}", "null,".repeat(400_000));
    let keys: String = (0..150_000).map(|n| format!("\"k{n}\":1,")).collect();
    let keys = format!("{{{keys}\"$type\":\"com.example.note\"}}");
    let text = format!("{{\"text\":\"{}\"}}", "x".repeat(1_990_000));
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(5_000_000));
    let many = format!("{{\"a\":[{}null]}}", "0,".repeat(8_000_000));
    let pairs: String = (0..1_500_000).map(|n| format!("\"{n}\":0,")).collect();
    let pairs = format!("{{{pairs}\"a\":0}}");
    let all = [digits, fraction, exponent, brackets, maps, nulls, keys, text, long, many, pairs];
    for input in all {
        let start: String = input.chars().take(12).collect();
        let bytes = input.len();
        for args in [&["put", "com.example.note/a"][..], &["apply"]] {
            let ended = bounded(repo.pds(args.iter().copied()).stdin(input.clone()), bytes);
            assert_eq!(ended.code(), 3, "{start}: {}", ended.stderr);
            assert!(ended.stderr.len() < 1000, "{start}");
        }
    }
    for endless in ["x", " ", "\\n", "["] {
        let line =
            format!("tr '\\0' '{endless}' < /dev/zero | exec pds -R alice put com.example.note/a");
        assert_eq!(bounded(repo.home.sh(&line), 0).code(), 3);
    }
    assert_eq!(repo.pds(["ls"]).ok(), "");
}

#[test]
fn a_line_without_end_is_refused_in_bounds() {
    let repo = TestRepo::new();
    for producer in ["tr '\\0' x < /dev/zero", "cat /dev/zero", "yes ' ' | tr -d '\\n'"] {
        for args in ["apply", "apply --batch 1", "key import -"] {
            let line = format!("{producer} | pds -R alice {args}; exit $?");
            let ended = repo.home.sh(&line).ended();
            assert_eq!(ended.code(), 3, "{line}: {}", ended.stderr);
        }
    }
    let hundred_megabytes = "head -c 100000000 /dev/zero | tr '\\0' '[' > line";
    repo.home.sh(hundred_megabytes).ok();
    let ended = bounded(repo.pds(["apply", &repo.home.path("line")]), 0);
    assert_eq!(ended.stderr, "error: line 1 is longer than 18004096 bytes\n");
    assert_eq!(bounded(repo.pds(["put", "a.b.c/d", &repo.home.path("line")]), 0).code(), 3);
}

#[test]
fn a_blob_of_any_size_streams() {
    let repo = TestRepo::new();
    repo.home.sh("head -c 150000000 /dev/zero > large").ok();
    let large = repo.home.path("large");
    let put = bounded(repo.pds(["blob", "put", &large]), 0).done();
    let cid = put.split('"').find(|word| word.starts_with("baf")).unwrap();
    let get = repo.home.sh(&format!("exec pds -R alice blob get {cid} > again"));
    bounded(get, 0).done();
    assert_eq!(bounded(repo.home.pds(["cid", "again"]), 0).done().trim(), cid);
    assert_eq!(bounded(repo.pds(["blob", "check"]), 0).done(), "1 intact, 0 damaged\n");
}
