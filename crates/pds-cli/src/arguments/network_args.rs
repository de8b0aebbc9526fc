//! The options of verbs that use the network.

use anyhow::Result;
use pds_net::host::Host;
use pds_net::net::Net;
use pds_net::options::NetOptions;
use pds_net::private_addresses::PrivateAddresses;

use crate::arguments::size_arg::read_size;

/// The options of verbs that use the network.
#[derive(Debug, clap::Args)]
pub(crate) struct NetworkArgs {
    /// Directory of did:plc accounts [default: https://plc.directory]
    #[arg(long, value_name = "URL", env = "ATP_PLC_HOST", hide_env_values = true, help_heading = HEADING)]
    plc: Option<Host>,

    /// Ask this server for handles, instead of DNS and the handle's web server
    #[arg(long, value_name = "URL", env = "PDS_RESOLVER", hide_env_values = true, help_heading = HEADING)]
    resolver: Option<Host>,

    /// Permit private addresses and http: for this host (name or name:port), or for all hosts
    #[arg(
        long,
        value_name = "HOST",
        env = "PDS_ALLOW_PRIVATE",
        hide_env_values = true,
        value_delimiter = ',',
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ALL,
        help_heading = HEADING
    )]
    allow_private: Vec<String>,

    /// Largest repository after decompression, such as 500MB or 20GiB [default: 8GiB]
    #[arg(long, value_name = "SIZE", value_parser = read_size, help_heading = HEADING)]
    max_repo: Option<u64>,

    /// Largest blob, whatever size its record names [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = read_size, help_heading = HEADING)]
    max_blob: Option<u64>,
}

impl NetworkArgs {
    /// Returns the network with these options.
    pub(crate) fn net(&self) -> Result<Net> {
        let mut options = NetOptions::default();
        if let Some(plc) = &self.plc {
            options.plc = plc.clone();
        }
        options.resolver.clone_from(&self.resolver);
        options.private_addresses = match &self.allow_private[..] {
            [] => PrivateAddresses::Refuse,
            hosts if hosts.iter().any(|host| host == ALL || host == "1") => PrivateAddresses::Allow,
            hosts => PrivateAddresses::Hosts(hosts.to_vec()),
        };
        options.max_repo_bytes = self.max_repo.unwrap_or(options.max_repo_bytes);
        options.max_blob_bytes = self.max_blob.unwrap_or(options.max_blob_bytes);
        Ok(Net::new(options)?)
    }
}

/// The value of `--allow-private` without a host.
const ALL: &str = "*";

const HEADING: &str = "Network";
