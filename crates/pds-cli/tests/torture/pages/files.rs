//! Damage of the files next to the database, and files that do not belong there.

use super::base::{Base, Files, WAL};
use super::harm::{below, byte, damage};
use crate::common::torture::Random;

/// Damages one of the other files, and says how. The present state stays.
pub(super) fn damage_other(base: &Base, files: &mut Files, random: &mut Random) -> (String, bool) {
    let blobs: Vec<String> =
        files.keys().filter(|name| name.starts_with("blobs/")).cloned().collect();
    let blob = &blobs[below(random, blobs.len())];
    let how = match below(random, 16) {
        0..=4 => damage(base, files, blob, random).0,
        5..=7 => damage(base, files, "key", random).0,
        8 => damage(base, files, "key.old", random).0,
        9 => removed(files, blob),
        10 => removed(files, "key"),
        11 => {
            let another = &blobs[below(random, blobs.len())];
            let (a, b) = (files[blob].clone(), files[another].clone());
            files.insert(blob.clone(), b);
            files.insert(another.clone(), a);
            format!("{blob} and {another} are swapped")
        }
        12 => {
            let name = if below(random, 2) == 0 { WAL } else { "pds.db-journal" };
            added(files, name, noise(random, 40_000))
        }
        13 => added(files, "pds.db-shm", noise(random, 40_000)),
        14 => {
            let text =
                if below(random, 2) == 0 { files["key.old"].clone() } else { noise(random, 60) };
            added(files, "key.next", text)
        }
        _ => {
            let strange = ["quarantine", "store", "identity/did.json", "blobs/ba/short", "blobs/x"];
            added(files, strange[below(random, strange.len())], noise(random, 3_000))
        }
    };
    (how, false)
}

fn removed(files: &mut Files, name: &str) -> String {
    files.remove(name);
    format!("{name} is removed")
}

fn added(files: &mut Files, name: &str, bytes: Vec<u8>) -> String {
    let said = format!("{name} is there, of {} bytes", bytes.len());
    files.insert(name.to_owned(), bytes);
    said
}

fn noise(random: &mut Random, limit: usize) -> Vec<u8> {
    (0..below(random, limit)).map(|_| byte(random)).collect()
}
