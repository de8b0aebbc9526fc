//! Power cuts: the calls of a run are replayed on a model of a disk.

mod trace;
