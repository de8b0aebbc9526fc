//! `pds clone`

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::car::CarFile;
use pds::commit::Commit;
use pds::data::Blocks;
use pds::local::copy::clone_repository;
use pds::local::copy_options::CopyOptions;
use pds::local::database::clone_into_database;
use pds::local::directory::clone_file_with;
use pds::local::open::{is_repository, open_without_key};
use pds::local::store_place::is_address;
use pds::syntax::Nsid;
use pds::transfer::copy::Copied;
use pds::{Error, Jobs, Progress};
use pds_net::host::Host;
use pds_net::mirror::data_directory::layout::DataDirectory;
use pds_net::mirror::handle::{FetchOptions, Mirror};
use pds_net::resolve::who::Who;

use super::clone_account::AccountClone;
use super::clone_directory::DirectoryClone;
use super::clone_host::HostClone;
use super::{import, info};
use crate::answers::arrived::Arrived;
use crate::answers::info::Info;
use crate::arguments::data_directory_args::DataDirectoryArgs;
use crate::arguments::identity::{Identity, IdentityArgs};
use crate::arguments::network_args::NetworkArgs;
use crate::arguments::state_arg::has_car_ending;
use crate::arguments::store_arg::StoreArg;
use crate::failures::exit::{Exit, Stated};
use crate::input::stream::{STANDARD_STREAM, open_file};
use crate::process::destination::check_is_outside;
use crate::process::leftovers::{clear_beside, clear_repository};
use crate::process::output::Output;
use crate::process::progress::{Steps, Watched};
use crate::process::text::name_of;
use crate::records::record_files::directory_name;
use crate::repository::arrivals::say_other_states;
use crate::repository::blob_notes::{say_damaged, say_missing};
use crate::repository::clock::{FutureArg, warn_of_release};
use crate::repository::made::Made;
use crate::repository::open::{about_file, about_missing_base, peek};
use crate::screens::arrived as screen;

/// Create a repository from an account, a CAR file or another repository
///
/// Everything is verified first. The repository has no signing key: it is a mirror until `pds key import`. Every whole
/// state of a CAR file is stored, each with a row of the log.
///
/// All of another repository is copied: refs, log, every state that they name, known keys, blobs and identity files. The
/// copy follows the same host.
/// Blobs become hard links if both directories are on one file system. A damaged blob is listed and not copied. From
/// a database address, no blobs are copied, because a database has none.
///
/// An account is fetched from its host, with all blobs, and verified against its DID document and operation log. It is
/// named by a handle, a DID, an at-uri or a bsky.app URL. If the clone is interrupted, the same command continues it.
/// `pds pull` then fetches what is new. A path to a directory with the form of a handle begins with ./
///
/// The URL of a host means all of its accounts, each in a directory of its own. The same command continues after an
/// interruption, and leaves alone what is complete; pds pull --all freshens it.
///
/// The data directory of a reference PDS is read in one transaction, also while the server writes, and not changed.
/// Name the account with --did or --handle. Its state is checked as one from the network is; if its identity cannot be
/// fetched, with the key in the data directory.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds clone alice.example.com\n  pds clone backup.car\n  pds clone backup.car mirror --did-doc did.json\n  \
    pds clone alice ../copy --with-key\n  \
    pds clone https://pds.example.com --yes\n  \
    pds clone /srv/pds --handle alice.example.com\n\n\
    Exit code 6 if blobs or past states are damaged, invalid or missing in the source: they are listed.\n\
    Also 6 if some of several accounts failed. Of an account: 1 if the host contradicts its identity, 4 if the host fails or does not serve it."
)]
pub(crate) struct Args {
    /// Account, URL of a host, CAR file, data directory of a PDS, or directory or database address of another
    /// repository; - for stdin
    source: PathBuf,

    /// Directory to create [default: named after the source, or after the account]
    dir: Option<PathBuf>,

    /// Copy the signing key of another repository or of a data directory as well, so that both can write
    #[arg(long)]
    with_key: bool,

    #[command(flatten)]
    identity: IdentityArgs,

    #[command(flatten)]
    future: FutureArg,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    store: StoreArg,

    /// Fetch an account from this server instead of its host: any mirror of it will do
    #[arg(long, value_name = "URL")]
    from: Option<Host>,

    /// Fetch no blobs of an account, or copy none of a data directory
    #[arg(long)]
    no_blobs: bool,

    /// Fetch only the blobs of this collection of an account; may be given several times
    #[arg(long, value_name = "NSID")]
    collection: Vec<Nsid>,

