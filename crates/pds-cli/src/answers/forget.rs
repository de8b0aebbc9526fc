//! The answer of `pds forget`.

use std::fmt;

use serde::Serialize;

use super::refs::RefRow;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForgetAnswer {
    pub(crate) blobs: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) dry_run: bool,
    /// No file of the repository, and no other place of its store, contains the purged records.
    pub(crate) erased: bool,
    pub(crate) moves: u64,
    /// The commits that were written in order to delete the records.
    pub(crate) refs: Vec<RefRow>,
    /// The places outside of the repository that may still contain the purged records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remains: Option<String>,
    pub(crate) states: u64,
    /// The number of versions of the records.
    #[serde(skip)]
    pub(crate) versions: u64,
}

impl fmt::Display for ForgetAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, moves, blocks, blobs, bytes, .. } = self;
        self.refs.iter().try_for_each(|written| writeln!(f, "{written}"))?;
        write!(
            f,
            "states   {states}\nmoves    {moves}\nblocks   {blocks}\nblobs    {blobs}\nbytes    {bytes}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_the_places_of_remains() {
        let refs = Vec::new();
        let (blobs, blocks, bytes, moves, states, versions) = (0, 3, 300, 1, 1, 1);
        let (dry_run, erased, remains) = (false, false, Some("backups".to_owned()));
        let answer = ForgetAnswer {
            blobs,
            blocks,
            bytes,
            dry_run,
            erased,
            moves,
            refs,
            remains,
            states,
            versions,
        };
        // As text, they are a warning on standard error.
        assert!(answer.to_string().ends_with("\nbytes    300"));
        let json = serde_json::to_value(&answer).expect("an answer is JSON");
        assert_eq!((&json["remains"], &json["erased"]), (&"backups".into(), &false.into()));
        let json = serde_json::to_value(ForgetAnswer { remains: None, ..answer });
        assert_eq!(json.expect("an answer is JSON").get("remains"), None);
    }
}
