//! The faults, and the calls at which they happen.

use super::strace::Point;
use crate::common::torture;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Kill,
    Eio,
    Enospc,
}

impl Fault {
    pub(super) const ALL: [Self; 3] = [Self::Kill, Self::Eio, Self::Enospc];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Eio => "EIO",
            Self::Enospc => "ENOSPC",
        }
    }

    /// The option of `strace` for this fault at a call.
    pub(super) fn injection(self, point: &Point) -> String {
        let what = match self {
            Self::Kill => "signal=KILL".to_owned(),
            Self::Eio | Self::Enospc => format!("error={}", self.name()),
        };
        format!("inject={}:{what}:when={}", point.call, point.n)
    }
}

/// All calls, or a sample: the first and the last, and a spread over the renames, links and removals, the syncs and the
/// writes between them.
pub(super) fn chosen(points: &[Point], sample: usize) -> Vec<&Point> {
    let count = torture::amount(sample, usize::MAX);
    if count >= points.len() {
        return points.iter().collect();
    }
    let of = |kind: fn(&str) -> bool| -> Vec<usize> {
        (0..points.len()).filter(|at| kind(&points[*at].call)).collect()
    };
    let mut chosen = vec![0, points.len() - 1];
    let rest = count.saturating_sub(chosen.len());
    chosen.extend(spread(&of(|call| !is_quiet(call) && !is_content(call)), rest.div_ceil(2)));
    chosen.extend(spread(&of(|call| call.contains("sync")), rest / 4));
    chosen.extend(spread(&of(|call| call.contains("write")), count.saturating_sub(chosen.len())));
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|at| &points[at]).collect()
}

/// Calls that change no file, so the normal run tries few of them.
fn is_quiet(call: &str) -> bool {
    ["openat", "flock", "close"].contains(&call)
}

/// Calls that write or sync the bytes of a file; a run has many.
fn is_content(call: &str) -> bool {
    call.contains("write") || call.contains("sync")
}

/// At most so many of them, evenly, with the first and the last.
fn spread(points: &[usize], count: usize) -> Vec<usize> {
    if points.len() <= count {
        return points.to_vec();
    }
    let last = points.len() - 1;
    match count {
        0 => Vec::new(),
        1 => vec![points[last / 2]],
        _ => (0..count).map(|n| points[n * last / (count - 1)]).collect(),
    }
}
