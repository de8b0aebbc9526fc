//! CAR files of other libraries: the valid ones, and the invalid ones of their test suites.

use data_encoding::BASE64_NOPAD;
use pds::car::{CarError, CarReader, CarWriter};
use pds::data::{Block, Cid, Codec};
use pds::{Expected, Stage};
use serde_json::Value as Json;

use super::support::{
    blocks, cases, cid, empty_mirror, import, json, names_in, number, open, state, text, verify,
};

fn base64(object: &Json, field: &str) -> Vec<u8> {
    let text = text(object, field).trim_end_matches('=');
    BASE64_NOPAD.decode(text.as_bytes()).unwrap()
}

#[test]
fn files_of_the_typescript_implementation_are_written_and_read_to_the_byte() {
    let Some(cases) = json("car/ts-car-file-fixtures.json") else {
        return;
    };
    let cases = cases.as_array().unwrap();
    for case in cases {
        let expected: Vec<Block> = case["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| Block::verified(cid(block, "cid"), base64(block, "bytes")).unwrap())
            .collect();
        let file = base64(case, "car");

        let mut writer = CarWriter::new(Vec::new(), &[cid(case, "root")]).unwrap();
        for block in &expected {
            writer.block(block.borrowed()).unwrap();
        }
        assert_eq!(writer.bytes(), file.len() as u64);
        assert!(writer.finish().unwrap() == file);

        assert_eq!(CarReader::new(&file[..]).unwrap().roots(), [cid(case, "root")]);
        assert_eq!(blocks(&file), expected);
    }
    assert!(!cases.is_empty());
}

/// The first error of a reader with the DASL profile. It refuses a foreign CID in the header before it reads the rest.
/// So the structure of these files is checked separately, behind another header.
#[derive(Debug, PartialEq)]
enum First {
    /// The container itself is malformed.
    Framing,
    /// A root is not a supported CID.
    Root,
    /// A block has an unsupported CID.
    Block,
}

const FIRST: [(&str, First); 7] = [
    ("gocar-badheaderlength.car", First::Framing),
    ("gocar-sample-rootless-v42.car", First::Framing),
    ("gocar-sample-unixfs-v2.car", First::Framing),
    ("gocar-sample-v1-with-zero-len-section2.car", First::Root),
    ("gocar-simple-unixfs.car", First::Root),
    ("ipld-carv1-basic.car", First::Block),
    ("irohcar-testv1.car", First::Root),
];

#[test]
fn foreign_files_are_refused_for_what_is_wrong_with_them() {
    let Some(cases) = cases("hostile-cars", ".car") else {
        return;
    };
    assert_eq!(cases.len(), FIRST.len());
    for (name, facts, bytes) in &cases {
        assert_eq!(text(facts, "expect_dasl_car"), "reject", "{name}");
        let error = match CarReader::new(&bytes[..]) {
            Ok(reader) => reader.collect::<Result<Vec<_>, _>>().unwrap_err(),
            Err(error) => error,
        };
        let first = match &error {
            CarError::ForeignCid { .. } => First::Block,
            CarError::Header { reason } if reason.contains("unsupported CID") => First::Root,
            CarError::Header { .. } | CarError::Truncated { .. } | CarError::Section { .. } => {
                First::Framing
            }
            other => panic!("{name}: {other}"),
        };
        let (_, expected) = FIRST.iter().find(|(known, _)| known == name).unwrap();
        assert_eq!(first, *expected, "{name}: {error}");
        let framing = text(facts, "expect_carv1_framing");
        assert!(framing == "reject" || first != First::Framing, "{name}: {error}");
    }
}

/// Files with a section that is smaller than a supported CID, and the number of sections before it. A plain CAR reader
/// accepts the section: it holds an identity CID, whose digest is the data itself. This reader refuses it as malformed.
const CUT_SHORT: [(&str, u64); 1] = [("irohcar-testv1.car", 14)];

#[test]
fn the_sections_of_foreign_files_are_framed_as_they_are_said_to_be() {
    let Some(cases) = cases("hostile-cars", ".car") else {
        return;
    };
    let mut walked = 0;
    for (name, facts, bytes) in &cases {
        let Some(blocks) = facts["facts"]["blocks"].as_u64().filter(|blocks| *blocks > 0) else {
            assert_eq!(text(facts, "expect_carv1_framing"), "reject", "{name}");
            continue;
        };
        // The same sections follow a header without a foreign root.
        let file = [our_header(), sections(bytes).to_vec()].concat();
        let mut reader = CarReader::new(&file[..]).unwrap();
        let (mut known, mut foreign, mut end) = (0, 0, None);
        loop {
            match reader.next_section() {
                Ok(Some(_)) => known += 1,
                Ok(None) => break,
                Err(CarError::ForeignCid { .. }) => foreign += 1,
                Err(error) => end = Some(error),
            }
        }
        if let Some((_, whole)) = CUT_SHORT.iter().find(|(known, _)| known == name) {
            let reason = "a section too short for a CID";
            assert!(
                matches!(end, Some(CarError::Section { reason: found, .. }) if found == reason)
            );
            assert_eq!(known + foreign, *whole, "{name}");
            continue;
        }
        assert_eq!(known + foreign, blocks, "{name}");
        assert_eq!(foreign, number(&facts["facts"], "non_blessed_cid_blocks"), "{name}");
        match (text(facts, "expect_carv1_framing"), end) {
            ("accept", None) => assert_eq!(reader.offset(), file.len() as u64, "{name}"),
            ("reject", Some(CarError::Section { reason, offset })) => {
                assert_eq!(reason, "a section without bytes", "{name}");
                let moved = bytes.len() as u64 - file.len() as u64;
                let said = format!("at {}", offset + moved);
                assert!(text(&facts["facts"], "car_error").ends_with(&said), "{said}");
            }
            (framing, end) => panic!("{name}: {framing}, {end:?}"),
        }
        walked += 1;
    }
    assert!(walked >= 3);
}

fn our_header() -> Vec<u8> {
    let root = Cid::of(Codec::Cbor, b"");
    CarWriter::new(Vec::new(), &[root]).unwrap().finish().unwrap()
}

/// Returns the part after the header. All headers of these files are shorter than 128 bytes.
fn sections(bytes: &[u8]) -> &[u8] {
    let len = usize::from(bytes[0]);
    assert!(len < 0x80);
    &bytes[1 + len..]
}

#[test]
fn none_of_them_is_a_repository() {
    let Some(cases) = cases("hostile-cars", ".car") else {
        return;
    };
    for (name, facts, bytes) in &cases {
        assert_eq!(text(facts, "expect_as_repository"), "reject", "{name}");
        let (report, findings) = verify(bytes, &Expected::default());
        assert!(!report.is_ok() && !report.is_complete(), "{name}: {findings:?}");
        assert!(report.commit.is_none(), "{name}");
        // A partial repository is accepted here, but this file is not part of a repository.
        let partial = Expected::default().partial(true);
        assert!(!verify(bytes, &partial).0.is_ok(), "{name}");

        let stage = findings[0].stage();
        let foreign = FIRST.contains(&(name, First::Block));
        assert_eq!(stage, if foreign { Stage::Cid } else { Stage::Car }, "{name}");

        let repo = empty_mirror();
        let before = state(&repo);
        assert!(import(&repo, bytes, None).unwrap_err().is_corrupt(), "{name}");
        assert_eq!(state(&repo), before, "{name}");
        let dir = tempfile::tempdir().unwrap();
        let cloned = open(bytes)
            .map_err(pds::Error::from)
            .and_then(|car| pds::local::directory::clone_car(dir.path().join("clone"), &car, None));
        assert!(cloned.is_err(), "{name}");
        assert_eq!(names_in(dir.path()), [""; 0], "{name}");
    }
}
