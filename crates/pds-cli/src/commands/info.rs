//! `pds info`

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Result;
use pds::commit::Commit;
use pds::data::{Cid, Value, blobs_in};
use pds::local::layout::KEY_FILE;
use pds::mst::{Step, walk};
use pds::retain::gc::Keep;
use pds::syntax::Did;
use pds::transfer::import::Imported;
use pds::{Repo, Snapshot};
use pds_net::mirror::upstream::Upstream;

use crate::answers::info::{Info, Reclaimable};
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::Gaps;
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::records::record_reader::RecordReader;
use crate::repository::logged_states::LoggedStates;
use crate::repository::open::{Place, Source};
use crate::screens::info::{self as screen, Extra};

/// Describe the repository: its account, key, size and collections
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds info\n  pds -R backup.car info --json\n  pds info --at HEAD~2"
)]
pub(crate) struct Args {
    /// State to describe (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Also show what `pds gc` would delete (reads every state)
    #[arg(long)]
    reclaimable: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (path, _) = place.path_at(self.at.as_ref())?;
        let (source, at) = place.source_at(self.at.as_ref())?;
        let snapshot = source.snapshot(at)?;
        if self.reclaimable && matches!(source, Source::Car(_)) {
            return Stated::usage(
                "--reclaimable needs a repository; nothing can be deleted from a CAR file",
            )
            .fail();
        }
        let (mut info, exit) = count(&snapshot)?;
        match &source {
            Source::Repo(repo) => {
                add_repository(&mut info, repo, &path)?;
                add_host(&mut info, &path, out);
                if self.reclaimable {
                    info.reclaimable = Some(reclaimable(repo)?);
                }
            }
            Source::Car(car) => (info.blocks, info.bytes) = (car.sections(), car.bytes()),
        }
        let is_screen = out.terminal().is_some();
        let extra =
            if is_screen { extra(&source, &snapshot, info.records)? } else { Extra::default() };
        out.show(&info, |terminal| screen::lines(&info, &extra, terminal))?;
        Ok(exit)
    }
}

/// Returns the facts that only a terminal shows.
fn extra(source: &Source, snapshot: &Snapshot, records: u64) -> Result<Extra> {
    let name = name_of_profile(snapshot);
    let mut contents = match records {
        0..=MAX_READ_RECORDS => Some(RecordContents::of(snapshot)?),
        _ => None,
    };
    let record_bytes = contents.as_ref().map(|contents| contents.bytes);
    let extra = Extra { name, record_bytes, ..Extra::default() };
    let Source::Repo(repo) = source else { return Ok(Extra { is_file: true, ..extra }) };
    let mut blob_bytes = 0_u64;
    repo.blobs().list(&mut |blob| {
        blob_bytes = blob_bytes.saturating_add(blob.size_bytes);
        if let Some(contents) = &mut contents {
            contents.blobs.remove(&blob.cid);
        }
        ControlFlow::Continue(())
    })?;
    let missing_blobs = contents.map_or(0, |contents| contents.blobs.len() as u64);
    let states = Some(LoggedStates::of(repo)?);
    Ok(Extra { blob_bytes: Some(blob_bytes), missing_blobs, states, ..extra })
}

/// What the records of a state have.
#[derive(Default)]
struct RecordContents {
    bytes: u64,
    /// The blobs that they refer to.
    blobs: HashSet<Cid>,
}

impl RecordContents {
    /// Reads every record once. Parts that cannot be read were named when the tree was counted.
    fn of(snapshot: &Snapshot) -> Result<Self> {
        let (mut all, mut gaps) = (Self::default(), Gaps::silent());
        let mut records = RecordReader::new(snapshot, Vec::new());
        while let Some(record) = records.next_record(&mut gaps)? {
            let Ok(block) = record.block else { continue };
            all.bytes = all.bytes.saturating_add(block.bytes().len() as u64);
            let blobs = blobs_in(block.bytes()).unwrap_or_default();
            all.blobs.extend(blobs.iter().map(|blob| blob.cid));
        }
        Ok(all)
    }
}

/// The most records that are read for their sizes and blobs. The tree alone is read faster.
const MAX_READ_RECORDS: u64 = 50_000;

/// Returns the name in the profile, which any account may choose. A profile that cannot be read has none.
fn name_of_profile(snapshot: &Snapshot) -> Option<String> {
    let path = "app.bsky.actor.profile/self".parse().ok()?;
    match snapshot.find(&path).ok()??.value().ok()?.get("displayName")? {
        Value::Text(name) if !name.trim().is_empty() => Some(name.trim().to_owned()),
        _ => None,
    }
}

