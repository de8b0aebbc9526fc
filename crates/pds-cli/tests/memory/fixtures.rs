//! Other people's hostile files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bounded;
use crate::common::{Home, fixtures};

fn cars(folder: &str) -> Vec<PathBuf> {
    let Some(dir) = fixtures().map(|fixtures| fixtures.join(folder)) else { return Vec::new() };
    let mut cars: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    cars.retain(|path| path.extension().is_some_and(|ending| ending == "car"));
    cars.sort();
    assert!(!cars.is_empty(), "no files in {folder}");
    cars
}

fn name(car: &Path) -> &str {
    car.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_hostile_file_is_refused_in_bounds() {
    for car in cars("hostile-cars").into_iter().chain(cars("repo-cases")) {
        let (home, bytes) = (Home::new(), fs::metadata(&car).unwrap().len());
        let bytes = usize::try_from(bytes).unwrap();
        let file = car.to_str().unwrap();
        for args in [
            &["verify", file][..],
            &["verify", file, "--json"],
            &["clone", file, "copy"],
            &["-R", file, "info"],
            &["-R", file, "ls", "--all"],
            &["-R", file, "log"],
            &["-R", file, "unpack", "out"],
            &["diff", file, file],
            &["recover", file],
            &["recover", file, "records", "-o", "recovered.car"],
        ] {
            let ended = bounded(home.pds(args.iter().map(|arg| (*arg).to_owned())), bytes);
            assert!(matches!(ended.code(), 0 | 1 | 3 | 6), "{args:?}: {}", ended.code());
            let cloned = args[0] == "clone" && ended.code() == 0;
            assert!(args[0] != "clone" || home.dir().join("copy").exists() == cloned, "{file}");
            ended.text();
        }
        assert!(home.list(".").iter().all(|entry| !entry.starts_with('.')), "{file}");
    }
}

#[test]
fn every_case_is_judged_as_its_maker_did() {
    for car in cars("repo-cases") {
        let home = Home::new();
        let expected = fs::read(car.with_file_name("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let case = &expected[name(&car)];
        let mut args = vec!["verify", car.to_str().unwrap(), "--json"];
        args.extend(["--did", case["expected_did"].as_str().unwrap()]);
        if let Some(key) = case["signing_key"].as_str() {
            args.extend(["--key", key]);
        }
        let ended = home.pds(args.iter().map(|arg| (*arg).to_owned())).ended();
        let report: Value = serde_json::from_str(&ended.text()).unwrap();
        assert_eq!(report["ok"], ended.code() == 0, "{}", name(&car));
        match case["expect"].as_str().unwrap() {
            "accept" | "accept-legacy" => assert_eq!(ended.code(), 0, "{args:?}"),
            "reject" | "limit" => assert!(matches!(ended.code(), 1 | 3), "{args:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_real_repository_goes_in_and_comes_out_whole() {
    for car in cars("cars") {
        let home = Home::new();
        let file = car.to_str().unwrap();
        let bytes = usize::try_from(fs::metadata(&car).unwrap().len()).unwrap();
        let cloned = bounded(home.pds(["clone", file, "copy"]), bytes);
        if cloned.code() != 0 {
            assert!(!cloned.stderr.is_empty(), "{file}");
            continue;
        }
        home.pds(["-R", "copy", "export", "-o", "again.car"]).ended().done();
        bounded(home.pds(["diff", file, "again.car"]), 2 * bytes).done();
        let list = |source: &str| home.pds(["-R", source, "ls", "--all"]).ok();
        assert_eq!(list(file), list("copy"), "{file}");
    }
}
