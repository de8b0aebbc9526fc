//! The directories that a power cut can leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk::{Change, Directory, Disk, File, Node, NodeId, ROOT};
use super::image::{Content, Image, Item};
use crate::common::torture::Random;

/// The kinds of cuts. Each has its own pick of the pending changes.
pub(super) const KINDS: [&str; 13] = [
    "nothing",
    "everything",
    "prefix",
    "torn page",
    "torn sector",
    "pages",
    "sectors",
    "few sectors",
    "many sectors",
    "entries",
    SOME_ENTRIES,
    "bytes",
    "lengths",
];

/// The kind that loses entries alone.
pub(super) const SOME_ENTRIES: &str = "some entries";

const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

/// Which of the pending changes have reached the disk.
#[derive(Clone, Copy, Debug)]
enum Pick {
    Nothing,
    Everything,
    /// Those up to a number.
    Until(u64),
    /// Those up to a number, and parts of the next one.
    Torn(u64),
    /// Each, by so many chances of eight.
    Some(u64),
}

#[derive(Clone, Copy, Debug)]
struct Choice {
    entries: Pick,
    bytes: Pick,
    lengths: Pick,
    /// Bytes reach the disk by so many at a time.
    grain: usize,
}

/// Chooses one of the directories that a cut can leave now.
pub(super) fn cut(disk: &Disk, kind: &str, random: &mut Random) -> Image {
    let pending = pending(disk);
    let choice = Choice::of(kind, &pending, random);
    Cut { disk, choice, pending, random }.image()
}

/// The numbers of the pending changes.
fn pending(disk: &Disk) -> Vec<u64> {
    let mut pending: Vec<u64> = disk
        .nodes
        .iter()
        .flat_map(|node| match node {
            Node::File(file) => file.pending.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            Node::Directory(one) => one.pending.iter().map(|change| change.at).collect(),
        })
        .collect();
    pending.sort_unstable();
    pending
}

impl Choice {
    fn of(kind: &str, pending: &[u64], random: &mut Random) -> Self {
        let all = |pick, grain| Self { entries: pick, bytes: pick, lengths: pick, grain };
        let one = match pending.len() as u64 {
            0 => 0,
            count => pending[usize::try_from(random.below(count)).unwrap()],
        };
        let torn =
            |grain| Self { lengths: Pick::Until(one), ..all(Pick::Torn(one - one.min(1)), grain) };
        let some = |chances, grain, random: &mut Random| {
            let pick = Pick::Some(chances);
            let lengths = [Pick::Nothing, Pick::Everything, pick];
            let lengths = lengths[usize::try_from(random.below(3)).unwrap()];
            Self { lengths, ..all(pick, grain) }
        };
        match kind {
            "nothing" => all(Pick::Nothing, PAGE_BYTES),
            "everything" => all(Pick::Everything, PAGE_BYTES),
            "prefix" => all(Pick::Until(one), PAGE_BYTES),
            "torn page" => torn(PAGE_BYTES),
            "torn sector" => torn(SECTOR_BYTES),
            "pages" => some(4, PAGE_BYTES, random),
            "sectors" => some(4, SECTOR_BYTES, random),
            "few sectors" => some(1, SECTOR_BYTES, random),
            "many sectors" => some(7, SECTOR_BYTES, random),
            "entries" => Self { entries: Pick::Everything, ..all(Pick::Nothing, PAGE_BYTES) },
            SOME_ENTRIES => Self { entries: Pick::Some(4), ..all(Pick::Everything, PAGE_BYTES) },
            "bytes" => Self { entries: Pick::Nothing, ..all(Pick::Everything, PAGE_BYTES) },
            "lengths" => Self { bytes: Pick::Nothing, ..all(Pick::Everything, PAGE_BYTES) },
            _ => panic!("no kind of cut: {kind}"),
        }
    }
}

impl Pick {
    /// The number of the last change that has reached the disk, of those with these numbers.
    fn time(self, changes: &[u64], random: &mut Random) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Everything => u64::MAX,
            Self::Until(last) => last,
            Self::Torn(last) => last + random.below(2),
            Self::Some(chances) if random.below(8) < chances => u64::MAX,
            // Bytes that were written twice may be those of the first time.
            Self::Some(_) if random.below(4) == 0 => {
                changes[usize::try_from(random.below(changes.len() as u64)).unwrap()]
            }
            Self::Some(_) => 0,
        }
    }

    /// Tells whether a change of an entry has reached the disk.
    fn keeps(self, at: u64, random: &mut Random) -> bool {
        match self {
            Self::Some(chances) => random.below(8) < chances,
            pick => at <= pick.time(&[], random),
        }
    }
}

