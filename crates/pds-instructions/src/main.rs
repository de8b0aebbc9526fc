//! Walks one hot path of the library once; `.ci/instructions` counts the instructions that it takes.
//!
//! Everything that a path needs is made before, and is the same each time. What is counted is what
//! happens inside of [`counted`].
#![expect(clippy::print_stdout, reason = "the names of the paths are what it answers")]

mod account;
mod paths;

use std::error::Error;
use std::process::ExitCode;

use self::account::Account;
use self::paths::PATHS;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(wanted) = std::env::args().nth(1) else {
        for (name, _) in PATHS {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some((_, walk)) = PATHS.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("there is no path {wanted}");
        return Ok(ExitCode::FAILURE);
    };
    walk(&Account::make(RECORDS)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Does the work that is counted: the count begins and ends with this function.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

const RECORDS: u32 = 1_000;
