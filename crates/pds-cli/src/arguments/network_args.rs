//! The options of verbs that use the network.

use anyhow::Result;
use pds_net::host::Host;
use pds_net::net::Net;
use pds_net::options::NetOptions;

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
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
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
        options.private_addresses = self.allow_private.join(",").parse()?;
        options.max_repo_bytes = self.max_repo.unwrap_or(options.max_repo_bytes);
        options.max_blob_bytes = self.max_blob.unwrap_or(options.max_blob_bytes);
        Ok(Net::new(options)?)
    }
}

const HEADING: &str = "Network";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;
    use pds_net::private_addresses::PrivateAddresses;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        network: NetworkArgs,
    }

    #[test]
    fn private_addresses_are_admitted_as_the_library_reads_them() {
        let admitted = |arguments: &[&str]| {
            let command = Command::try_parse_from([&["pds"], arguments].concat()).unwrap();
            command.network.net().unwrap().private_addresses().clone()
        };
        assert_eq!(admitted(&[]), PrivateAddresses::Refuse);
        assert_eq!(admitted(&["--allow-private"]), PrivateAddresses::Allow);
        assert_eq!(admitted(&["--allow-private=true"]), PrivateAddresses::Allow);
        let hosts = PrivateAddresses::Hosts(vec!["a.test".to_owned(), "b.test:80".to_owned()]);
        assert_eq!(admitted(&["--allow-private=a.test,b.test:80"]), hosts);
        assert_eq!(admitted(&["--allow-private=a.test", "--allow-private=b.test:80"]), hosts);
    }
}
