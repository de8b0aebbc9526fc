//! Other people's vectors: every file is iterated, every case is checked.

mod crypto;
mod mst;
mod syntax;
