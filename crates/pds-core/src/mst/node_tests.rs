use proptest::prelude::*;

use super::*;

/// What is left after an entry, read in one go, or item by item as [`fault`] does it.
fn left_after(bytes: &[u8], read: impl Fn(&mut Cursor<'_>) -> bool) -> Option<usize> {
    let mut cursor = Cursor::new(bytes);
    read(&mut cursor).then(|| cursor.rest().len())
}

/// What comes before the entries.
const HEAD: usize = 4;

proptest! {
    /// The field of a number that no key is long enough for takes more bytes than are changed here.
    #[test]
    fn an_entry_is_accepted_in_one_go_where_it_is_item_by_item(
        key in prop_oneof!["[ab]{1,30}", "[ab]{250,303}"],
        next in "[ab]{1,30}",
        has_subtree in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..3),
    ) {
        let cid = Cid::of(Codec::Cbor, b"x");
        let mut encoder = Encoder::default();
        encoder.entry(key.as_bytes(), &cid, has_subtree.then_some(&cid));
        encoder.entry(format!("{key}{next}").as_bytes(), &cid, None);
        let mut bytes = encoder.finish(Some(&cid)).bytes().to_vec();
        for (place, byte, kind) in changes {
            // Where there are heads and names of fields, mostly.
            let end = if kind == 0 { bytes.len() } else { bytes.len().min(HEAD + 12) };
            let place = HEAD + place.index(end - HEAD);
            match kind {
                0 | 1 => bytes[place] = byte,
                2 => bytes.truncate(place.max(HEAD + 1)),
                // A number in a longer form than it needs.
                _ => {
                    let head = bytes[place];
                    bytes[place] = head & 0xe0 | 24;
                    bytes.insert(place + 1, head & 0x1f);
                }
            }
        }
        let entries = &bytes[HEAD..];
        let at_once = left_after(entries, |cursor| entry(cursor).is_ok());
        let by_item = left_after(entries, |cursor| fault(cursor) == rule(SHARES_TOO_MUCH));
        prop_assert_eq!(at_once, by_item);
        let read = Node::read(Cid::of(Codec::Cbor, &bytes), &bytes, Position::Root);
        prop_assert!(at_once.is_some() || read.is_err());
    }
}