/// Describes a repository that was just created; the import has counted its records.
pub(super) fn of_clone(repo: &Repo, imported: Imported, blobs: u64, dir: &Path) -> Result<Info> {
    let mut info = of_commit(&imported.commit);
    (info.blobs, info.can_sign) = (blobs, repo.keys().can_sign());
    info.collections = imported.collections;
    (info.records, info.nodes) = (imported.records, imported.nodes);
    (info.blocks, info.bytes) = (imported.new_blocks, size_of(dir));
    info.signing_key = repo.public_key()?.map(|key| key.did_key());
    Ok(info)
}

/// Describes the present state of a repository.
pub(super) fn of_repo(repo: &Repo, dir: &Path) -> Result<Info> {
    let (mut info, _) = count(&repo.snapshot()?)?;
    add_repository(&mut info, repo, dir)?;
    Ok(info)
}

fn of_commit(commit: &Commit) -> Info {
    Info {
        blobs: 0,
        blocks: 0,
        bytes: 0,
        collections: Vec::new(),
        commit: commit.cid(),
        data: commit.data(),
        did: commit.known_did().map(Did::to_string),
        host: None,
        nodes: 0,
        pulled_at: None,
        reclaimable: None,
        records: 0,
        rev: commit.rev(),
        signing_key: None,
        version: commit.is_well_formed("version").then(|| commit.version()),
        arrived: None,
        can_sign: false,
    }
}

/// Counts the nodes, records and collections of a tree.
fn count(snapshot: &Snapshot) -> Result<(Info, Exit)> {
    let (mut info, mut gaps) = (of_commit(snapshot.commit()), Gaps::default());
    let mut progress = Progress::things("records", None);
    for step in walk(snapshot.blocks(), snapshot.commit().data()) {
        match gaps.pass(step)? {
            None => {}
            Some(Step::Node { .. }) => info.nodes += 1,
            Some(Step::Entry { key, .. }) => {
                info.records += 1;
                progress.add(1);
                let collection = key.as_bytes().split(|byte| *byte == b'/').next();
                let collection = collection.unwrap_or_default();
                match info.collections.last_mut() {
                    Some((last, count)) if last.as_bytes() == collection => *count += 1,
                    _ => info.collections.push((collection.escape_ascii().to_string(), 1)),
                }
            }
        }
    }
    Ok((info, gaps.exit()))
}

/// Adds the store, the blobs and the key of a repository.
fn add_repository(info: &mut Info, repo: &Repo, dir: &Path) -> Result<()> {
    let maintain = repo.store().maintain();
    info.blocks = maintain.map_or(Ok(0), |maintain| maintain.block_count())?;
    repo.blobs().list(&mut |_| {
        info.blobs += 1;
        ControlFlow::Continue(())
    })?;
    info.bytes = size_of(dir);
    info.signing_key = repo.public_key()?.map(|key| key.did_key());
    info.can_sign = repo.keys().can_sign() || dir.join(KEY_FILE).is_file();
    Ok(())
}

/// Adds the host that a mirror follows.
fn add_host(info: &mut Info, dir: &Path, out: &mut Output) {
    match Upstream::read(dir) {
        Ok(Some(upstream)) => {
            (info.host, info.pulled_at) = (Some(upstream.host.to_string()), upstream.pulled_at);
        }
        Ok(None) => {}
        Err(error) => out.warn(error.to_string()),
    }
}

fn reclaimable(repo: &Repo) -> Result<Reclaimable> {
    let mut progress = Progress::things("blocks", None);
    let swept = repo.retain().plan_gc(&Keep::default(), &mut |blocks| progress.add(blocks))?.swept;
    Ok(Reclaimable { blobs: swept.blobs, blocks: swept.blocks, bytes: swept.bytes() })
}

/// Returns the size of the files in a directory. Files that cannot be read count as nothing, and so does the
/// `-shm` file, which is shared memory.
pub(super) fn size_of(dir: &Path) -> u64 {
    let mut total = 0;
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(file) if file.is_dir() => waiting.push(entry.path()),
                Ok(_) if entry.file_name().as_encoded_bytes().ends_with(b"-shm") => {}
                Ok(file) => total += file.len(),
                Err(_) => {}
            }
        }
    }
    total
}
