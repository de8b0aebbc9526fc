//! Habits of other programs: their verbs are answered, their slips are corrected, their help is found.

mod help;
mod manual;
mod tips;
mod verbs;
