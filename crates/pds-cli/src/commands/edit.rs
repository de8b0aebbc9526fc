//! `pds edit`

use anyhow::{Context, Result};
use pds::store::Expect;
use pds::syntax::RecordPath;
use pds::{Batch, Error, Repo, Write, Written};

use crate::answers::put::WrittenRow;
use crate::arguments::record::RecordArg;
use crate::arguments::write_args::{WriteArgs, account_of};
use crate::failures::exit::{Exit, Stated};
use crate::input::json_input::read_json;
use crate::input::record_envelope::record_of;
use crate::process::editor::{Draft, Editor};
use crate::process::output::Output;
use crate::process::questions::{can_ask, confirm, declined};
use crate::process::text::say;
use crate::records::json_form::NO_JSON_FORM;
use crate::repository::open::Place;
use crate::screens::written::print;

/// Change a record in your editor
///
/// Opens the JSON of the record in $VISUAL, $EDITOR or vi, and writes one signed commit if the text has changed. If
/// another process has changed the record meanwhile, nothing is written. A text that cannot be written can be edited
/// again; otherwise it is kept in a file, which the error names.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds edit com.example.note/first\n  \
    EDITOR=nano pds edit app.bsky.actor.profile/self\n  \
    pds edit com.example.note/new --create     begin with an empty record")]
pub(crate) struct Args {
    /// Record: collection/rkey, at-uri or bsky.app URL
    path: RecordArg,

    /// Begin with an empty record if it does not exist
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    write: WriteArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let editor = Editor::of_user()?;
        let repo = self.repo(place, out)?;
        let did = account_of(&repo)?;
        let path = self.path.path_in(place.account(&did))?.clone();
        let (text, expected) = self.present(&repo, &path)?;
        let draft = Draft::new(&path, &text)?;
        let written = loop {
            editor.open(draft.path())?;
            if !draft.is_changed()? {
                draft.discard();
                say("unchanged: nothing was written");
                return Ok(Exit::Done);
            }
            if draft.is_blank()? {
                draft.discard();
                return Stated::no("declined", "the text is empty, so nothing was written").fail();
            }
            match self.save(&repo, &path, expected, &draft) {
                Ok(written) => break written,
                Err(error) if is_lost(&error) || !can_ask() => return Err(error),
                Err(error) => {
                    say(&format!("{error:#}"));
                    if !confirm("Edit the text again?")? {
                        return Err(error);
                    }
                }
            }
        };
        draft.discard();
        if written.changes.iter().all(|change| change.before == change.after) {
            say("unchanged: nothing was written");
            return Ok(Exit::Done);
        }
        out.has_done();
        print(WrittenRow::all(&written), out)?;
        Ok(Exit::Done)
    }

    /// Opens the repository. Without its key, the text could not be written.
    fn repo(&self, place: &Place, out: &mut Output) -> Result<Repo> {
        let repo = self.write.commit.open(place, out)?;
        repo.keys().check_signer()?;
        Ok(repo)
    }

    /// Returns the text of the record, and the state that it must have when the new one is written.
    fn present(&self, repo: &Repo, path: &RecordPath) -> Result<(String, Expect)> {
        let Some(record) = repo.find(path)? else {
            if !self.create {
                let message = format!("no record {path}");
                if !can_ask() {
                    return Stated::no("not-found", message).hint(CREATE).fail();
                }
                if !confirm(&format!("{message}. Create it?"))? {
                    return declined();
                }
            }
            let empty = format!("{{\n  \"$type\": \"{}\"\n}}\n", path.collection);
            return Ok((empty, Expect::Absent));
        };
        let value = record.value().with_context(|| format!("cannot read record {path}"))?;
        if !value.has_json_form() {
            let message = format!("record {path} {NO_JSON_FORM}");
            return Stated::no("no-json-form", message).hint(AS_BYTES).fail();
        }
        Ok((value.to_json_pretty() + "\n", Expect::Exactly(record.cid())))
    }

    fn save(
        &self,
        repo: &Repo,
        path: &RecordPath,
        expected: Expect,
        draft: &Draft,
    ) -> Result<Written> {
        let value = record_of(read_json(Some(draft.path()))?)?;
        let write = Write::put(path.clone(), value).expecting(expected);
        Ok(repo.write(Batch::new(&[write]).with(self.write.options("edit")))?)
    }
}

/// Tells whether the record has changed meanwhile: no other text helps.
fn is_lost(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_conflict)
}

const CREATE: &str = "pds edit PATH --create begins with an empty record";

const AS_BYTES: &str = "pds get PATH --cbor writes its bytes; pds put PATH FILE --cbor reads them";
