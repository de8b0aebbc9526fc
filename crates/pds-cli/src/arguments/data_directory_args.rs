//! The options for the data directory of a PDS.

use std::path::PathBuf;

use pds::syntax::Handle;

/// The options for the data directory of a PDS. With its DID, an account is named by `--did`.
#[derive(Debug, clap::Args)]
pub(crate) struct DataDirectoryArgs {
    /// Clone the account with this handle
    #[arg(long, conflicts_with = "did", help_heading = HEADING)]
    pub(crate) handle: Option<Handle>,

    /// Clone all accounts, each into a directory in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["did", "handle", "dir"], help_heading = HEADING)]
    pub(crate) all: Option<PathBuf>,

    /// Use no network: check the signature with the key in the data directory. The repository follows no host
    #[arg(long, help_heading = HEADING)]
    pub(crate) offline: bool,
}

impl DataDirectoryArgs {
    /// Tells whether the user gave any of them.
    pub(crate) fn is_given(&self) -> bool {
        self.handle.is_some() || self.all.is_some() || self.offline
    }
}

const HEADING: &str = "Data directory of a PDS";
