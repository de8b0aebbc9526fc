//! The password of a connection: from the environment, or from a password file.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::errors::Result;
use pds_store::error::StoreError;

use crate::address::Address;

/// Returns the password for an address, if it has one. It comes from `PGPASSWORD`, or
/// from the file that `PGPASSFILE` names, by default `~/.pgpass`.
pub(crate) fn password(address: &Address) -> Result<Option<String>> {
    if let Ok(password) = env::var("PGPASSWORD") {
        return Ok(Some(password));
    }
    let named = env::var_os("PGPASSFILE").map(PathBuf::from);
    let file = named.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pgpass")));
    match file.filter(|file| file.is_file()) {
        Some(file) => of_file(&file, address),
        None => Ok(None),
    }
}

/// Reads a password file. Its lines have the form `host:port:database:user:password`. A field is
/// `*` for all, and a backslash escapes a colon or a backslash.
fn of_file(file: &Path, address: &Address) -> Result<Option<String>> {
    let failed = |why: String| {
        StoreError::Backend(format!("password file {}: {why}", file.display()).into())
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(file).map_err(|error| failed(error.to_string()))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(failed("other users can read it (hint: chmod 600)".to_owned()));
        }
    }
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let host = if address.host.starts_with('/') { "localhost" } else { &address.host };
    let port = address.port.to_string();
    let wanted = [host, &port, &address.database, &address.user];
    Ok(text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (known, password) = (fields.get(..4)?, fields.get(4)?);
        let mut pairs = known.iter().zip(wanted);
        pairs.all(|(known, wanted)| known == "*" || known == wanted).then(|| password.clone())
    }))
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut characters) = (vec![String::new()], line.chars());
    while let Some(found) = characters.next() {
        match (found, fields.last_mut()) {
            (':', _) => fields.push(String::new()),
            ('\\', Some(field)) => field.extend(characters.next()),
            (_, Some(field)) => field.push(found),
            (_, None) => {}
        }
    }
    fields
}

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
            ("postgres://me@%2Frun/db", Some("4")),
            ("postgres://you@host/db", Some("6")),
        ] {
            let found = of_file(&file, &address.parse().unwrap()).unwrap();
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pgpass");
        fs::write(&file, "*:*:*:*:secret\n").unwrap();
        let address = "postgres://me@host/db".parse().unwrap();
        for mode in [0o640, 0o604, 0o644] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let error = of_file(&file, &address).unwrap_err();
            let StoreError::Backend(why) = error else { panic!("{error:?}") };
            assert!(why.to_string().contains("chmod 600") && !why.to_string().contains("secret"));
        }
    }
}
