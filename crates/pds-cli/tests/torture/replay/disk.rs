//! A disk with a cache: bytes and entries that are durable, and changes that no sync has made durable yet.
//!
//! The model, which is stricter than ext4:
//!
//! - `fsync` and `fdatasync` of a file make its bytes and its length durable, and nothing else.
//! - An entry of a directory is durable only after a sync of that directory. The sync of a file does not make its own
//!   entry durable.
//! - Until then, a cut keeps any of the pending entries and loses any others, in any order.
//! - A rename is one step of both directories: no cut removes the old name without making the new one durable. A rename
//!   between two directories may leave both names.
//! - Modes are durable at once. Of the times, the model keeps the order in which files were written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A file or a directory, by its number on a disk.
pub(super) type NodeId = usize;

/// The directory at the top.
pub(super) const ROOT: NodeId = 0;

/// A name in a directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) directory: NodeId,
    pub(super) name: String,
}

/// A step of a process that matters to the disk.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A new file, which gets the next number.
    CreateFile {
        at: Entry,
        mode: u32,
    },
    /// A new directory, which gets the next number.
    CreateDirectory {
        at: Entry,
    },
    Link {
        at: Entry,
        node: NodeId,
    },
    Remove {
        at: Entry,
    },
    Rename {
        from: Entry,
        to: Entry,
    },
    Write {
        file: NodeId,
        offset: u64,
        bytes: Rc<[u8]>,
    },
    Resize {
        file: NodeId,
        length: u64,
    },
    Mode {
        file: NodeId,
        mode: u32,
    },
    Sync {
        node: NodeId,
    },
    /// A part of the answer was printed.
    Answer,
    /// A command has ended.
    End,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) nodes: Vec<Node>,
    /// The number of the newest pending change.
    pub(super) newest: u64,
    /// The control: no sync has an effect.
    pub(super) ignores_syncs: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) mode: u32,
    /// Processes share it as memory, so that its bytes after a cut are arbitrary.
    pub(super) is_shared_memory: bool,
    /// The number of the step that has written it last.
    pub(super) written: u64,
    pub(super) synced: Rc<[u8]>,
    pub(super) pending: Vec<(u64, Change)>,
}

/// A pending change of a file.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, bytes: Rc<[u8]> },
    Resize(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub(super) synced: BTreeMap<String, NodeId>,
    /// What processes see.
    pub(super) live: BTreeMap<String, NodeId>,
    pub(super) pending: Vec<EntryChange>,
}

/// A pending change of a directory.
#[derive(Clone, Debug)]
pub(super) struct EntryChange {
    pub(super) at: u64,
    /// The change that must be durable before: a rename adds the new name first.
    pub(super) after: Option<u64>,
    pub(super) sets: Vec<(String, Option<NodeId>)>,
}

impl Disk {
    /// Reads a directory, whose content is durable.
    pub(super) fn of(dir: &Path) -> Self {
        let mut disk = Self::default();
        disk.nodes.push(Node::Directory(Directory::default()));
        disk.read(dir, ROOT);
        disk
    }

