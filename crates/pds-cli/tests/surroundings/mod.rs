//! Hostile surroundings: odd paths, disks that are full or read-only, pipes that close, terminals.

mod destinations;
mod full_disk;
mod hostile_text;
mod long_names;
#[cfg(target_os = "linux")]
mod no_locks;
mod paths;
#[cfg(unix)]
mod permissions;
mod pipes;
mod read_only;
mod terminal;

use crate::common::{Home, Run};

/// A line of shell with mounts of its own, which end with it; `None` where that is not allowed.
pub(crate) fn with_mounts(home: &Home, line: &str) -> Option<Run> {
    let allowed =
        home.command("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no mounts here");
        return None;
    }
    let mut command = home.command("unshare");
    command.args(["-m", "sh", "-c", line]);
    Some(Run::new(command))
}
