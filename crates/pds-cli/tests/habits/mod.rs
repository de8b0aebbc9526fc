//! Habits of other programs: their verbs are answered, their slips are corrected, their help is found.

mod completion;
mod help;
mod manual;
mod shells;
mod tips;
mod verbs;
