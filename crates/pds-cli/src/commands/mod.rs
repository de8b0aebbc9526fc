//! One file a verb: its arguments, and what it does.

pub(crate) mod apply;
pub(crate) mod blob;
pub(crate) mod cid;
pub(crate) mod clone;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod forget;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod mst;
pub(crate) mod prove;
pub(crate) mod put;
pub(crate) mod recover;
pub(crate) mod refs;
pub(crate) mod repair;
pub(crate) mod reset;
pub(crate) mod revert;
pub(crate) mod rm;
pub(crate) mod show;
pub(crate) mod tid;
pub(crate) mod unpack;
pub(crate) mod verify;
pub(crate) mod verify_proof;

use anyhow::Result;

use crate::args::{Cli, Command};
use crate::failure::Exit;
use crate::open::Place;
use crate::output::Output;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli, out: &mut Output) -> Result<Exit> {
    let place = Place::new(cli.repo);
    match cli.command {
        Command::Init(args) => args.run(out),
        Command::Clone(args) => args.run(out),
        Command::Info(args) => args.run(&place, out),
        Command::Put(args) => args.run(&place, out),
        Command::Get(args) => args.run(&place, out),
        Command::Rm(args) => args.run(&place, out),
        Command::Ls(args) => args.run(&place, out),
        Command::Apply(args) => args.run(&place, out),
        Command::Blob(args) => args.run(&place, out),
        Command::Import(args) => args.run(&place, out),
        Command::Export(args) => args.run(&place, out),
        Command::Unpack(args) => args.run(&place, out),
        Command::Verify(args) => args.run(&place, out),
        Command::Prove(args) => args.run(&place, out),
        Command::VerifyProof(args) => args.run(out),
        Command::Log(args) => args.run(&place, out),
        Command::Diff(args) => args.run(&place, out),
        Command::Show(args) => args.run(&place, out),
        Command::Mst(args) => args.run(&place, out),
        Command::Ref(args) => args.run(&place, out),
        Command::Reset(args) => args.run(&place, out),
        Command::Revert(args) => args.run(&place, out),
        Command::Merge(args) => args.run(&place, out),
        Command::Forget(args) => args.run(&place, out),
        Command::Gc(args) => args.run(&place, out),
        Command::Recover(args) => args.run(out),
        Command::Repair(args) => args.run(&place, out),
        Command::Key(args) => args.run(&place, out),
        Command::Tid(args) => args.run(out),
        Command::Cid(args) => args.run(out),
        Command::Completions(args) => args.run(out),
        Command::Man(args) => args.run(out),
    }
}
