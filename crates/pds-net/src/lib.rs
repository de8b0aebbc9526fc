//! The network client: finds the host of an account, and keeps a verified copy of its repository.
//!
//! The local copy is the truth about the blocks that we hold, and the signed commit is the truth about what a host
//! said. Everything in between may lie, be cut off, or be killed.
//!
//! The client is blocking. A body is a reader, and parallel requests are threads.
//!
//! - [`net`]: the client, with its [`options`].
//! - [`account`]: an account with its host and its keys.
//! - [`request`], [`response`], [`body`]: one request and its bounded answer.
//! - [`socket`]: a WebSocket with bounded messages.
//! - [`resolve`]: from a handle or DID to an account.
//! - [`xrpc`]: the calls of the protocol.
//! - [`address`], [`private_addresses`], [`host`]: which hosts and addresses are dialled.
//! - [`error`], [`refusal`]: why something failed, and why an answer was refused.
//! - [`mirror`]: clone and pull.
//! - [`clock`]: the clock by which the client waits.
//! - [`progress`]: waits and steps, for the caller.
//!
//! ```no_run
//! use pds_net::net::Net;
//! use pds_net::options::NetOptions;
//! use pds_net::xrpc::sync::get_latest_commit;
//!
//! let net = Net::new(NetOptions::default())?;
//! let account = net.account(&"alice.example.com".parse()?)?;
//! let latest = get_latest_commit(net.client(), &account.host, &account.did)?;
//! println!("{} is at {}", account.did, latest.cid);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
pub mod address;
mod advice;
pub mod body;
pub mod clock;
mod dial;
pub mod error;
mod error_text;
mod escape;
mod frame_io;
mod gate;
pub mod host;
mod http;
mod kept;
pub mod limits;
pub mod mirror;
pub mod net;
pub mod options;
mod pace;
mod permit;
mod plc;
pub mod private_addresses;
pub mod progress;
mod proxy;
mod redirect;
pub mod refusal;
pub mod request;
pub mod resolve;
pub mod response;
mod retry;
pub mod socket;
mod tls;
pub mod traffic;
pub mod xrpc;
