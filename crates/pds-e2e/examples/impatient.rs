//! Clones and pulls with short times, so that tests of slow hosts end soon: `clone|pull ACCOUNT PLC RESOLVER`.
//!
//! The repository is `copy`. Exit codes and most of the behaviour are those of the binary.
#![allow(clippy::print_stdout)]

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use pds_net::error::{Error, Result};
use pds_net::mirror::blobs::Blobs;
use pds_net::mirror::handle::{FetchOptions, Mirror};
use pds_net::net::Net;
use pds_net::options::{NetOptions, Patience};
use pds_net::private_addresses::PrivateAddresses;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(blobs) => {
            println!("{} blobs, {} missing", blobs.fetched, blobs.missing.len());
            ExitCode::from(if blobs.missing.is_empty() { 0 } else { 6 })
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(code(&error))
        }
    }
}

fn code(error: &Error) -> u8 {
    match error {
        error if error.is_remote() => 4,
        Error::Refused(_) => 1,
        _ => 3,
    }
}

fn run(arguments: &[String]) -> Result<Blobs> {
    let [verb, who, plc, resolver] = arguments else { panic!("wrong arguments: {arguments:?}") };
    let mut options = NetOptions::default();
    options.plc = plc.parse()?;
    options.resolver = Some(resolver.parse()?);
    options.private_addresses = PrivateAddresses::Hosts(vec!["localhost".to_owned()]);
    options.patience = Patience {
        connect: Duration::from_secs(5),
        first_byte: Duration::from_secs(2),
        between_bytes: Duration::from_secs(2),
        pace_window: Duration::from_secs(1),
        ..Patience::default()
    };
    let net = Net::new(options)?;
    let report = |_| ControlFlow::Continue(());
    let fetch = FetchOptions::default();
    if verb == "clone" {
        let account = net.account(&who.parse().expect("an account"))?;
        Ok(Mirror::clone_account(&net, &account, "copy", &fetch, &report)?.1.blobs)
    } else {
        let mut mirror = Mirror::open("copy")?.expect("a mirror");
        Ok(mirror.pull(&net, &fetch, &report)?.blobs)
    }
}
