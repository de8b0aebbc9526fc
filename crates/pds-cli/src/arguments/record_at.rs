//! The argument that names a record, perhaps in a state: `REV:PATH`.

use std::str::FromStr;

use crate::arguments::record::RecordArg;
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::Stated;

/// A record, with the state that the argument names before it.
#[derive(Clone, Debug)]
pub(crate) struct RecordAtArg {
    pub(crate) at: Option<StateArg>,
    pub(crate) record: RecordArg,
}

impl RecordAtArg {
    /// Returns the state to read: the one before the colon, or the one of an option.
    pub(crate) fn state(&self, option: Option<StateArg>) -> anyhow::Result<Option<StateArg>> {
        match (&self.at, option) {
            (Some(at), Some(option)) => {
                let message = format!("the state is named twice, by {at}: and by --at {option}");
                Stated::usage(message).hint("leave one of them out").fail()
            }
            (at, option) => Ok(at.clone().or(option)),
        }
    }
}

impl FromStr for RecordAtArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(record) => Ok(Self { at: None, record }),
            Err(reason) => {
                let (at, record) = split(text).ok_or(reason)?;
                let at = StateArg::parse(at.into()).map_err(|reason| format!("{at}: {reason}"))?;
                Ok(Self { at: Some(at), record: record.parse()? })
            }
        }
    }
}

/// Splits a state from the record after it. A state may have colons and slashes, and a record key may have colons.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    let is_start = |at: &usize| {
        let rest = text.get(at + 1..).unwrap_or_default();
        rest.parse::<RecordArg>().is_ok() || URIS.iter().any(|scheme| rest.starts_with(scheme))
    };
    let at = text.match_indices(':').map(|(at, _)| at).find(is_start)?;
    Some((text.get(..at)?, text.get(at + 1..)?)).filter(|(state, _)| !state.is_empty())
}

/// The beginnings of records that are no path.
const URIS: [&str; 2] = ["at://", "https://"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_separates_a_state_from_a_record() {
        for (text, state, record) in [
            ("HEAD:com.example.note/a", "HEAD", "com.example.note/a"),
            ("@{1}:com.example.note/a:b", "@{1}", "com.example.note/a:b"),
            ("2026-11-27T20:00:com.example.note/a", "2026-11-27T20:00", "com.example.note/a"),
            ("2 days ago:com.example.note/a", "2 days ago", "com.example.note/a"),
            ("../x.car:com.example.note/a", "../x.car", "com.example.note/a"),
            ("phone/did:plc:x:com.example.note/a", "phone/did:plc:x", "com.example.note/a"),
            ("HEAD:at://did:web:a.example/com.example.note/a", "HEAD", "com.example.note/a"),
        ] {
            let parsed: RecordAtArg =
                text.parse().unwrap_or_else(|reason| panic!("{text}: {reason}"));
            let at = parsed.at.as_ref().map(ToString::to_string);
            assert_eq!((at.as_deref(), parsed.record.to_string().as_str()), (Some(state), record));
        }
        for (text, record) in [
            ("com.example.note/a:b", "com.example.note/a:b"),
            ("at://did:web:a.example/com.example.note/a:b", "com.example.note/a:b"),
        ] {
            let parsed: RecordAtArg =
                text.parse().unwrap_or_else(|reason| panic!("{text}: {reason}"));
            assert!(parsed.at.is_none(), "{text}");
            assert_eq!(parsed.record.to_string(), record);
        }
        for text in
            ["", ":", "HEAD:", ":com.example.note/a", "HEAD", "HEAD:note", "a b:com.example.note/a"]
        {
            assert!(text.parse::<RecordAtArg>().is_err(), "{text}");
        }
    }
}
