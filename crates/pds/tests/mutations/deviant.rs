//! An encoder of CBOR that breaks one rule at one place.

use pds::data::{Cid, Map, Value};

/// A way to break the canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deviation {
    LongHead,
    Indefinite,
    Reserved,
    HugeLength,
    BeyondEnd,
    Tagged,
    SelfDescribed,
    Float16,
    Float32,
    Float64,
    BigInteger,
    TooGreat,
    TooSmall,
    Undefined,
    Simple,
    LongSimple,
    Break,
    NotUtf8,
    Surrogate,
    Overlong,
    Unsorted,
    Duplicate,
    BytesAsKey,
    NumberAsKey,
    OtherTag,
    LongTag,
    NoZero,
    OtherZero,
    DagPb,
    DagJson,
    Sha512,
    Identity,
    CidV0,
    LinkAsText,
    LongCid,
    ShortDigest,
    TrailingByte,
    TrailingItem,
    CutShort,
}

use Deviation::{
    BeyondEnd, BigInteger, Break, BytesAsKey, CidV0, CutShort, DagJson, DagPb, Duplicate, Float16,
    Float32, Float64, HugeLength, Identity, Indefinite, LinkAsText, LongCid, LongHead, LongSimple,
    LongTag, NoZero, NotUtf8, NumberAsKey, OtherTag, OtherZero, Overlong, Reserved, SelfDescribed,
    Sha512, ShortDigest, Simple, Surrogate, Tagged, TooGreat, TooSmall, TrailingByte, TrailingItem,
    Undefined, Unsorted,
};

/// All deviations, each with the rule that it breaks.
pub(super) const ALL: [(Deviation, &str); 39] = [
    (LongHead, "a number not in its shortest form"),
    (Indefinite, "an indefinite length"),
    (Reserved, "a reserved length"),
    (HugeLength, "remaining bytes"),
    (BeyondEnd, "remaining bytes"),
    (Tagged, "a tag other than 42"),
    (SelfDescribed, "a tag other than 42"),
    (Float16, "floats are not in the data model"),
    (Float32, "floats are not in the data model"),
    (Float64, "floats are not in the data model"),
    (BigInteger, "a tag other than 42"),
    (TooGreat, "an integer outside the signed 64-bit range"),
    (TooSmall, "an integer outside the signed 64-bit range"),
    (Undefined, "undefined is not in the data model"),
    (Simple, "a simple value other than false, true and null"),
    (LongSimple, "a simple value other than false, true and null"),
    (Break, "a break without an indefinite length"),
    (NotUtf8, "text is not UTF-8"),
    (Surrogate, "text is not UTF-8"),
    (Overlong, "text is not UTF-8"),
    (Unsorted, "map keys are not in canonical order"),
    (Duplicate, "a duplicate map key"),
    (BytesAsKey, "a map key that is not text"),
    (NumberAsKey, "a map key that is not text"),
    (OtherTag, "a tag other than 42"),
    (LongTag, "a number not in its shortest form"),
    (NoZero, "a link does not start with a zero byte"),
    (OtherZero, "a link does not start with a zero byte"),
    (DagPb, "a link with an unsupported CID"),
    (DagJson, "a link with an unsupported CID"),
    (Sha512, "a link with an unsupported CID"),
    (Identity, "a link with an unsupported CID"),
    (CidV0, "a link with an unsupported CID"),
    (LinkAsText, "tag 42 without a byte string"),
    (LongCid, "a link with an unsupported CID"),
    (ShortDigest, "a link with an unsupported CID"),
    (TrailingByte, "bytes after the end of the item"),
    (TrailingItem, "bytes after the end of the item"),
    (CutShort, ""),
];

/// Returns every encoding of a value with one deviation at one place. A sampled run takes every n-th.
pub(super) fn deviants(
    value: &Value,
    every: usize,
) -> impl Iterator<Item = (Deviation, &'static str, Vec<u8>)> {
    let all = ALL.iter().flat_map(move |(deviation, rule)| {
        let at = (0..).map_while(move |site| deviate(value, *deviation, site));
        at.map(move |bytes| (*deviation, *rule, bytes))
    });
    all.step_by(every)
}

