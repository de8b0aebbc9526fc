//! The option that puts the store of a new repository into a database.

use anyhow::Result;
use pds::local::store_place::is_address;

use crate::failures::exit::Stated;

/// The store of a new repository.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArg {
    /// Keep blocks, refs and log in this PostgreSQL database [default: the file pds.db in the directory]. The password
    /// comes from PGPASSWORD or PGPASSFILE
    #[arg(
        long = "store",
        value_name = "postgres://HOST/DB",
        env = "PDS_STORE",
        hide_env_values = true
    )]
    address: Option<String>,
}

impl StoreArg {
    /// Returns the address of the database, or `None` for a file.
    pub(crate) fn address(&self) -> Result<Option<&str>> {
        match &self.address {
            // An empty variable counts as unset.
            Some(address) if address.is_empty() => Ok(None),
            Some(address) if !is_address(address) => {
                Stated::usage("the value of --store must start with postgres://").fail()
            }
            address => Ok(address.as_deref()),
        }
    }
}
