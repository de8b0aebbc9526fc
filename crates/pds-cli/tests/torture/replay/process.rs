//! The calls of a process as steps on a disk.
//!
//! A call that the model does not know is an error, so that no change is overlooked.

use std::collections::HashMap;
use std::path::{Component, Path};

use super::disk::{Disk, Entry, Node, NodeId, ROOT, Step};
use super::trace::Call;

/// Calls that change no bytes, names or modes, and no offset of an open file.
const HARMLESS: &str = "access close_range connect epoll_create1 epoll_ctl epoll_wait eventfd2 execve exit exit_group \
    faccessat faccessat2 fadvise64 fchown flock fstat fstatfs getcwd getdents64 inotify_init1 kill lstat memfd_create \
    newfstatat pipe pipe2 poll ppoll pread64 readlink readlinkat recvfrom recvmsg sendmsg sendto socket socketpair \
    stat statfs statx tgkill utimensat wait4";

/// A process that works on a disk.
pub(super) struct Process<'a> {
    /// The path of the root of the disk, which is also the current directory.
    root: &'a Path,
    disk: &'a mut Disk,
    descriptors: HashMap<i64, usize>,
    files: Vec<OpenFile>,
    steps: Vec<Step>,
}

/// An open file, which several descriptors may share.
#[derive(Clone, Copy, Debug)]
struct OpenFile {
    target: Target,
    offset: u64,
    is_append: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Node(NodeId),
    Answer,
    /// A file that is not on the disk.
    Outside,
}

impl<'a> Process<'a> {
    pub(super) fn new(root: &'a Path, disk: &'a mut Disk) -> Self {
        let streams = [Target::Outside, Target::Answer, Target::Outside];
        let files: Vec<OpenFile> = streams.map(OpenFile::new).into();
        Self {
            root,
            disk,
            descriptors: (0..).zip(0..files.len()).collect(),
            files,
            steps: Vec::new(),
        }
    }

    /// Applies the calls of the process to the disk. Returns them as steps.
    pub(super) fn run(mut self, calls: &[Call]) -> Result<Vec<Step>, String> {
        for call in calls.iter().filter(|call| call.result >= 0 || is_address(call)) {
            self.call(call).map_err(|error| format!("{error}: {}", gist(call)))?;
        }
        self.step(Step::End);
        Ok(self.steps)
    }

    fn step(&mut self, step: Step) {
        self.disk.apply(&step);
        self.steps.push(step);
    }

    fn call(&mut self, call: &Call) -> Result<(), String> {
        match &*call.name {
            "openat" => self.open(call, call.descriptor(0)?, &call.text(1)?),
            "write" => self.write(call, call.bytes(1)?, None),
            "writev" => self.write(call, call.buffers(1)?, None),
            "pwrite64" => self.write(call, call.bytes(1)?, Some(call.number(3)?)),
            "copy_file_range" => self.copy(call, (0, 2), &[1, 3]),
            "sendfile" => self.copy(call, (1, 0), &[2]),
            "ftruncate" => {
                let length = call.number(1)?;
                self.on_node(call, |file| Step::Resize { file, length })
            }
            "fsync" | "fdatasync" => self.on_node(call, |node| Step::Sync { node }),
            "fchmod" => {
                let mode = call.mode(1)?;
                self.on_node(call, |file| Step::Mode { file, mode })
            }
            "read" | "readv" => {
                self.file(call, 0)?.offset += call.result.cast_unsigned();
                Ok(())
            }
            "lseek" => {
                self.file(call, 0)?.offset = call.result.cast_unsigned();
                Ok(())
            }
            _ => self.call_on_names(call),
        }
    }

    /// A call that changes names, or none that a cut could undo.
    fn call_on_names(&mut self, call: &Call) -> Result<(), String> {
        match &*call.name {
            "rename" => self.rename(call, (None, 0), (None, 1)),
            "renameat" => self.rename(call, (call.descriptor(0)?, 1), (call.descriptor(2)?, 3)),
            "renameat2" if ["0", "RENAME_NOREPLACE"].contains(&call.arg(4)?) => {
                self.rename(call, (call.descriptor(0)?, 1), (call.descriptor(2)?, 3))
            }
            "link" => self.link(call, (None, 0), (None, 1)),
            "linkat" => self.link(call, (call.descriptor(0)?, 1), (call.descriptor(2)?, 3)),
            "unlink" | "rmdir" => self.remove(None, &call.text(0)?),
            "unlinkat" => self.remove(call.descriptor(0)?, &call.text(1)?),
            "mkdir" => self.make_directory(None, &call.text(0)?),
            "mkdirat" => self.make_directory(call.descriptor(0)?, &call.text(1)?),
            _ => self.call_on_descriptors(call),
        }
    }

