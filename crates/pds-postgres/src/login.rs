//! The settings of a connection: its address, its user, and its password.

use postgres::Config;
use postgres::config::Host;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use crate::address::Address;
use crate::errors::store_error;
use pds_store::error::StoreError;

/// Returns the settings for an address. Without a user, `PGUSER` is used.
pub(crate) fn config(address: &Address) -> Result<Config, StoreError> {
    let mut config: Config = address.url.parse().map_err(store_error)?;
    config.application_name("pds").connect_timeout(CONNECT_TIME);
    if config.get_user().is_none()
        && let Ok(user) = env::var("PGUSER").or_else(|_| env::var("USER"))
    {
        config.user(&user);
    }
    if let Some(password) = password(&config)? {
        config.password(password);
    }
    Ok(config)
}

/// Returns the password, if there is one. It comes from `PGPASSWORD`, or from the file that
/// `PGPASSFILE` names, by default `~/.pgpass`.
fn password(config: &Config) -> Result<Option<String>, StoreError> {
    if let Ok(password) = env::var("PGPASSWORD") {
        return Ok(Some(password));
    }
    let named = env::var_os("PGPASSFILE").map(PathBuf::from);
    let file = named.or_else(|| Some(env::home_dir()?.join(".pgpass")));
    match file.filter(|file| file.is_file()) {
        Some(file) => of_file(&file, config),
        None => Ok(None),
    }
}

/// Reads a password file. Its lines have the form `host:port:database:user:password`. A field is
/// `*` for all, and a backslash escapes a colon or a backslash.
fn of_file(file: &Path, config: &Config) -> Result<Option<String>, StoreError> {
    let failed = |why: &dyn std::fmt::Display| {
        StoreError::Backend(format!("password file {}: {why}", file.display()).into())
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(file).map_err(|error| failed(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed(&"other users can read it (hint: chmod 600)"));
        }
    }
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host,
        _ => "localhost",
    };
    let port = config.get_ports().first().unwrap_or(&5432).to_string();
    let [database, user] = [config.get_dbname(), config.get_user()].map(Option::unwrap_or_default);
    let wanted = [host, &port, database, user]
        .map(|field| field.replace('\\', "\\\\").replace(':', "\\:") + ":");
    Ok(text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let password = wanted.iter().try_fold(line, |rest, field| {
            rest.strip_prefix("*:").or_else(|| rest.strip_prefix(&**field))
        })?;
        Some(password.replace("\\:", ":").replace("\\\\", "\\"))
    }))
}

const CONNECT_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
#[cfg(unix)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_line_that_matches_has_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pgpass");
        let lines = "# host:5432:db:me:comment\n\nshort:line\nother:*:*:*:1\nhost:9:*:me:2\n\
            host:*:d\\:b:me:a\\:b\\\\c\nlocalhost:*:*:*:4:5\n*:*:*:you:6\n";
        fs::write(&file, lines).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        for (address, expected) in [
            ("postgres://me@other/db", Some("1")),
            ("postgres://me@host:9/db", Some("2")),
            ("postgres://me@host/d:b", Some("a:b\\c")),
            ("postgres://me@host/db", None),
            ("postgres://me@%2Frun/db", Some("4:5")),
            ("postgres://you@host/db", Some("6")),
        ] {
            let found = of_file(&file, &address.parse().unwrap()).unwrap();
            assert_eq!(found.as_deref(), expected, "{address}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = of_file(&file, &"postgres://me@host/db".parse().unwrap()).unwrap_err();
        let StoreError::Backend(why) = error else { panic!("{error:?}") };
        assert!(why.to_string().contains("chmod 600"), "{why}");
    }
}
