//! What CPUs need to agree on: who has a lock, who was asked to forget, who waits.
//!
//! The same on every architecture and under the model checker: words are behind [`Word`], processors behind [`Peer`].
//! Everything that is sent is a value; no CPU learns an address of another one's private area.

mod word;
mod tickets;
mod peer;
mod mailboxes;
mod lock;
mod here;
#[cfg(test)]
mod tests;

pub use here::{idle, join, leave, poll, rendezvous, wait};
pub use lock::{Guard, PolledLock};
pub use mailboxes::Mailboxes;
pub use peer::{Peer, Request};
pub use word::Word;
