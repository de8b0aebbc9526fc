//! The round trip of real repositories.

use super::data;
use crate::common::{Home, fixtures};

#[test]
fn real_repositories_come_back_with_the_same_root() {
    let Some(fixtures) = fixtures() else { return };
    let mut count = 0;
    for entry in std::fs::read_dir(fixtures.join("cars")).unwrap() {
        let car = entry.unwrap().path();
        if car.extension().is_none_or(|ending| ending != "car") {
            continue;
        }
        let home = Home::new();
        let car = car.to_str().unwrap();
        let verified = home.pds(["verify", car, "--json"]).ended().text();
        let Ok(report) = serde_json::from_str::<serde_json::Value>(&verified) else { continue };
        let findings = report["findings"].as_array().unwrap();
        let is_about_records = |stage: &serde_json::Value| {
            stage != "completeness" && stage != "car" && stage != "signature"
        };
        let invalid = findings
            .iter()
            .any(|finding| finding["severity"] != "note" && is_about_records(&finding["stage"]));
        if report["complete"] != true || invalid || report["did"].is_null() {
            continue;
        }
        home.pds(["init", "copy", "--did", report["did"].as_str().unwrap()]).ok();
        let exported = home.pds(["-R", car, "export", "--format", "ndjson", "-o", "a"]).ended();
        assert_eq!(exported.code(), 0, "{car}: {}", exported.stderr);
        home.pds(["-R", "copy", "apply", "a", "--allow-missing-blobs"]).ok();
        assert_eq!(data(&home, "copy"), report["data"], "{car}");
        home.pds(["init", "again", "--did", report["did"].as_str().unwrap()]).ok();
        home.pds(["-R", car, "unpack", "files", "--portable"]).ended().done();
        home.pds(["-R", "again", "apply", "files", "--allow-missing-blobs"]).ok();
        assert_eq!(data(&home, "again"), report["data"], "{car}");
        count += 1;
    }
    assert!(count > 5, "{count}");
}