    fn call_on_descriptors(&mut self, call: &Call) -> Result<(), String> {
        match &*call.name {
            "dup" | "dup2" | "dup3" => self.duplicate(call)?,
            "fcntl" if call.arg(1)?.starts_with("F_DUPFD") => self.duplicate(call)?,
            "fcntl" if QUIET_FCNTL.contains(&call.arg(1)?) => {}
            "ioctl" if ["TCGETS", "TIOCGWINSZ", "FIOCLEX"].contains(&call.arg(1)?) => {}
            "close" => {
                let number = call.descriptor(0)?.unwrap_or(-1);
                self.descriptors.remove(&number).ok_or("the descriptor is not open")?;
            }
            "mmap" => self.map(call)?,
            "clone" | "clone3" if call.args.concat().contains("CLONE_THREAD") => {}
            name if HARMLESS.split(' ').any(|harmless| harmless == name) => self.learn(call),
            _ => return Err("a call that the model does not know".to_owned()),
        }
        Ok(())
    }

    /// A step on the node of the first argument, unless that is outside the disk.
    fn on_node(&mut self, call: &Call, step: impl Fn(NodeId) -> Step) -> Result<(), String> {
        if let Target::Node(node) = self.file(call, 0)?.target {
            self.step(step(node));
        }
        Ok(())
    }

    /// Takes note of descriptors that a harmless call has made, which lead outside.
    fn learn(&mut self, call: &Call) {
        let made = match &*call.name {
            "pipe" | "pipe2" | "socketpair" => {
                call.args.iter().find(|arg| arg.starts_with('[')).cloned()
            }
            "socket" | "epoll_create1" | "eventfd2" | "inotify_init1" | "memfd_create" => {
                Some(call.result.to_string())
            }
            _ => None,
        };
        for part in made.iter().flat_map(|made| made.trim_matches(['[', ']']).split(", ")) {
            let number = part.split('<').next().and_then(|number| number.parse().ok());
            if let Some(number) = number {
                self.insert(number, OpenFile::new(Target::Outside));
            }
        }
    }

    fn insert(&mut self, number: i64, file: OpenFile) {
        self.descriptors.insert(number, self.files.len());
        self.files.push(file);
    }

    fn file(&mut self, call: &Call, index: usize) -> Result<&mut OpenFile, String> {
        let number = call.descriptor(index)?.ok_or("the current directory is no file")?;
        let file = self.descriptors.get(&number).ok_or("the descriptor is not open")?;
        Ok(&mut self.files[*file])
    }

    fn open(&mut self, call: &Call, base: Option<i64>, path: &str) -> Result<(), String> {
        let flags = call.arg(2)?;
        let has = |flag: &str| flags.split('|').any(|found| found == flag);
        let mut opened = OpenFile::new(Target::Outside);
        opened.is_append = has("O_APPEND");
        if let Some((directory, name)) = self.place(base, path)? {
            if flags.contains("O_TMPFILE") {
                return Err("a file without a name".to_owned());
            }
            let node = match self.find(directory, &name) {
                Some(node) => {
                    if has("O_TRUNC") {
                        self.step(Step::Resize { file: node, length: 0 });
                    }
                    node
                }
                None if has("O_CREAT") => {
                    let at = Entry { directory, name };
                    self.step(Step::CreateFile { at, mode: call.mode(3)? & !UMASK });
                    self.disk.nodes.len() - 1
                }
                None => return Err("the model has no such file".to_owned()),
            };
            opened.target = Target::Node(node);
        }
        self.insert(call.result, opened);
        Ok(())
    }

    /// Finds the directory and the name of a path. Returns `None` outside the disk. The name of the root is empty.
    fn place(&self, base: Option<i64>, path: &str) -> Result<Option<(NodeId, String)>, String> {
        let mut at = ROOT;
        let path = Path::new(path);
        let relative = match path.strip_prefix(self.root) {
            Ok(relative) => relative,
            Err(_) if path.is_absolute() => return Ok(None),
            Err(_) => {
                if let Some(number) = base {
                    let file = self.descriptors.get(&number).ok_or("the directory is not open")?;
                    let Target::Node(node) = self.files[*file].target else { return Ok(None) };
                    at = node;
                }
                path
            }
        };
        let mut name = String::new();
        for part in relative.components().filter(|part| *part != Component::CurDir) {
            let Component::Normal(part) = part else { return Err("a path with ..".to_owned()) };
            at = self.find(at, &name).ok_or("the model has no such directory")?;
            part.to_str().ok_or("a path that is not text")?.clone_into(&mut name);
        }
        Ok(Some((at, name)))
    }

    /// The node of a name in a directory; the directory itself for an empty name.
    fn find(&self, directory: NodeId, name: &str) -> Option<NodeId> {
        match &self.disk.nodes[directory] {
            _ if name.is_empty() => Some(directory),
            Node::Directory(directory) => directory.live.get(name).copied(),
            Node::File(_) => None,
        }
    }

    fn write(&mut self, call: &Call, mut bytes: Vec<u8>, at: Option<u64>) -> Result<(), String> {
        bytes.truncate(usize::try_from(call.result).map_err(|error| error.to_string())?);
        let OpenFile { target, offset, is_append } = *self.file(call, 0)?;
        let Target::Node(file) = target else {
            if target == Target::Answer {
                self.step(Step::Answer);
            }
            return Ok(());
        };
        let offset = match at {
            Some(at) => at,
            None if is_append => self.disk.file(file).content().len() as u64,
            None => offset,
        };
        if at.is_none() {
            self.file(call, 0)?.offset = offset + bytes.len() as u64;
        }
        if !bytes.is_empty() {
            self.step(Step::Write { file, offset, bytes: bytes.into() });
        }
        Ok(())
    }

