//! Other people's vectors: every file is iterated, every case is checked.

mod mst;