    fn read(&mut self, dir: &Path, id: NodeId) {
        let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = paths.collect();
        paths.sort_by_key(|path| path.symlink_metadata().unwrap().modified().unwrap());
        for path in paths {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let new = self.nodes.len();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                self.nodes.push(Node::Directory(Directory::default()));
                self.read(&path, new);
            } else {
                assert!(metadata.is_file(), "neither a file nor a directory: {}", path.display());
                let bytes = fs::read(&path).unwrap();
                self.nodes.push(Node::File(File::new(&name, mode_of(&metadata), bytes)));
            }
            let directory = self.directory_mut(id);
            directory.synced.insert(name.clone(), new);
            directory.live.insert(name, new);
        }
    }

    pub(super) fn file(&self, id: NodeId) -> &File {
        match &self.nodes[id] {
            Node::File(file) => file,
            Node::Directory(_) => panic!("node {id} is a directory"),
        }
    }

    pub(super) fn directory(&self, id: NodeId) -> &Directory {
        match &self.nodes[id] {
            Node::Directory(directory) => directory,
            Node::File(_) => panic!("node {id} is a file"),
        }
    }

    fn file_mut(&mut self, id: NodeId) -> &mut File {
        match &mut self.nodes[id] {
            Node::File(file) => file,
            Node::Directory(_) => panic!("node {id} is a directory"),
        }
    }

    fn directory_mut(&mut self, id: NodeId) -> &mut Directory {
        match &mut self.nodes[id] {
            Node::Directory(directory) => directory,
            Node::File(_) => panic!("node {id} is a file"),
        }
    }

    /// Applies a step. All of its changes are pending, except for those of a sync.
    pub(super) fn apply(&mut self, step: &Step) {
        self.newest += 1;
        match step {
            Step::CreateFile { at: entry, mode } => {
                let new = self.nodes.len();
                self.nodes.push(Node::File(File::new(&entry.name, *mode, Vec::new())));
                self.set(entry.directory, vec![(entry.name.clone(), Some(new))], None);
            }
            Step::CreateDirectory { at: entry } => {
                let new = self.nodes.len();
                self.nodes.push(Node::Directory(Directory::default()));
                self.set(entry.directory, vec![(entry.name.clone(), Some(new))], None);
            }
            Step::Link { at: entry, node } => {
                self.set(entry.directory, vec![(entry.name.clone(), Some(*node))], None);
            }
            Step::Remove { at: entry } => {
                self.set(entry.directory, vec![(entry.name.clone(), None)], None);
            }
            Step::Rename { from, to } => self.rename(from, to),
            Step::Write { file, offset, bytes } => {
                self.change(*file, Change::Write { offset: *offset, bytes: bytes.clone() });
            }
            Step::Resize { file, length } => self.change(*file, Change::Resize(*length)),
            Step::Mode { file, mode } => self.file_mut(*file).mode = *mode,
            Step::Sync { node } if !self.ignores_syncs => self.sync(*node),
            Step::Sync { .. } | Step::Answer | Step::End => {}
        }
    }

    /// Tells whether a step changes no bytes but those of shared memory.
    pub(super) fn is_volatile(&self, step: &Step) -> bool {
        match step {
            Step::Write { file, .. } | Step::Resize { file, .. } => {
                self.file(*file).is_shared_memory
            }
            _ => false,
        }
    }

    fn change(&mut self, id: NodeId, change: Change) {
        let at = self.newest;
        let file = self.file_mut(id);
        file.written = at;
        file.pending.push((at, change));
    }

    fn set(&mut self, id: NodeId, sets: Vec<(String, Option<NodeId>)>, after: Option<u64>) {
        let at = self.newest;
        let directory = self.directory_mut(id);
        EntryChange { at, after, sets: sets.clone() }.apply(&mut directory.live);
        directory.pending.push(EntryChange { at, after, sets });
    }

    fn rename(&mut self, from: &Entry, to: &Entry) {
        let node = self.directory(from.directory).live[&from.name];
        let (added, removed) = ((to.name.clone(), Some(node)), (from.name.clone(), None));
        if from.directory == to.directory {
            self.set(to.directory, vec![removed, added], None);
            return;
        }
        self.set(to.directory, vec![added], None);
        let after = self.newest;
        self.newest += 1;
        self.set(from.directory, vec![removed], Some(after));
    }

    fn sync(&mut self, id: NodeId) {
        match &mut self.nodes[id] {
            Node::File(file) => {
                file.synced = file.content().into();
                file.pending.clear();
            }
            Node::Directory(directory) => {
                directory.synced.clone_from(&directory.live);
                let pending = std::mem::take(&mut directory.pending);
                for after in pending.iter().filter_map(|change| change.after) {
                    self.settle(after);
                }
            }
        }
    }

    /// Makes one change of some directory durable.
    fn settle(&mut self, at: u64) {
        for node in &mut self.nodes {
            let Node::Directory(directory) = node else { continue };
            let found = directory.pending.iter().position(|change| change.at == at);
            let Some(index) = found else { continue };
            let settled = directory.pending.remove(index);
            settled.apply(&mut directory.synced);
            // Earlier changes of the same names have no effect any more.
            let is_same = |name: &String| settled.sets.iter().any(|(settled, _)| settled == name);
            for change in &mut directory.pending[..index] {
                change.sets.retain(|(name, _)| !is_same(name));
            }
        }
    }
}

impl Step {
    /// Tells whether a step makes, moves or removes a name.
    pub(super) fn changes_entries(&self) -> bool {
        !matches!(
            self,
            Self::Write { .. }
                | Self::Resize { .. }
                | Self::Mode { .. }
                | Self::Sync { .. }
                | Self::Answer
                | Self::End
        )
    }
}

impl EntryChange {
    pub(super) fn apply(&self, entries: &mut BTreeMap<String, NodeId>) {
        for (name, node) in &self.sets {
            match node {
                Some(node) => entries.insert(name.clone(), *node),
                None => entries.remove(name),
            };
        }
    }
}

impl File {
    fn new(name: &str, mode: u32, bytes: Vec<u8>) -> Self {
        let is_shared_memory = name.ends_with("-shm");
        Self { mode, is_shared_memory, written: 0, synced: bytes.into(), pending: Vec::new() }
    }

    /// The bytes with all pending changes.
    pub(super) fn content(&self) -> Vec<u8> {
        let mut content = self.synced.to_vec();
        for (_, change) in &self.pending {
            change.resize(&mut content);
            if let Change::Write { offset, bytes } = change {
                let start = usize::try_from(*offset).unwrap();
                content[start..start + bytes.len()].copy_from_slice(bytes);
            }
        }
        content
    }
}

impl Change {
    /// Gives a file the length that it has after the change.
    fn resize(&self, content: &mut Vec<u8>) {
        content.resize(self.length(content.len()), 0);
    }

    /// The length of a file after the change.
    pub(super) fn length(&self, before: usize) -> usize {
        match self {
            Self::Write { offset, bytes } => {
                before.max(usize::try_from(*offset).unwrap() + bytes.len())
            }
            Self::Resize(length) => usize::try_from(*length).unwrap(),
        }
    }
}

fn mode_of(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}
