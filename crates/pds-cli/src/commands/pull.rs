//! `pds pull`

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use pds::Jobs;
use pds::syntax::{Nsid, Tid};
use pds_net::host::Host;
use pds_net::mirror::handle::{FetchOptions, Mirror};
use pds_net::mirror::pull::Pulled;
use pds_net::net::Net;

use super::follow::{FollowArgs, Following};
use super::pull_all;
use crate::answers::fetched::{PullAction, PulledAnswer};
use crate::arguments::identity::KeyText;
use crate::arguments::network_args::NetworkArgs;
use crate::failures::exit::{Exit, Stated};
use crate::process::network_progress::NetworkProgress;
use crate::process::output::Output;
use crate::repository::missing_blobs::say_not_pulled;
use crate::repository::open::Place;
use crate::screens::fetched as screen;

/// Bring a mirror to the newest state of its host
///
/// Asks the host of the account for its newest commit. If there is a newer one, fetches what changed, verifies it, and
/// stores it with the new blobs. HEAD follows, unless there are commits made here: then only the ref origin moves, and
/// pds merge origin combines both. If the account has moved to another host, the pull follows it.
///
/// Prints nothing if nothing has changed.
///
/// With --blobs, the command also reads and hashes every stored blob. It fetches damaged and missing ones again.
///
/// With --follow, the command goes on: it reads the event stream of the host, checks each event of the account, stores
/// it as a state of its own, and prints a line. Where an event does not prove the new state, the mirror is pulled, at
/// most once a minute. The command ends at Ctrl-C, and the next run continues. --relay, --jetstream and --every follow
/// other sources.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds pull\n  pds -R alice.example.com pull --json\n  pds pull --all mirrors\n  pds pull --blobs\n  pds pull --follow\n  pds pull --all mirrors --every 1h\n\n\
    Exit code 1 if the host contradicts what is stored or signed, 4 if the host fails or does not serve the account,\n\
    6 if blobs are missing, or one of several repositories has failed. The repository is unchanged after 1 and 4."
)]
pub(crate) struct Args {
    /// Pull every repository below this directory that follows a host
    #[arg(long, value_name = "DIR")]
    all: Option<PathBuf>,

    /// Hash all stored blobs, and fetch damaged and missing ones again
    #[arg(long, conflicts_with_all = ["no_blobs", "follow", "relay", "jetstream", "every"])]
    blobs: bool,

    /// Fetch no blobs
    #[arg(long)]
    no_blobs: bool,

    /// Fetch only the blobs of this collection; may be given several times
    #[arg(long, value_name = "NSID")]
    collection: Vec<Nsid>,

    /// Ask this server instead of the host: any mirror of the account will do
    #[arg(long, value_name = "URL", conflicts_with = "all")]
    from: Option<Host>,

    /// Take a state that is older than the stored one, has its rev, or a rev in the future
    #[arg(long, conflicts_with_all = ["follow", "relay", "jetstream", "every"])]
    force: bool,

    /// Accept this new signing key of a did:web account. Its domain may have changed hands: ask the owner of the account
    #[arg(long, value_name = "DID_KEY", conflicts_with = "all")]
    key: Option<KeyText>,

    /// Wait for another process that fetches, instead of failing
    #[arg(long)]
    wait: bool,

    /// Also say that nothing has changed
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    follow: FollowArgs,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    network: NetworkArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let net = self.network.net()?;
        let (source, options) = (self.follow.source(), self.options()?);
        let following =
            |source| Following { net: &net, source, options: &options, verbose: self.verbose };
        if let (Some(below), Some(source)) = (&self.all, &source) {
            return following(source).all(below, out);
        }
        if let Some(below) = &self.all {
            return pull_all::run(&net, below, (&options, self.verbose), out);
        }
        let dir = place.writable()?;
        let Some(mut mirror) = Mirror::open(&dir)? else {
            let message = format!("{} follows no host", dir.display());
            let hint = "pds clone ACCOUNT makes a repository that does; pds import adds a file";
            return Stated::no("no-upstream", message).hint(hint).fail();
        };
        if let Some(source) = &source {
            return following(source).one(mirror, out);
        }
        self.pull(&mut mirror, &net, &options, out)
    }

    fn pull(
        &self,
        mirror: &mut Mirror,
        net: &Net,
        options: &FetchOptions,
        out: &mut Output,
    ) -> Result<Exit> {
        let progress = NetworkProgress::default();
        let pulled = mirror.pull(net, options, &|step| progress.show(step));
        progress.finish();
        let pulled = pulled?;
        out.has_done();
        for warning in &pulled.warnings {
            out.warn(warning.clone());
        }
        if let Some(host) = &pulled.moved_to {
            out.warn(format!("the account has moved to {host}"));
        }
        let answer = PulledAnswer::of(mirror, &pulled);
        if answer.action == PullAction::Diverged && out.terminal().is_none() {
            out.warn("HEAD has commits made here and stays; pds merge origin combines both");
        }
        if self.verbose || out.is_json() || answer.has_changed() {
            let host = mirror.upstream().host.to_string();
            let before = rev_before(mirror, &pulled);
            out.show(&answer, |terminal| screen::pulled(&answer, &host, before, terminal))?;
        }
        Ok(say_not_pulled(&pulled, None, out))
    }

    fn options(&self) -> Result<FetchOptions> {
        let mut options = FetchOptions::default();
        options.no_blobs = self.no_blobs;
        options.check_blobs = self.blobs;
        options.blobs_of.clone_from(&self.collection);
        options.force = self.force;
        options.key = self.key.as_ref().map(KeyText::parse).transpose()?;
        options.from.clone_from(&self.from);
        options.wait = match (self.wait, self.follow.source()) {
            (true, _) => Duration::MAX,
            // Another pull ends soon, and the following goes on after it.
            (false, Some(_)) => FOLLOW_WAIT,
            (false, None) => Duration::ZERO,
        };
        options.jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        Ok(options)
    }
}

/// How long a following waits for another process that changes the mirror.
const FOLLOW_WAIT: Duration = Duration::from_secs(30);

/// Returns the rev of the state before.
fn rev_before(mirror: &Mirror, pulled: &Pulled) -> Option<Tid> {
    let before = mirror.repo().checkout(&pulled.before.to_string().parse().ok()?).ok()?;
    before.commit().rev()
}