/// Encodes a value with a deviation at the place with this number, or returns `None` if there are fewer places.
fn deviate(value: &Value, deviation: Deviation, site: usize) -> Option<Vec<u8>> {
    let whole = value.encode();
    match deviation {
        TrailingByte => (site == 0).then(|| [&whole[..], &[0]].concat()),
        TrailingItem => (site == 0).then(|| [&whole[..], &whole].concat()),
        SelfDescribed => (site == 0).then(|| [&[0xd9, 0xd9, 0xf7], &whole[..]].concat()),
        CutShort => (site < whole.len()).then(|| whole[..site].to_vec()),
        _ => {
            let mut writer = Writer { deviation, left: site, is_done: false, out: Vec::new() };
            writer.item(value);
            writer.is_done.then_some(writer.out)
        }
    }
}

struct Writer {
    deviation: Deviation,
    left: usize,
    is_done: bool,
    out: Vec<u8>,
}

impl Writer {
    /// Returns whether the deviation is this one, and belongs here.
    fn is(&mut self, deviation: Deviation) -> bool {
        if self.is_done || self.deviation != deviation {
            return false;
        }
        self.is_done = self.left == 0;
        self.left = self.left.saturating_sub(1);
        self.is_done
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes bytes in place of an item, if the deviation belongs here.
    fn instead(&mut self, deviation: Deviation, bytes: &[u8]) -> bool {
        let is_here = self.is(deviation);
        if is_here {
            self.put(bytes);
        }
        is_here
    }

    fn head(&mut self, major: u8, n: u64) {
        let least = match n {
            0..=23 => 0,
            24..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8,
        };
        let bytes = if least < 8 && self.is(LongHead) { (least * 2).max(1) } else { least };
        self.sized(major, n, bytes);
    }

    fn sized(&mut self, major: u8, n: u64, bytes: usize) {
        let info = match bytes {
            0 => u8::try_from(n).unwrap(),
            1 => 24,
            2 => 25,
            4 => 26,
            _ => 27,
        };
        self.out.push(major << 5 | info);
        self.put(&n.to_be_bytes()[8 - bytes..]);
    }

    fn item(&mut self, value: &Value) {
        if self.is(Tagged) {
            self.put(&[0xc0]);
        }
        match value {
            Value::Null | Value::Bool(_) => self.simple(value),
            Value::Int(n) => self.int(*n),
            Value::Bytes(bytes) => self.string(2, bytes),
            Value::Text(text) => self.text(text),
            Value::List(list) => {
                let is_open = self.container(4, list.len());
                list.iter().for_each(|item| self.item(item));
                self.end(is_open);
            }
            Value::Map(map) => self.map(map),
            Value::Link(cid) => self.link(*cid),
        }
    }

    fn simple(&mut self, value: &Value) {
        if !(self.instead(Undefined, &[0xf7])
            || self.instead(Simple, &[0xe0])
            || self.instead(LongSimple, &[0xf8, 0xf6])
            || self.instead(Break, &[0xff]))
        {
            self.put(&value.encode());
        }
    }

    fn int(&mut self, n: i64) {
        if self.instead(Float16, &[0xf9, 0x3c, 0])
            || self.instead(Float32, &[0xfa, 0x3f, 0x80, 0, 0])
            || self.instead(Float64, &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0])
            || self.instead(BigInteger, &[0xc2, 0x41, 1])
            || self.instead(TooGreat, &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0])
            || self.instead(TooSmall, &[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0])
            || self.instead(Reserved, &[0x1c])
        {
            return;
        }
        let (major, n) = if n < 0 { (1, !n) } else { (0, n) };
        self.head(major, n.unsigned_abs());
    }

    fn string(&mut self, major: u8, bytes: &[u8]) {
        let kind = major << 5;
        if self.is(Indefinite) {
            self.put(&[kind | 31]);
            self.sized(major, bytes.len() as u64, if bytes.len() < 24 { 0 } else { 2 });
            self.put(&[bytes, &[0xff]].concat());
        } else if self.is(HugeLength) {
            self.sized(major, u64::MAX >> 1, 8);
            self.put(bytes);
        } else if self.is(BeyondEnd) {
            self.sized(major, 1 << 24, 4);
            self.put(bytes);
        } else if self.is(Reserved) {
            self.put(&[&[kind | 28], bytes].concat());
        } else {
            self.head(major, bytes.len() as u64);
            self.put(bytes);
        }
    }

    fn text(&mut self, text: &str) {
        if !(self.instead(NotUtf8, &[0x62, 0xc3, 0x28])
            || self.instead(Surrogate, &[0x63, 0xed, 0xa0, 0x80])
            || self.instead(Overlong, &[0x62, 0xc0, 0x80]))
        {
            self.string(3, text.as_bytes());
        }
    }

    /// Writes the head of a container. Returns whether a break must end it.
    fn container(&mut self, major: u8, len: usize) -> bool {
        if self.instead(Indefinite, &[major << 5 | 31]) {
            return true;
        }
        if self.is(HugeLength) {
            self.sized(major, u64::MAX >> 1, 8);
        } else if self.is(BeyondEnd) {
            self.sized(major, 1 << 24, 4);
        } else if !self.instead(Reserved, &[major << 5 | 30]) {
            self.head(major, len as u64);
        }
        false
    }

    fn end(&mut self, is_open: bool) {
        if is_open {
            self.put(&[0xff]);
        }
    }

    fn map(&mut self, map: &Map) {
        let mut pairs: Vec<(&str, &Value)> = map.iter().collect();
        if pairs.len() > 1 && self.is(Unsorted) {
            pairs.swap(0, 1);
        }
        if !pairs.is_empty() && self.is(Duplicate) {
            pairs.insert(0, pairs[0]);
        }
        let is_open = self.container(5, pairs.len());
        for (key, value) in pairs {
            if self.is(BytesAsKey) {
                self.sized(2, key.len() as u64, 2 * usize::from(key.len() > 23));
                self.put(key.as_bytes());
            } else if !self.instead(NumberAsKey, &[1]) {
                self.text(key);
            }
            self.item(value);
        }
        self.end(is_open);
    }

    fn link(&mut self, cid: Cid) {
        let (digest, whole) = (cid.digest(), cid.as_bytes());
        let other = |codec: &[u8]| [&[0, 1], codec, &[0x12, 0x20], digest].concat();
        let forms: [(Deviation, Vec<u8>); 10] = [
            (NoZero, whole.to_vec()),
            (OtherZero, [&[1], &whole[..]].concat()),
            (DagPb, other(&[0x70])),
            (DagJson, other(&[0xa9, 0x02])),
            (Sha512, [&[0, 1, 0x71, 0x13, 0x40], &digest[..], digest].concat()),
            (Identity, vec![0, 1, 0x71, 0, 0]),
            (CidV0, [&[0, 0x12, 0x20], &digest[..]].concat()),
            (LongCid, [&[0], &whole[..], &[0]].concat()),
            (ShortDigest, [&[0, 1, 0x71, 0x12, 0x1f], &digest[1..]].concat()),
            (Reserved, Vec::new()),
        ];
        let head = if self.is(OtherTag) {
            &[0xd8, 0x2b][..]
        } else if self.is(LongTag) {
            &[0xd9, 0, 0x2a][..]
        } else {
            &[0xd8, 0x2a][..]
        };
        if self.is(LinkAsText) {
            self.put(&[head, &[0x78, 59], cid.to_string().as_bytes()].concat());
            return;
        }
        for (deviation, content) in forms {
            if self.is(deviation) {
                let mut start = vec![0x58, u8::try_from(content.len()).unwrap()];
                if content.len() < 24 {
                    start = vec![0x40 | start[1]];
                }
                if deviation == Reserved {
                    start = vec![0x5c];
                }
                return self.put(&[head, &start, &content].concat());
            }
        }
        self.put(head);
        self.string(2, &[&[0], &whole[..]].concat());
    }
}