struct Cut<'a> {
    disk: &'a Disk,
    choice: Choice,
    pending: Vec<u64>,
    random: &'a mut Random,
}

impl Cut<'_> {
    fn image(mut self) -> Image {
        // The numbers decide in their order, so that a rename is known to have added its new name.
        let mut kept: BTreeMap<u64, bool> = BTreeMap::new();
        let mut changes: Vec<(u64, Option<u64>)> = Vec::new();
        for node in &self.disk.nodes {
            if let Node::Directory(directory) = node {
                changes.extend(directory.pending.iter().map(|change| (change.at, change.after)));
            }
        }
        changes.sort_unstable();
        for (at, after) in changes {
            let is_possible = after
                .is_none_or(|after| *kept.get(&after).unwrap_or(&!self.pending.contains(&after)));
            let keeps = self.choice.entries.keeps(at, self.random);
            kept.insert(at, is_possible && keeps);
        }
        let mut image = Image::default();
        self.fill(ROOT, Path::new(""), &kept, &mut image);
        image
    }

    fn fill(&mut self, id: NodeId, path: &Path, kept: &BTreeMap<u64, bool>, image: &mut Image) {
        for (name, node) in entries(self.disk.directory(id), kept) {
            let path: PathBuf = path.join(name);
            match &self.disk.nodes[node] {
                Node::Directory(_) => {
                    image.items.insert(path.clone(), Item::Directory);
                    self.fill(node, &path, kept, image);
                }
                Node::File(file) => {
                    image.items.insert(path, Item::File(node));
                    image.contents.entry(node).or_insert_with(|| {
                        let bytes = self.bytes(file);
                        let &File { mode, is_shared_memory: is_arbitrary, written, .. } = file;
                        Content { mode, is_arbitrary, written, bytes }
                    });
                }
            }
        }
    }

    fn bytes(&mut self, file: &File) -> Vec<u8> {
        let changes: Vec<u64> = file.pending.iter().map(|(at, _)| *at).collect();
        if changes.is_empty() {
            return file.synced.to_vec();
        }
        let lengths = file.pending.iter().scan(file.synced.len(), |length, (_, change)| {
            *length = change.length(*length);
            Some(*length)
        });
        let longest = lengths.max().unwrap_or(0).max(file.synced.len());
        let Choice { bytes, lengths, grain, .. } = self.choice;
        let units = longest.div_ceil(grain);
        let times: Vec<u64> = (0..units).map(|_| bytes.time(&changes, self.random)).collect();
        let mut content = file.synced.to_vec();
        content.resize(longest, 0);
        for (at, change) in &file.pending {
            apply(change, &mut content, |unit| times[unit] >= *at, grain);
        }
        let time = lengths.time(&changes, self.random);
        let reached = file.pending.iter().filter(|(at, _)| *at <= time);
        let length = reached.fold(file.synced.len(), |length, (_, change)| change.length(length));
        content.resize(length, 0);
        content
    }
}

/// The entries of a directory, of its pending changes only those that were kept.
fn entries(directory: &Directory, kept: &BTreeMap<u64, bool>) -> BTreeMap<String, NodeId> {
    let mut entries = directory.synced.clone();
    for change in directory.pending.iter().filter(|change| kept[&change.at]) {
        change.apply(&mut entries);
    }
    entries
}

/// Applies a change to the units of a file that it has reached.
fn apply(change: &Change, content: &mut [u8], reaches: impl Fn(usize) -> bool, grain: usize) {
    let (start, bytes) = match change {
        Change::Write { offset, bytes } => (usize::try_from(*offset).unwrap(), &**bytes),
        Change::Resize(length) => (usize::try_from(*length).unwrap(), &[][..]),
    };
    let is_write = matches!(change, Change::Write { .. });
    let end = if is_write { start + bytes.len() } else { content.len() };
    let mut at = start;
    while at < end {
        let next = ((at / grain + 1) * grain).min(end);
        if reaches(at / grain) {
            match is_write {
                true => content[at..next].copy_from_slice(&bytes[at - start..next - start]),
                // A file that is shortened and then grows has zeros there.
                false => content[at..next].fill(0),
            }
        }
        at = next;
    }
}
