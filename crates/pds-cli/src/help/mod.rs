//! Help: the list of the commands, and the topics that concern many commands.

pub(crate) mod manual;
pub(crate) mod overview;
pub(crate) mod tables;
pub(crate) mod topics;
