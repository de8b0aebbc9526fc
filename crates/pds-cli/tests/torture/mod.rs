//! What the program does when the machine fails it. `PDS_TORTURE=full` tries everything, the gate a sample.

mod calls;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod pages;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod secrets;
