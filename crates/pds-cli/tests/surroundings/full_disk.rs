//! A disk that is full, and a limit on the size of files.

use super::with_mounts;
use crate::common::{Car, Home, TestRepo, creations, note};

/// A long text for a record.
fn long(n: usize) -> String {
    format!("{{\"text\":\"{}\"}}", "x".repeat(n))
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_leaves_the_repository_whole() {
    let repo = TestRepo::with_many_notes(100);
    repo.home.write("long.json", long(300_000));
    repo.home.write("lines", creations(1000..6000));
    let car =
        Car::of((0..5000).map(|n| (format!("com.example.note/n{n}").into_bytes(), note("x"))));
    let car = Car { commit: car.commit.clone(), blocks: car.blocks };
    repo.home.write("large.car", car.file());
    let before = repo.head();
    for limit in [1, 16, 64, 128, 200, 256] {
        for args in [
            "-R alice put com.example.note/long long.json",
            "-R alice apply lines",
            "-R alice blob put large.car",
            "-R alice export -o out.car --force",
            "clone large.car copy",
        ] {
            let ended = repo.home.sh(&format!("ulimit -f {limit}; exec pds {args}")).ended();
            let said = &ended.stderr;
            assert!(matches!(ended.code(), 0 | 1), "{limit} {args}: {said}");
            if ended.code() == 0 {
                assert!(limit >= 16 && args.contains("export"), "{limit} {args}");
                continue;
            }
            let reason = ["no space left for the store", "File too large"];
            assert!(reason.iter().any(|reason| said.contains(reason)), "{limit} {args}: {said}");
            assert!(said.contains("free some space and try again"), "{limit} {args}: {said}");
            let listed = repo.home.sh(&format!("ulimit -f {limit}; exec pds -R alice ls")).ok();
            assert_eq!(listed, "com.example.note\t100\n");
            assert_eq!(repo.head(), before, "{limit} {args}");
            repo.assert_whole();
        }
    }
    assert!(repo.home.list(".").iter().all(|name| !name.starts_with('.') && name != "copy"));
    repo.put("afterwards", "x");
    repo.assert_whole();
}

#[test]
fn a_disk_that_fills_up_loses_nothing_that_was_acknowledged() {
    let home = Home::new();
    std::fs::create_dir(home.path("disk")).unwrap();
    home.write("long.json", long(20_000));
    home.write("large", [7; 300_000]);
    let line = "mount -t tmpfs -o size=700k none disk && cd disk && \
        head -c 100000 /dev/zero > filler && \
        pds init alice --did did:web:alice.example.com > /dev/null && cd alice && \
        count=0; \
        while pds put com.example.note/n$count ../../long.json > /dev/null 2> ../../said || \
            { code=$?; false; }; do count=$((count + 1)); done; \
        echo $code $count $(pds ls); cat ../../said; \
        pds blob put ../../large; echo $?; \
        pds verify --blobs > /dev/null; echo $?; \
        rm ../filler; \
        pds put com.example.note/last ../../long.json | wc -l; \
        pds blob put ../../long.json > /dev/null; echo $?; \
        pds verify --blobs > /dev/null; echo $?; ls blobs | wc -l";
    let Some(run) = with_mounts(&home, line) else { return };
    let ended = run.ended();
    let said = ended.text();
    let lines: Vec<&str> = said.lines().collect();
    let [first, error, hint, blob, verified, last, blob_again, verified_again, blobs] = &lines[..]
    else {
        panic!("{said}\n{}", ended.stderr)
    };
    assert_eq!(blobs.trim(), "1", "{said}");
    let words: Vec<&str> = first.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("1", "com.example.note"), "{said}");
    assert_eq!(words[1], words[3], "acknowledged and found: {said}");
    assert_eq!(*error, "error: no space left for the store: database or disk is full");
    assert_eq!(*hint, "hint: nothing was changed; free some space and try again");
    assert_eq!([blob, verified, last, blob_again, verified_again], [&"1", &"0", &"1", &"0", &"0"]);
    assert!(ended.stderr.contains("No space left on device"), "{}", ended.stderr);
}