    /// Clone all accounts of a host without a question
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    data: DataDirectoryArgs,

    #[command(flatten)]
    network: NetworkArgs,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        warn_of_release(out);
        let who = account_of(&self.source)?;
        let is_repository = who.is_none() && is_repository(&self.source)?;
        if who.is_none() && !is_repository && DataDirectory::is_at(&self.source) {
            return self.of_data_directory(&identity, out);
        }
        if self.data.is_given() {
            let message = "--handle, --all and --offline are for the data directory of a PDS";
            return Stated::usage(message).hint("a path to it begins with ./ or /").fail();
        }
        match (who, is_repository) {
            (Some(who), _) => self.of_account(&who, out),
            (None, true) => self.of_repository(&identity, out),
            (None, false) => self.of_file(&identity, out),
        }
    }

    fn of_account(&self, who: &Who, out: &mut Output) -> Result<Exit> {
        if self.with_key || self.identity.is_given() || self.store.address()?.is_some() {
            let message = "--with-key, --store, --did, --key, --did-doc and --plc-log are for files and repositories";
            let hint =
                "the keys of an account come from its DID document and its log; name it by its DID";
            return Stated::usage(message).hint(hint).fail();
        }
        let (dir, options, net) = (self.dir.as_deref(), self.fetch_options(), self.network.net()?);
        match who {
            Who::Host(_) if self.from.is_some() => {
                Stated::usage("--from is for one account, and not for all of a host").fail()
            }
            Who::Host(host) => HostClone { host, dir, options, yes: self.yes }.run(&net, out),
            who => AccountClone { who, dir, options }.run(&net, out),
        }
    }

    fn of_data_directory(&self, identity: &Identity, out: &mut Output) -> Result<Exit> {
        if self.identity.names_key() || self.store.address()?.is_some() || self.from.is_some() {
            let message =
                "--key, --did-doc, --plc-log, --store and --from are not for data directories";
            return Stated::usage(message).hint("name the account with --did or --handle").fail();
        }
        let clone = DirectoryClone {
            source: &self.source,
            dir: self.dir.as_deref(),
            did: identity.did(),
            args: &self.data,
            with_key: self.with_key,
            options: self.fetch_options(),
            is_unreachable: Cell::new(false),
        };
        clone.run(&self.network.net()?, out)
    }

    fn fetch_options(&self) -> FetchOptions {
        let mut options = FetchOptions::default();
        options.no_blobs = self.no_blobs;
        options.blobs_of.clone_from(&self.collection);
        options.jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        options.force = self.future.is_given();
        options.from.clone_from(&self.from);
        options
    }

    fn of_file(self, identity: &Identity, out: &mut Output) -> Result<Exit> {
        if self.with_key {
            let message = format!("{} is a file without a signing key", self.source.display());
            return Stated::usage(message).hint("import the key later: pds key import FILE").fail();
        }
        let file = open_file(&self.source)?;
        let commit = || commit_of(&file, &self.source);
        let dir = self.directory(&commit)?;
        check_is_outside(&dir)?;
        clear_beside(&dir);
        let key = identity.key_for(&file)?;
        let message = log_message(&self.source);
        let steps = Steps::default();
        let count = |step, more| steps.add(step, more);
        let options = self.options().key(key.as_ref()).account_keys(identity.keys_in_time());
        let options = options.progress(Progress::new(&count)).message(&message);
        let made = Made::at(&dir);
        let cloned = match self.store.address()? {
            None => clone_file_with(&dir, file, &options),
            Some(address) => {
                let did = commit()?.did().clone();
                clone_into_database(&dir, address, (&did, file), &options)
            }
        };
        steps.finish();
        let (repo, imported) = cloned
            .map_err(|error| about_missing_base(error, None, &self.source))
            .inspect_err(|_| made.note(out))?;
        out.has_done();
        clear_repository(&dir);
        import::warn(&imported.findings, out);
        let exit = say_other_states(&imported, out);
        say_missing(&repo, &imported.blobs, imported.has_more_blobs, out)?;
        let arrived = Some(Arrived::of(&imported));
        let info = Info { arrived, ..info::of_clone(&repo, imported, 0, &dir)? };
        self.print(&info, &dir, out)?;
        Ok(exit)
    }

    fn of_repository(self, identity: &Identity, out: &mut Output) -> Result<Exit> {
        let commit = open_without_key(&self.source)?.snapshot()?.commit().clone();
        let dir = self.directory(&|| Ok(commit.clone()))?;
        check_is_outside(&dir)?;
        clear_beside(&dir);
        let key = identity.key_of(&commit)?;
        let steps = Steps::default();
        let count = |step, more| steps.add(step, more);
        let options = self.options().key(key.as_ref()).store(self.store.address()?);
        let options = options.progress(Progress::new(&count));
        let made = Made::at(&dir);
        let cloned = clone_repository(&dir, &self.source, &options);
        let (repo, copied) = cloned.inspect_err(|_| made.note(out))?;
        out.has_done();
        steps.finish();
        let Copied { present, lost, blobs, .. } = copied;
        clear_repository(&dir);
        import::warn(&present.findings, out);
        for cid in &lost {
            out.warn(format!("block {cid} of a past state is missing or damaged in the source"));
        }
        let exit = say_damaged(&blobs, out);
        if exit != Exit::Done
            && let Some(mut mirror) = Mirror::open(&dir)?
        {
            // The host may still have them.
            mirror.set_incomplete()?;
        }
        say_missing(&repo, &present.blobs, present.has_more_blobs, out)?;
        self.print(&info::of_clone(&repo, present, blobs.copied, &dir)?, &dir, out)?;
        Ok(if lost.is_empty() { exit } else { Exit::Partly })
    }

    fn print(&self, info: &Info, dir: &Path, out: &mut Output) -> Result<()> {
        let (source, dir) = (name_of(&self.source), dir.display().to_string());
        out.show(info, |terminal| screen::clone(&source, &dir, info, terminal))
    }

    fn options(&self) -> CopyOptions<'_> {
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let options = CopyOptions::default().with_key(self.with_key).jobs(jobs);
        options.accept_clock(self.future.is_given())
    }

    /// Returns the directory to create: the one given, the name of the source without its extension, or the account.
    fn directory(&self, commit: &dyn Fn() -> Result<Commit>) -> Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let source = self.source.as_path();
        if let (Some(name), true) = (source.file_name(), source.is_dir()) {
            return Ok(PathBuf::from(name));
        }
        let is_named = !source.to_str().is_some_and(is_address);
        if let (Some(stem), Some(end), true) = (source.file_stem(), source.extension(), is_named) {
            // `backup.car.gz` is a `backup`, too.
            let inner = Path::new(stem).file_stem().filter(|_| end.eq_ignore_ascii_case("gz"));
            return Ok(PathBuf::from(inner.unwrap_or(stem)));
        }
        let hint = "name the directory: pds clone SOURCE DIR";
        Ok(PathBuf::from(directory_name(commit()?.did(), hint)?))
    }
}

