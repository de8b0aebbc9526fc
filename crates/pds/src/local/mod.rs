//! A repository in a local directory: `pds.db` or the address of a database, `blobs/` and `key`.

#[cfg(feature = "sqlite")]
mod build;
#[cfg(feature = "sqlite")]
pub mod copy;
#[cfg(feature = "sqlite")]
pub mod copy_options;
#[cfg(feature = "postgres")]
pub mod database;
#[cfg(feature = "sqlite")]
pub mod directory;
pub mod key_file;
pub mod layout;
#[cfg(feature = "sqlite")]
pub mod leftovers;
#[cfg(feature = "sqlite")]
pub mod locks;
#[cfg(feature = "sqlite")]
pub mod open;
#[cfg(feature = "sqlite")]
pub mod rotation;
#[cfg(feature = "sqlite")]
pub mod store_place;
