//! The answer to a shell.

use clap::Command;
use clap_complete::CompleteEnv;
use clap_complete::env::Shells;

use super::attach::with_values;
use super::shells::SHELLS;

/// Answers a shell that asks for completions, and tells whether one did.
pub(crate) fn answer(program: fn() -> Command) -> bool {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell.is_empty()) {
        return false;
    }
    let complete = CompleteEnv::with_factory(move || with_values(program()));
    let complete = complete.var(VARIABLE).shells(Shells(&SHELLS));
    // Nothing to offer is no error.
    let _ = complete.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref());
    true
}

/// The variable that the scripts set.
pub(crate) const VARIABLE: &str = "PDS_COMPLETE";
