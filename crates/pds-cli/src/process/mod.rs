//! The process: its output, progress, questions, signals, and the files that it completes or removes.

pub(crate) mod destination;
pub(crate) mod editor;
pub(crate) mod leftovers;
pub(crate) mod network_progress;
pub(crate) mod new_directory;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod progress_line;
pub(crate) mod questions;
#[cfg(unix)]
pub(crate) mod signals;
pub(crate) mod text;
