//! A program that runs one hot path of the library once. `.ci/instructions` counts its instructions.
//!
//! The input of a path is made beforehand and is always the same. Only the instructions inside `counted` are
//! counted.
#![expect(clippy::print_stdout, reason = "the program prints the names of the paths")]

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
        eprintln!("unknown path {wanted}");
        return Ok(ExitCode::FAILURE);
    };
    walk(&Account::make(RECORDS)?)?;
    Ok(ExitCode::SUCCESS)
}

const RECORDS: u32 = 1_000;
