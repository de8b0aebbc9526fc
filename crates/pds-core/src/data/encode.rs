//! The encoder from values to canonical DAG-CBOR.

use crate::data::cbor::LINK_HEAD;
use crate::data::cid::Cid;
use crate::data::value::Value;

impl Value {
    /// Encodes as canonical DAG-CBOR.
    ///
    /// Equal values have equal bytes, and [`decode`](Self::decode) returns the value again.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.encode_into(&mut out);
        out
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0xf6),
            Self::Bool(false) => out.push(0xf4),
            Self::Bool(true) => out.push(0xf5),
            Self::Int(n) => put_int(out, *n),
            Self::Bytes(bytes) => put_bytes(out, bytes),
            Self::Text(text) => put_text(out, text),
            Self::List(list) => {
                put_head(out, 4, list.len() as u64);
                for value in list {
                    value.encode_into(out);
                }
            }
            Self::Map(map) => {
                put_map(out, map.len());
                for (key, value) in map.iter() {
                    put_text(out, key);
                    value.encode_into(out);
                }
            }
            Self::Link(cid) => put_link(out, cid),
        }
    }
}

pub(crate) fn put_int(out: &mut Vec<u8>, n: i64) {
    match u64::try_from(n) {
        Ok(n) => put_head(out, 0, n),
        // The complement of n is -1 - n.
        Err(_) => put_head(out, 1, !n.cast_unsigned()),
    }
}

#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, 2, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[inline]
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, 3, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[inline]
pub(crate) fn put_list(out: &mut Vec<u8>, entries: usize) {
    put_head(out, 4, entries as u64);
}

#[inline]
pub(crate) fn put_map(out: &mut Vec<u8>, pairs: usize) {
    put_head(out, 5, pairs as u64);
}

#[inline]
pub(crate) fn put_link(out: &mut Vec<u8>, cid: &Cid) {
    out.extend_from_slice(&LINK_HEAD);
    out.extend_from_slice(cid.as_bytes());
}

#[inline]
pub(crate) fn put_link_or_null(out: &mut Vec<u8>, cid: Option<&Cid>) {
    match cid {
        Some(cid) => put_link(out, cid),
        None => out.push(0xf6),
    }
}

/// Writes the head of an item: a major type with a number in shortest form.
#[inline]
pub(crate) fn put_head(out: &mut Vec<u8>, major: u8, n: u64) {
    match u8::try_from(n) {
        Ok(n @ 0..=23) => out.push((major << 5) | n),
        _ => put_long_head(out, major << 5, n),
    }
}

fn put_long_head(out: &mut Vec<u8>, major: u8, n: u64) {
    let bytes = n.to_be_bytes();
    match n {
        0..=0xff => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}
