//! The lines of the table: work, what each subject takes for it, and the goal.

use crate::database::clock::Spent;
use crate::figures::median;

/// A piece of work, and what it took in each round.
pub(crate) struct Line {
    pub(crate) work: String,
    /// The subject that the goal compares with.
    pub(crate) anchor: &'static str,
    /// How often a round does the work: puts, blocks, reads.
    pub(crate) times: usize,
    pub(crate) goal: Goal,
    /// The round trips of one time: of all puts the most.
    pub(crate) trips: Option<u64>,
    pub(crate) rounds: Vec<Round>,
}

/// What each subject took in a round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    pub(crate) store: Spent,
    pub(crate) anchor: Spent,
    pub(crate) sqlite: Spent,
}

/// A limit on the store in PostgreSQL.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Wall time, as a multiple of the anchor's.
    Wall(f64),
    /// Speed in wall time, as a share of the anchor's.
    Rate(f64),
}

impl Line {
    pub(crate) fn over_sqlite(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.store.wall / round.sqlite.wall))
    }

    /// Returns the median seconds of one time.
    pub(crate) fn each(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure)) / self.times as f64
    }

    /// Returns the goal, the figure, and whether the figure meets the goal.
    pub(crate) fn verdict(&self) -> (String, f64, bool) {
        let ratio = median(self.rounds.iter().map(|round| round.store.wall / round.anchor.wall));
        match self.goal {
            Goal::Wall(most) => (format!("≤ {most:.1} x wall"), ratio, ratio <= most),
            Goal::Rate(least) => {
                (format!("≥ {least:.1} x rate"), 1.0 / ratio, 1.0 / ratio >= least)
            }
        }
    }
}
