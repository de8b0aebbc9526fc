//! The files of the quarantine.

use std::collections::BTreeMap;
use std::fs;

use pds_rescue::{Quarantine, Rescue};

use super::account::{Account, Harm, Kind};

#[test]
fn a_repair_after_an_interrupted_one_keeps_the_damaged_bytes_once() {
    let account = Account::new();
    let (cid, _) = account.pick(Kind::Record);
    account.harm(cid, Harm::FlippedBit);
    let repo = account.open();
    let survey = Rescue::of(&repo).survey(&[]).unwrap();
    let quarantine = Quarantine::of(&account.dir);
    let interrupted = || {
        let mut kept = Vec::new();
        let mut keep = |block: &_, bytes: &[u8]| {
            kept = bytes.to_vec();
            quarantine.keep(block, bytes).and(Err(pds::Error::NoSigner))
        };
        Rescue::of(&repo).mend(&survey, &[], &mut keep).unwrap_err();
        let files = fs::read_dir(quarantine.path()).unwrap();
        let files: BTreeMap<String, Vec<u8>> = files
            .map(|file| file.unwrap())
            .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
            .collect();
        (kept, files)
    };
    let (kept, files) = interrupted();
    assert_eq!(files, BTreeMap::from([(cid.to_string(), kept.clone())]));
    for written in [kept.len(), kept.len() / 2, 0] {
        fs::write(quarantine.path().join(cid.to_string()), &kept[..written]).unwrap();
        assert_eq!(interrupted().1, files, "{written} bytes were kept before");
    }
    // Other bytes stay.
    fs::write(quarantine.path().join(cid.to_string()), "other bytes").unwrap();
    let found = interrupted().1;
    assert_eq!(found[&cid.to_string()], b"other bytes");
    assert_eq!((found.len(), &found[&format!("{cid}.2")]), (2, &kept));
}
