//! The content of a directory that a power cut left: compared, and written out for the program.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::disk::NodeId;

/// All that is below a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) items: BTreeMap<PathBuf, Item>,
    pub(super) contents: HashMap<NodeId, Content>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Directory,
    /// A name of a file. Two names of one file have the same number.
    File(NodeId),
}

#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) mode: u32,
    /// Files are written out in the order of these numbers, because programs compare times.
    pub(super) written: u64,
    /// Shared memory: a cut may leave any bytes.
    pub(super) is_arbitrary: bool,
    pub(super) bytes: Vec<u8>,
}

impl Image {
    /// A number that differs for different directories.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (path, item) in &self.items {
            (path, item).hash(&mut hasher);
            if let Item::File(node) = item {
                let content = &self.contents[node];
                (content.mode, content.bytes.len(), content.is_arbitrary).hash(&mut hasher);
                if !content.is_arbitrary {
                    content.bytes.hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }

    /// Writes everything below an empty directory.
    pub(super) fn write(&self, root: &Path) {
        let mut names: BTreeMap<(u64, NodeId), Vec<PathBuf>> = BTreeMap::new();
        for (path, item) in &self.items {
            let path = root.join(path);
            match item {
                Item::Directory => fs::create_dir(&path).unwrap(),
                Item::File(node) => {
                    names.entry((self.contents[node].written, *node)).or_default().push(path);
                }
            }
        }
        for ((_, node), paths) in names {
            self.contents[&node].write(&paths[0]);
            for other in &paths[1..] {
                fs::hard_link(&paths[0], other).unwrap();
            }
        }
    }

    /// Names the first difference to a real directory.
    pub(super) fn difference(&self, root: &Path) -> Option<String> {
        let mut found = BTreeMap::new();
        read(root, Path::new(""), &mut found);
        let names = |one: &PathBuf| one.display().to_string();
        let expected: Vec<String> = self.items.keys().map(names).collect();
        let actual: Vec<String> = found.keys().map(names).collect();
        if expected != actual {
            return Some(format!("the model has {expected:?}, the directory {actual:?}"));
        }
        self.items.iter().find_map(|(path, item)| {
            let expected = match item {
                Item::Directory => None,
                Item::File(node) => Some(&self.contents[node]),
            };
            let is_arbitrary = expected.is_some_and(|content| content.is_arbitrary);
            let differs =
                !is_arbitrary && expected.map(|content| &content.bytes) != found[path].as_ref();
            differs.then(|| format!("{} has other bytes than in the model", path.display()))
        })
    }

    /// The names and lengths, for the report of a fault.
    pub(super) fn listing(&self) -> String {
        let line = |(path, item): (&PathBuf, &Item)| match item {
            Item::Directory => format!("{}/", path.display()),
            Item::File(node) => {
                format!("{} ({} bytes)", path.display(), self.contents[node].bytes.len())
            }
        };
        self.items.iter().map(line).collect::<Vec<_>>().join(", ")
    }
}

impl Content {
    fn write(&self, path: &Path) {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(self.mode).open(path).unwrap();
        if self.is_arbitrary {
            let bytes: Vec<u8> = (0..=250).cycle().take(self.bytes.len()).collect();
            file.write_all(&bytes).unwrap();
        } else {
            file.write_all(&self.bytes).unwrap();
        }
    }
}

fn read(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.insert(path.clone(), None);
            read(root, &path, found);
        } else {
            found.insert(path, Some(fs::read(entry.path()).unwrap()));
        }
    }
}
