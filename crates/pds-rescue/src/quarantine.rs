//! Where damaged blocks go: they are moved, not deleted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::damaged::DamagedBlock;
use pds::error::{Error, Result};
use pds::local::layout::QUARANTINE_DIRECTORY;

/// A directory of damaged blocks: a file each, named as the row was that it stood in.
///
/// ```
/// use pds_rescue::Quarantine;
///
/// let dir = tempfile::tempdir()?;
/// let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let quarantine = Quarantine::of(&dir.path().join("r"));
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
    /// Names the quarantine of the repository in a directory; it is made when it is needed.
    #[must_use]
    pub fn of(repo: &Path) -> Self {
        Self { dir: repo.join(QUARANTINE_DIRECTORY) }
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Keeps the bytes of a damaged block; they are on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn keep(&self, block: &DamagedBlock, bytes: &[u8]) -> Result<()> {
        let name = block.name_text();
        let name = name.get(..MAX_NAME_CHARS).unwrap_or(&name);
        let name = if name.is_empty() { "without-a-name" } else { name };
        let (path, mut file) = self.create(name)?;
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
            // The block is where it was, and half a copy of it is of no use.
            let _ = fs::remove_file(&path);
            return Err(Error::io(path)(error));
        }
        self.sync()
    }

    /// Makes a file of this name, or of this name and the first number that is free.
    pub(crate) fn create(&self, name: &str) -> Result<(PathBuf, File)> {
        fs::create_dir_all(&self.dir).map_err(Error::io(&self.dir))?;
        for number in 1_u32.. {
            let path = match number {
                1 => self.dir.join(name),
                number => self.dir.join(format!("{name}.{number}")),
            };
            match File::create_new(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(path)(error)),
            }
        }
        Err(Error::io(&self.dir)(io::ErrorKind::AlreadyExists.into()))
    }

    /// Makes what happened in the directory last, and the directory itself.
    pub(crate) fn sync(&self) -> Result<()> {
        for dir in [Some(self.dir.as_path()), self.dir.parent()].into_iter().flatten() {
            let dir = if dir == Path::new("") { Path::new(".") } else { dir };
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io(dir))?;
        }
        Ok(())
    }
}

/// A name in the store may be damaged, and of any length.
const MAX_NAME_CHARS: usize = 100;
