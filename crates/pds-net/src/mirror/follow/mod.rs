//! Following: mirrors that are kept fresh by the events of a host, of a relay, or by the clock.
//!
//! An event is a claim. A commit is taken only if the account signed it and its changes lead from the stored state to
//! it; everything else asks the host of the account by a pull, at most once a minute. Events without a signature change
//! nothing by themselves.

mod arrival;
mod connection;
pub mod event_source;
mod feed;
pub mod followed;
pub mod followers;
mod group;
mod jetstream;
mod one;
mod pull_pace;
mod step;
