//! Lies about the messages of a WebSocket.

use std::sync::Arc;

use pds_core::data::limits::MAX_MESSAGE_BYTES;

use crate::liar::rule::Lie;
use crate::liar::stream::{Sent, with_seq};

impl Lie {
    /// Sends what a function makes of each message.
    pub fn stream(rewrite: impl Fn(u64, Vec<u8>) -> Vec<Sent> + Send + Sync + 'static) -> Self {
        Self::Stream(Arc::new(rewrite))
    }

    /// Sends what a function makes of one message, and the others as they are.
    pub fn at_message(
        at: u64,
        rewrite: impl Fn(Vec<u8>) -> Vec<Sent> + Send + Sync + 'static,
    ) -> Self {
        Self::stream(
            move |number, message| {
                if number == at { rewrite(message) } else { vec![Sent::Message(message)] }
            },
        )
    }

    /// Leaves out one message.
    pub fn drop_message(at: u64) -> Self {
        Self::at_message(at, |_| Vec::new())
    }

    /// Sends one message twice.
    pub fn repeat_message(at: u64) -> Self {
        Self::at_message(at, |message| vec![Sent::Message(message.clone()), Sent::Message(message)])
    }

    /// Sends one message with another sequence number.
    pub fn renumber_message(at: u64, seq: i64) -> Self {
        Self::at_message(at, move |message| vec![Sent::Message(with_seq(&message, seq))])
    }

    /// Inverts the lowest bit of one byte of one message, if the message has that byte.
    pub fn flip_in_message(at: u64, byte: usize) -> Self {
        Self::at_message(at, move |mut message| {
            if let Some(byte) = message.get_mut(byte) {
                *byte ^= 1;
            }
            vec![Sent::Message(message)]
        })
    }

    /// Sends messages of our own before one message.
    pub fn insert_messages(at: u64, inserted: Vec<Vec<u8>>) -> Self {
        Self::at_message(at, move |message| {
            let all = inserted.iter().cloned().chain([message]);
            all.map(Sent::Message).collect()
        })
    }

    /// Sends a message that is one byte larger than the specification permits, instead of one message. It has this
    /// number of frames.
    pub fn large_message(at: u64, frames: usize) -> Self {
        Self::at_message(at, move |_| {
            let bytes = vec![0xa0; MAX_MESSAGE_BYTES + 1];
            let parts = bytes.chunks(bytes.len().div_ceil(frames)).map(<[u8]>::to_vec);
            vec![Sent::Fragments(parts.collect())]
        })
    }

    /// Closes the connection after some messages, without the end of the WebSocket.
    pub fn cut_after_messages(count: u64) -> Self {
        Self::at_message(count, |_| vec![Sent::Cut])
    }
}
