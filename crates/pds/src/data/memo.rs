//! What blocks decode to, remembered.

use std::any::Any;
use std::collections::{HashMap, hash_map};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Cid;
use super::by_cid::ByCid;

/// Remembers what some blocks decode to, in a bounded amount of memory.
///
/// What is in here is true wherever it comes from, since a CID names bytes. It does not say that the
/// block is still in any store. What has not been asked for the longest is forgotten first, roughly: there
/// are two halves, and when the younger one is full the older one is dropped. What is asked for once more is cloned from
/// the older half into the younger one, so that whatever the old value has come to hold goes with its half.
///
/// ```
/// use pds::data::{Cid, Codec, Memo};
///
/// let memo = Memo::new(1_000_000);
/// let cid = Cid::of(Codec::Raw, b"hello");
/// memo.keep(cid, std::sync::Arc::new("hello".to_owned()), 5);
/// assert_eq!(memo.get::<String>(&cid).as_deref().map(String::as_str), Some("hello"));
/// assert!(memo.get::<u32>(&cid).is_none(), "that is not what is remembered");
/// ```
pub struct Memo {
    halves: Mutex<Halves>,
    max_bytes: usize,
}

#[derive(Default)]
struct Halves {
    young: HashMap<Cid, Entry, ByCid>,
    young_bytes: usize,
    old: HashMap<Cid, Entry, ByCid>,
}

struct Entry {
    decoded: Arc<dyn Any + Send + Sync>,
    bytes: usize,
}

impl Memo {
    /// Makes an empty one that will hold this many bytes at most.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { halves: Mutex::default(), max_bytes }
    }

    /// Returns how many bytes it holds at most.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns what a block decodes to, if that is remembered and of this type.
    #[must_use]
    pub fn get<T: Any + Clone + Send + Sync>(&self, cid: &Cid) -> Option<Arc<T>> {
        let halves = &mut *self.halves();
        if let Some(entry) = halves.young.get(cid) {
            return entry.decoded.clone().downcast().ok();
        }
        let hash_map::Entry::Occupied(place) = halves.old.entry(*cid) else { return None };
        let decoded = Arc::new(T::clone(place.get().decoded.downcast_ref()?));
        let Entry { bytes, .. } = place.remove();
        self.insert(halves, *cid, Entry { decoded: decoded.clone(), bytes });
        Some(decoded)
    }

    /// Remembers what a block decodes to; `bytes` is how much memory that takes. Returns whether it is in here
    /// now: not when it is too large, and not when something else is remembered of the block already.
    pub fn keep<T: Any + Send + Sync>(&self, cid: Cid, decoded: Arc<T>, bytes: usize) -> bool {
        let bytes = bytes.saturating_add(ENTRY_BYTES);
        self.insert(&mut self.halves(), cid, Entry { decoded, bytes })
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.halves() = Halves::default();
    }

    fn insert(&self, halves: &mut Halves, cid: Cid, entry: Entry) -> bool {
        let bytes = entry.bytes;
        if bytes > self.max_bytes / 2 {
            return false;
        }
        if halves.young_bytes + bytes > self.max_bytes / 2 {
            halves.old = std::mem::take(&mut halves.young);
            halves.young_bytes = 0;
        }
        let hash_map::Entry::Vacant(place) = halves.young.entry(cid) else { return false };
        place.insert(entry);
        halves.young_bytes += bytes;
        true
    }

    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let halves = self.halves();
        write!(f, "Memo({} entries)", halves.young.len() + halves.old.len())
    }
}

/// What an entry takes beside what it holds: its key, its place in the map, two counts.
const ENTRY_BYTES: usize = 112;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Codec;

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let memo = Memo::new(100 * (ENTRY_BYTES + 10));
        let cid = |n: u32| Cid::of(Codec::Raw, &n.to_be_bytes());
        for n in 0..1_000 {
            memo.keep(cid(n), Arc::new(n), 10);
            assert_eq!(memo.get::<u32>(&cid(0)).as_deref(), Some(&0), "asked for all the time");
        }
        let held = (0..1_000).filter(|n| memo.get::<u32>(&cid(*n)).is_some()).count();
        assert!((10..=100).contains(&held), "{held}");
        memo.keep(cid(7), Arc::new(7_u32), 1 << 20);
        assert!(memo.get::<u32>(&cid(7)).is_none_or(|n| *n == 7), "too large to be kept");
        memo.clear();
        assert!(memo.get::<u32>(&cid(0)).is_none());
    }

    #[test]
    fn who_asks_for_another_type_takes_nothing_away() {
        let memo = Memo::new(4 * (ENTRY_BYTES + 10));
        let cid = |n: u32| Cid::of(Codec::Raw, &n.to_be_bytes());
        // The third makes the half of the first two the older one.
        for n in 0..3 {
            assert!(memo.keep(cid(n), Arc::new(n), 10));
        }
        for n in [2, 0] {
            assert!(memo.get::<String>(&cid(n)).is_none());
            assert_eq!(memo.get::<u32>(&cid(n)).as_deref(), Some(&n));
        }
    }
}