#[test]
fn nothing_half_made_is_left_where_there_is_no_room_for_it() {
    let home = Home::new();
    std::fs::create_dir(home.path("disk")).unwrap();
    let car =
        Car::of((0..3000).map(|n| {
            (format!("com.example.note/n{n}").into_bytes(), note(&format!("number {n}")))
        }));
    home.write("large.car", car.file());
    let line = "mount -t tmpfs -o size=200k none disk && cd disk && \
        pds init alice --did did:web:alice.example.com > /dev/null; echo $?; ls -A; \
        pds clone ../large.car copy; echo $?; ls -A; \
        mkdir empty; pds clone ../large.car empty; echo $?; ls -A . empty; \
        pds -R ../large.car export -o out.car; echo $?; ls -A; \
        pds -R ../large.car unpack out; echo $?";
    let Some(run) = with_mounts(&home, line) else { return };
    let ended = run.ended();
    let said = ended.text();
    let expected = [
        "0", "alice", "1", "alice", "1", ".:", "alice", "empty", "", "empty:", "1", "alice",
        "empty", "1",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{}", ended.stderr);
    for line in ended.stderr.lines().filter(|line| !line.starts_with("hint: ")) {
        let space = line.contains("No space left on device") || line.contains("disk is full");
        assert!(line.starts_with("error: ") && space, "{line}");
    }
}

#[test]
fn a_change_is_reported_as_done_even_if_its_answer_cannot_be_written() {
    if !std::path::Path::new("/dev/full").exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    let repo = TestRepo::with_notes();
    repo.home.write("note.json", r#"{"text":"x"}"#);
    repo.home.write("photo.jpg", "not a photo");
    repo.export("backup.car");
    for args in [
        "-R alice put com.example.dup note.json",
        "-R alice rm com.example.note/a",
        "-R alice ref set here HEAD",
        "-R alice reset HEAD~1",
        "-R alice blob put photo.jpg",
        "-R alice gc --keep 1",
        "-R alice unpack records",
        "recover backup.car -o found.car",
        "recover backup.car found",
        "clone backup.car copy",
        "init another --did did:web:another.example.com",
    ] {
        let ended = repo.home.sh(&format!("exec pds {args} > /dev/full")).ended();
        assert_eq!(ended.code(), 6, "{args}: {}", ended.stderr);
        assert!(ended.stderr.contains("the command succeeded"), "{args}: {}", ended.stderr);
        assert!(!ended.stderr.contains("try again"), "{args}: {}", ended.stderr);
    }
    // If nothing was done, this is an ordinary failure.
    let ended = repo.home.sh("exec pds -R alice ls > /dev/full").ended();
    assert_eq!(ended.code(), 1, "{}", ended.stderr);
    repo.assert_whole();
}

#[test]
fn a_pipe_that_does_not_fit_on_the_disk_leaves_a_part_of_it_free() {
    let home = Home::new();
    std::fs::create_dir(home.path("disk")).unwrap();
    let car =
        Car::of((0..3000).map(|n| {
            (format!("com.example.note/n{n}").into_bytes(), note(&format!("number {n}")))
        }));
    home.write("large.car", car.file());
    home.sh("gzip -k large.car").ok();
    let line = "mount -t tmpfs -o size=400k none disk && export TMPDIR=$PWD/disk && \
        pds verify - < large.car; echo $?; pds -R large.car.gz ls; echo $?; df disk | wc -l";
    let Some(run) = with_mounts(&home, line) else { return };
    let ended = run.ended();
    assert_eq!(ended.text().lines().collect::<Vec<_>>()[..2], ["1", "1"], "{}", ended.stderr);
    for name in ["standard input", "large.car.gz"] {
        let expected = format!("error: the temporary directory has no room for {name}: ");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    assert_eq!(ended.stderr.matches("TMPDIR=DIR").count(), 2, "{}", ended.stderr);
    let other = home.sh("pds verify - < large.car").ended();
    assert_eq!(other.code(), 0, "{}", other.stderr);
}
