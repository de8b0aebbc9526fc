//! The actions that log entries record.

use std::fmt;

use pds_core::crypto::did_key::DidKey;
use pds_core::data::cid::Cid;

/// The action that moved a ref, with its data.
///
/// Events are typed: no code parses a message. An event records what happened. The valid keys are
/// [facts](crate::fact::Fact), not events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The first commit of a ref was signed.
    Init,
    /// Records were written or deleted.
    Write,
    /// The repository of a CAR file was imported.
    Import {
        /// The key that the user named for the commit, if it was not the valid key at that time.
        key: Option<DidKey>,
        /// The replaced key, if the key of the import replaces it from this commit on.
        replaces: Option<DidKey>,
        /// Whether the import began the repository: it is a clone.
        begins: bool,
    },
    /// Another branch was merged.
    Merge {
        /// The merged commit.
        other: Cid,
        /// The key that the user named for that commit, if it was not the valid key at that time.
        key: Option<DidKey>,
    },
    /// A commit was signed with a new key.
    Rotate {
        /// The old key.
        old: DidKey,
        /// The key that signs from this commit on.
        new: DidKey,
    },
    /// A ref was set to a stored commit.
    Set,
    /// The current state was moved to a stored commit.
    Reset,
    /// A ref was removed.
    Remove,
    /// A commit was signed that reverts another one.
    Revert {
        /// The reverted commit.
        commit: Cid,
    },
    /// A repair set the ref, or signed a commit.
    Repair,
    /// Records were deleted in order to purge them.
    Forget,
}

/// The data of an event, in the columns that all events share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventData {
    /// The other commit of the event.
    pub other: Option<Cid>,
    /// The key that the event replaces.
    pub old_key: Option<DidKey>,
    /// The key of the event.
    pub key: Option<DidKey>,
}

impl Event {
    /// Returns the name of the event: one word in lower case.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Write => "write",
            Self::Import { begins: true, .. } => "clone",
            Self::Import { .. } => "import",
            Self::Merge { .. } => "merge",
            Self::Rotate { .. } => "rotate",
            Self::Set => "set",
            Self::Reset => "reset",
            Self::Remove => "remove",
            Self::Revert { .. } => "revert",
            Self::Repair => "repair",
            Self::Forget => "forget",
        }
    }

    /// Returns the data of the event.
    #[must_use]
    pub fn data(&self) -> EventData {
        match self.clone() {
            Self::Import { key, replaces, .. } => EventData { other: None, old_key: replaces, key },
            Self::Merge { other, key } => EventData { other: Some(other), old_key: None, key },
            Self::Rotate { old, new } => {
                EventData { other: None, old_key: Some(old), key: Some(new) }
            }
            Self::Revert { commit } => EventData { other: Some(commit), ..EventData::default() },
            Self::Init
            | Self::Write
            | Self::Set
            | Self::Reset
            | Self::Remove
            | Self::Repair
            | Self::Forget => EventData::default(),
        }
    }

    /// Returns the event of a word and its data, or `None` if they do not match.
    #[must_use]
    pub fn of(word: &str, data: &EventData) -> Option<Self> {
        let EventData { other, old_key, key } = data.clone();
        let event = match word {
            "init" => Self::Init,
            "write" => Self::Write,
            "import" | "clone" => Self::Import { key, replaces: old_key, begins: word == "clone" },
            "merge" => Self::Merge { other: other?, key },
            "rotate" => Self::Rotate { old: old_key?, new: key? },
            "set" => Self::Set,
            "reset" => Self::Reset,
            "remove" => Self::Remove,
            "revert" => Self::Revert { commit: other? },
            "repair" => Self::Repair,
            "forget" => Self::Forget,
            _ => return None,
        };
        (event.data() == *data).then_some(event)
    }
}

/// Writes the word of the event and its data, for people.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventData { other, old_key, key } = self.data();
        f.write_str(self.word())?;
        if let Some(other) = other {
            write!(f, " {other}")?;
        }
        for key in [old_key, key].into_iter().flatten() {
            write!(f, " {key}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::crypto::curve::Curve;
    use pds_core::crypto::signing_key::SigningKey;
    use pds_core::data::cid::Codec;

    #[test]
    fn every_event_is_its_word_and_its_data() {
        let cid = Cid::of(Codec::Cbor, b"\xa0");
        let [old, new] = [Curve::K256, Curve::P256]
            .map(|curve| DidKey::from(&SigningKey::generate(curve).unwrap().public_key()));
        let events = [
            Event::Init,
            Event::Write,
            Event::Import { key: None, replaces: None, begins: false },
            Event::Import { key: None, replaces: None, begins: true },
            Event::Import { key: Some(new.clone()), replaces: None, begins: true },
            Event::Import { key: Some(new.clone()), replaces: Some(old.clone()), begins: false },
            Event::Merge { other: cid, key: None },
            Event::Merge { other: cid, key: Some(new.clone()) },
            Event::Rotate { old: old.clone(), new: new.clone() },
            Event::Set,
            Event::Reset,
            Event::Remove,
            Event::Revert { commit: cid },
            Event::Repair,
            Event::Forget,
        ];
        for event in events {
            assert_eq!(Event::of(event.word(), &event.data()), Some(event));
        }
        let rotation = Event::Rotate { old: old.clone(), new: new.clone() };
        assert_eq!(rotation.to_string(), format!("rotate {old} {new}"));
        assert_eq!(Event::Revert { commit: cid }.to_string(), format!("revert {cid}"));
        assert_eq!(Event::Init.to_string(), "init");
        let data = EventData { other: None, old_key: Some(old), key: None };
        assert_eq!(Event::of("rotate", &data), None, "the new key is missing");
        assert_eq!(Event::of("write", &data), None, "a write has no key");
        assert_eq!(Event::of("unknown", &EventData::default()), None);
    }
}
