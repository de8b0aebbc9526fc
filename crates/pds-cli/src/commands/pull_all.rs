//! `pds pull --all`

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::Result;
use pds_net::error::{Error, Result as NetResult};
use pds_net::mirror::all::{FoundMirrors, find_mirrors, pull_all};
use pds_net::mirror::handle::{FetchOptions, Mirror};
use pds_net::mirror::pull::Pulled;
use pds_net::net::Net;

use crate::answers::fetched::{PullAction, PulledAnswer, PulledOne};
use crate::failures::exit::{Exit, Stated};
use crate::failures::failure::Failure;
use crate::process::network_progress::NetworkProgress;
use crate::process::output::Output;
use crate::process::text::{counted_plain, say};
use crate::repository::missing_blobs::say_not_pulled;
use crate::screens::fetched as screen;

/// Pulls all mirrors below a directory. A failure of one does not keep the others from being pulled.
pub(super) fn run(
    net: &Net,
    below: &Path,
    (options, verbose): (&FetchOptions, bool),
    out: &mut Output,
) -> Result<Exit> {
    let found = mirrors_below(below)?;
    let dirs = found.dirs;
    let mut counts = PullCounts::default();
    for (dir, error) in found.unread {
        counts.fail(&dir.display().to_string(), error, out)?;
    }
    let progress = NetworkProgress::default();
    std::thread::scope(|scope| -> Result<()> {
        let (sender, results) = mpsc::channel::<(PathBuf, NetResult<(Mirror, Pulled)>)>();
        let progress = &progress;
        scope.spawn(move || {
            let report = |step| progress.show(step);
            pull_all(net, dirs, options, &report, &|dir, pulled| {
                // The receiver ends only with the command.
                let _ = sender.send((dir.to_owned(), pulled));
            });
        });
        for (dir, pulled) in results {
            counts.add(dir.as_path(), pulled, verbose, out)?;
        }
        Ok(())
    })?;
    progress.finish();
    let rows = std::mem::take(&mut counts.rows);
    if let Some(terminal) = out.terminal() {
        let lines = screen::pulled_all(&rows, terminal);
        out.lines(lines)?;
    }
    say(&counts.text());
    Ok(if counts.failed + counts.incomplete > 0 { Exit::Partly } else { Exit::Done })
}

/// Returns the mirrors below a directory, and the directories that cannot be read.
fn mirrors_below(below: &Path) -> Result<FoundMirrors> {
    let found = find_mirrors(below)?;
    if found.dirs.is_empty() && found.unread.is_empty() {
        let message = format!("no repository below {} follows a host", below.display());
        return Stated::no("no-upstream", message)
            .hint("pds clone ACCOUNT makes a repository that does")
            .fail();
    }
    Ok(found)
}

/// The results of the pulls.
#[derive(Default)]
struct PullCounts {
    pulled: u64,
    unchanged: u64,
    /// Those with missing blobs, which count as pulled or unchanged as well.
    incomplete: u64,
    failed: u64,
    /// The mirrors that the table on a terminal shows.
    rows: Vec<PulledOne>,
}

impl PullCounts {
    fn add(
        &mut self,
        dir: &Path,
        pulled: NetResult<(Mirror, Pulled)>,
        verbose: bool,
        out: &mut Output,
    ) -> Result<()> {
        let name = dir.display().to_string();
        let (mirror, pulled) = match pulled {
            Ok(pulled) => pulled,
            Err(error) => return self.fail(&name, error, out),
        };
        out.has_done();
        for warning in &pulled.warnings {
            out.warn(format!("{name}: {warning}"));
        }
        let answer = PulledAnswer::of(&mirror, &pulled);
        let (is_unchanged, has_changed) =
            (answer.action == PullAction::Unchanged, answer.has_changed());
        *(if is_unchanged { &mut self.unchanged } else { &mut self.pulled }) += 1;
        self.incomplete += u64::from(say_not_pulled(&pulled, Some(&name), out) != Exit::Done);
        if !out.is_json() && !verbose && !has_changed {
            return Ok(());
        }
        let one = PulledOne::pulled(name, answer);
        if out.terminal().is_none() {
            return out.answer(&one);
        }
        self.rows.push(one);
        Ok(())
    }

    /// Counts a mirror that was not pulled, or a directory that was not searched.
    fn fail(&mut self, name: &str, error: Error, out: &mut Output) -> Result<()> {
        self.failed += 1;
        let failure = Failure::of(&error.into());
        let one = PulledOne::failed(name.to_owned(), failure.name(), failure.message());
        if out.is_json() {
            return out.json(&one);
        }
        if out.terminal().is_some() {
            self.rows.push(one);
        } else {
            out.warn(format!("{name}: {}", failure.message()));
        }
        Ok(())
    }

    fn text(&self) -> String {
        let all = self.pulled + self.unchanged + self.failed;
        let mut text = format!(
            "{}: {} pulled, {} unchanged, {} failed",
            counted_plain(all, "mirror"),
            self.pulled,
            self.unchanged,
            self.failed
        );
        if self.incomplete > 0 {
            text += &format!(", {} with missing blobs", self.incomplete);
        }
        text
    }
}
