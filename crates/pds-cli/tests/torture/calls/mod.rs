//! Every verb that writes is killed at each of its file system calls, and each of these calls fails.
//!
//! After each try, the repository and the files that the verb writes have their old state or the new one, the next
//! write works, and the next run removes what is left over.

mod fault;
mod judge;
mod look;
mod not_durable;
mod prepared;
mod scenario;
pub(super) mod strace;
mod table;
mod tally;
