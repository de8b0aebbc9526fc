//! The certificates that the client trusts.
//!
//! They are compiled in, so that the client works in an empty container. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Result};

/// The variable that names a file of certificates.
const FILE: &str = "SSL_CERT_FILE";

/// The most files of a directory of certificates.
const MAX_FILES: usize = 2_000;

/// The largest file of certificates. Those of systems have less than 300 KiB.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Returns the settings of TLS. The certificates of a file replace those of the environment.
///
/// # Errors
///
/// [`Error::Setting`] if a file is named that cannot be read or has no certificate.
pub(crate) fn config(file: Option<&Path>) -> Result<TlsConfig> {
    let roots = match (file, variable(FILE), variable("SSL_CERT_DIR")) {
        (Some(file), ..) => of_files("certificates", Some(file), None)?,
        (None, None, None) => RootCerts::WebPki,
        (None, file, dir) => of_files(FILE, file.as_deref(), dir.as_deref())?,
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Reads the certificates of a file, which a variable or option names, and of a directory.
fn of_files(name: &'static str, file: Option<&Path>, dir: Option<&Path>) -> Result<RootCerts> {
    let mut found: Vec<Certificate<'static>> = Vec::new();
    if let Some(file) = file {
        read(name, file, &mut found)?;
    }
    if let Some(dir) = dir {
        let wrong = |error| unreadable("SSL_CERT_DIR", dir, &error);
        for entry in fs::read_dir(dir).map_err(wrong)?.take(MAX_FILES) {
            let path = entry.map_err(wrong)?.path();
            if path.is_file() {
                read("SSL_CERT_DIR", &path, &mut found)?;
            }
        }
    }
    if found.is_empty() {
        let reason = "no certificate was found; unset it to use those of this program".to_owned();
        let name = if file.is_some() { name } else { "SSL_CERT_DIR" };
        return Err(Error::Setting { name, reason });
    }
    Ok(RootCerts::new_with_certs(&found))
}

fn read(name: &'static str, path: &Path, found: &mut Vec<Certificate<'static>>) -> Result<()> {
    let length = fs::metadata(path).map_err(|error| unreadable(name, path, &error))?.len();
    if length > MAX_FILE_BYTES {
        let reason = format!("{} is larger than a file of certificates", path.display());
        return Err(Error::Setting { name, reason });
    }
    let pem = fs::read(path).map_err(|error| unreadable(name, path, &error))?;
    found.extend(parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    }));
    Ok(())
}

fn unreadable(name: &'static str, path: &Path, error: &std::io::Error) -> Error {
    Error::Setting { name, reason: format!("{} cannot be read: {error}", path.display()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";

    fn count(file: Option<&Path>, dir: Option<&Path>) -> Result<usize> {
        match of_files(FILE, file, dir)? {
            RootCerts::Specific(found) => Ok(found.len()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn certificates_of_files_replace_the_compiled_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one.pem"), dir.path().join("other"));
        fs::write(&one, format!("a comment\n{PEM}{PEM}")).unwrap();
        fs::write(&other, "no certificate").unwrap();
        fs::create_dir(dir.path().join("directory")).unwrap();
        assert_eq!(count(Some(&one), None).unwrap(), 2);
        assert_eq!(count(None, Some(dir.path())).unwrap(), 2);
        assert_eq!(count(Some(&one), Some(dir.path())).unwrap(), 4);
        let error = count(Some(&other), None).unwrap_err().to_string();
        assert!(error.starts_with("SSL_CERT_FILE: no certificate was found"), "{error}");
        let error = count(None, Some(&dir.path().join("missing"))).unwrap_err().to_string();
        assert!(error.starts_with("SSL_CERT_DIR: ") && error.contains("missing"), "{error}");
    }
}