    /// A copy within the kernel, at the offsets of both files.
    fn copy(
        &mut self,
        call: &Call,
        (from, to): (usize, usize),
        at: &[usize],
    ) -> Result<(), String> {
        if at.iter().any(|index| call.arg(*index) != Ok("NULL")) {
            return Err("a copy at given offsets".to_owned());
        }
        let length = call.result.cast_unsigned();
        let (source, target) = (*self.file(call, from)?, *self.file(call, to)?);
        self.file(call, from)?.offset += length;
        self.file(call, to)?.offset += length;
        let (Target::Node(file), true) = (target.target, length > 0) else { return Ok(()) };
        let Target::Node(copied) = source.target else {
            return Err("a copy from a file outside the disk".to_owned());
        };
        let content = self.disk.file(copied).content();
        let [start, end] =
            [source.offset, source.offset + length].map(|at| usize::try_from(at).unwrap());
        let bytes = content.get(start..end).ok_or("a copy beyond the end")?.into();
        self.step(Step::Write { file, offset: target.offset, bytes });
        Ok(())
    }

    fn rename(&mut self, call: &Call, from: Named, to: Named) -> Result<(), String> {
        let [from, to] = [from, to].map(|(base, index)| self.place(base, &call.text(index)?));
        match (from?, to?) {
            (None, None) => Ok(()),
            (Some((one, old)), Some((two, new))) => {
                let node = self.find(one, &old).ok_or("the model has no such entry")?;
                // A rename of one link to another one of the same file has no effect.
                if self.find(two, &new) != Some(node) {
                    let from = Entry { directory: one, name: old };
                    self.step(Step::Rename { from, to: Entry { directory: two, name: new } });
                }
                Ok(())
            }
            _ => Err("a rename to or from a place outside the disk".to_owned()),
        }
    }

    fn link(&mut self, call: &Call, from: Named, to: Named) -> Result<(), String> {
        let [from, to] = [from, to].map(|(base, index)| self.place(base, &call.text(index)?));
        match (from?, to?) {
            (None, None) => Ok(()),
            (Some((one, old)), Some((directory, name))) => {
                let node = self.find(one, &old).ok_or("the model has no such entry")?;
                self.step(Step::Link { at: Entry { directory, name }, node });
                Ok(())
            }
            _ => Err("a link to or from a place outside the disk".to_owned()),
        }
    }

    fn remove(&mut self, base: Option<i64>, path: &str) -> Result<(), String> {
        if let Some((directory, name)) = self.place(base, path)? {
            self.find(directory, &name).ok_or("the model has no such entry")?;
            self.step(Step::Remove { at: Entry { directory, name } });
        }
        Ok(())
    }

    fn make_directory(&mut self, base: Option<i64>, path: &str) -> Result<(), String> {
        if let Some((directory, name)) = self.place(base, path)? {
            self.step(Step::CreateDirectory { at: Entry { directory, name } });
        }
        Ok(())
    }

    fn duplicate(&mut self, call: &Call) -> Result<(), String> {
        let number = call.descriptor(0)?.ok_or("the current directory is no file")?;
        let file = *self.descriptors.get(&number).ok_or("the descriptor is not open")?;
        self.descriptors.insert(call.result, file);
        Ok(())
    }

    /// Files are written through memory only where SQLite shares its index of the WAL.
    fn map(&mut self, call: &Call) -> Result<(), String> {
        let writes = call.arg(2)?.contains("PROT_WRITE") && call.arg(3)?.contains("MAP_SHARED");
        if !writes || call.arg(3)?.contains("MAP_ANONYMOUS") {
            return Ok(());
        }
        let target = self.file(call, 4)?.target;
        match target {
            Target::Node(file) if !self.disk.file(file).is_shared_memory => {
                Err("a file that is written through memory".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A descriptor of a directory, and the index of the path below it.
type Named = (Option<i64>, usize);

impl OpenFile {
    fn new(target: Target) -> Self {
        Self { target, offset: 0, is_append: false }
    }
}

/// An address, as `mmap` returns it, may look negative.
fn is_address(call: &Call) -> bool {
    call.name == "mmap" && call.result != -1
}

fn gist(call: &Call) -> String {
    let args: Vec<String> = call.args.iter().map(|arg| arg.chars().take(120).collect()).collect();
    format!("{}({}) = {}", call.name, args.join(", "), call.result)
}

/// Commands about flags and locks.
const QUIET_FCNTL: [&str; 6] = ["F_GETFD", "F_SETFD", "F_GETFL", "F_GETLK", "F_SETLK", "F_SETLKW"];

/// Only the bits of the owner matter to the program.
const UMASK: u32 = 0o022;