/// Returns the account that a source names. A path begins with `.` or `/`, or ends as a CAR file does, or names a file.
/// A directory with the form of a handle may be an unfinished clone, so it counts as an account.
fn account_of(source: &Path) -> Result<Option<Who>> {
    let Some(text) = source.to_str() else { return Ok(None) };
    let is_path = text.starts_with(['.', '/']) || has_car_ending(source.as_os_str());
    if is_path || source.is_file() || is_address(text) {
        return Ok(None);
    }
    match text.parse::<Who>() {
        Ok(who) => Ok(Some(who)),
        Err(error) if has_account_form(text) && !source.exists() => {
            Stated::usage(error.to_string()).hint("a path begins with ./ or /").fail()
        }
        Err(_) => Ok(None),
    }
}

/// Tells whether a text can only be meant as an account, although it is not the name of one.
fn has_account_form(text: &str) -> bool {
    let is_uri = text.contains("://") || text.starts_with("did:") || text.starts_with('@');
    is_uri || text.contains('.') && !text.contains('/')
}

/// Returns the message of the log about the clone of a file. The name of its directory is left out.
fn log_message(source: &Path) -> String {
    let name = match source.file_name() {
        Some(name) if source != Path::new(STANDARD_STREAM) => name.to_string_lossy().into_owned(),
        _ => "standard input".to_owned(),
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    format!("clone {name}")
}

/// The most letters of the name of a file in the log.
const MAX_NAME_CHARS: usize = 255;

/// Reads the commit of a file.
fn commit_of(file: &Watched, path: &Path) -> Result<Commit> {
    if let Some(commit) = peek(file) {
        return Ok(commit);
    }
    let no_commit = || Stated::bad_input("the file has no commit");
    let car = CarFile::open(file).map_err(|error| about_file(Error::Car(error), path))?;
    let root = car.roots().first().ok_or_else(no_commit)?;
    Ok(Commit::decode(&car.get(root)?.ok_or_else(no_commit)?)?)
}
