//! Figures of outcomes: medians over the rounds, and ratios.

use crate::measured::Measured;
use crate::meter::Outcome;
use crate::subject::Subject;

/// Ours as a multiple of theirs: the median of the rounds' ratios.
pub(crate) fn ratio(
    measured: &Measured,
    to: Subject,
    figure: impl Fn(&Outcome) -> f64,
) -> Option<f64> {
    let (ours, theirs) = (measured.outcomes.get(&Subject::Pds)?, measured.outcomes.get(&to)?);
    Some(median(ours.iter().zip(theirs).map(|(ours, theirs)| figure(ours) / figure(theirs))))
}

/// Ours less theirs: the median of the rounds' differences.
pub(crate) fn difference(
    measured: &Measured,
    to: Subject,
    figure: impl Fn(&Outcome) -> f64,
) -> Option<f64> {
    let (ours, theirs) = (measured.outcomes.get(&Subject::Pds)?, measured.outcomes.get(&to)?);
    Some(median(ours.iter().zip(theirs).map(|(ours, theirs)| figure(ours) - figure(theirs))))
}

pub(crate) fn cpu_each(outcome: &Outcome) -> f64 {
    outcome.cpu_s / outcome.times as f64
}

pub(crate) fn wall_each(outcome: &Outcome) -> f64 {
    outcome.wall_s / outcome.times as f64
}

pub(crate) fn megabytes(outcome: &Outcome) -> f64 {
    outcome.peak_bytes as f64 / 1e6
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(figures[middle - 1], figures[middle]),
        _ => figures[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < f64::EPSILON);
        assert!(median(std::iter::empty()).is_nan());
    }
}
