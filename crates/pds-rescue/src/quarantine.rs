//! The quarantine: the directory where repairs keep damaged blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::damaged::DamagedBlock;
use pds::error::{Error, Result};
use pds::local::layout::QUARANTINE_DIRECTORY;

/// A directory of damaged blocks. Each block is a file with the name of its row.
///
/// ```
/// use pds_rescue::Quarantine;
///
/// let dir = tempfile::tempdir()?;
/// let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let quarantine = Quarantine::of(dir.path().join("r"));
/// let survey = pds_rescue::Rescue::of(&repo).survey(&[])?;
/// let mended = pds_rescue::Rescue::of(&repo).mend(&survey, &[], &mut |block, bytes| quarantine.keep(block, bytes))?;
/// assert_eq!(mended.dropped, 0);
/// assert!(!quarantine.path().exists(), "nothing was damaged");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Quarantine {
    dir: PathBuf,
}

impl Quarantine {
    /// Returns the quarantine of the repository in a directory. The first kept block creates it.
    #[must_use]
    pub fn of(repo: impl AsRef<Path>) -> Self {
        Self { dir: repo.as_ref().join(QUARANTINE_DIRECTORY) }
    }

    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes the bytes of a damaged block to a file. The file is durable when this returns.
    ///
    /// If an interrupted run has kept the same bytes, or the beginning of them, its file is used.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn keep(&self, block: &DamagedBlock, bytes: &[u8]) -> Result<()> {
        let name = block.name_text();
        let name = name.get(..MAX_NAME_CHARS).unwrap_or(&name);
        let name = if name.is_empty() { "without-a-name" } else { name };
        let (path, mut file) = self.create_or_reuse(name, bytes)?;
        let is_complete = file.metadata().is_ok_and(|kept| kept.len() == bytes.len() as u64);
        if !is_complete && let Err(error) = file.write_all(bytes) {
            // The store still has the block, so the partial copy is removed.
            let _ = fs::remove_file(&path);
            return Err(Error::io(path)(error));
        }
        file.sync_all().map_err(Error::io(&path))?;
        self.sync()
    }

    /// Creates an empty file with this name, or with this name and the first free number.
    ///
    /// An empty file of an interrupted run is used, unless another file belongs to it.
    pub(crate) fn create_empty(
        &self,
        name: &str,
        has_others: &dyn Fn(&Path) -> bool,
    ) -> Result<PathBuf> {
        let (path, _) = self.create_unless(name, &|path| {
            let found = path.symlink_metadata().ok();
            let is_empty = found.is_some_and(|found| found.is_file() && found.len() == 0);
            let is_left = is_empty && !has_others(path);
            is_left.then(|| OpenOptions::new().write(true).open(path).ok()).flatten()
        })?;
        Ok(path)
    }

    /// Creates a file for some bytes, or opens one that has only the beginning of them.
    fn create_or_reuse(&self, name: &str, bytes: &[u8]) -> Result<(PathBuf, File)> {
        self.create_unless(name, &|path| {
            // Another block may be much longer.
            let has_room = path
                .symlink_metadata()
                .is_ok_and(|found| found.is_file() && found.len() <= bytes.len() as u64);
            let is_beginning =
                has_room && fs::read(path).is_ok_and(|kept| bytes.starts_with(&kept));
            is_beginning.then(|| OpenOptions::new().write(true).open(path).ok()).flatten()
        })
    }

    /// Creates a file with this name, or with this name and the first free number, unless an existing one can be used.
    fn create_unless(
        &self,
        name: &str,
        used: &dyn Fn(&Path) -> Option<File>,
    ) -> Result<(PathBuf, File)> {
        fs::create_dir_all(&self.dir).map_err(Error::io(&self.dir))?;
        for number in 1_u32.. {
            let path = match number {
                1 => self.dir.join(name),
                number => self.dir.join(format!("{name}.{number}")),
            };
            match File::create_new(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if let Some(file) = used(&path) {
                        return Ok((path, file));
                    }
                }
                Err(error) => return Err(Error::io(path)(error)),
            }
        }
        Err(Error::io(&self.dir)(io::ErrorKind::AlreadyExists.into()))
    }

    /// Makes the directory and its entries durable.
    pub(crate) fn sync(&self) -> Result<()> {
        for dir in [Some(self.dir.as_path()), self.dir.parent()].into_iter().flatten() {
            let dir = if dir == Path::new("") { Path::new(".") } else { dir };
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io(dir))?;
        }
        Ok(())
    }
}

/// The greatest length of a file name. A damaged name in the store may have any length.
const MAX_NAME_CHARS: usize = 100;
