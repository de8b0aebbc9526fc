//! `pds help`

use anyhow::Result;

use crate::answers::help::TopicAnswer;
use crate::failures::exit::{Exit, Stated};
use crate::help::topics;
use crate::process::output::Output;

/// Print the help of a command, or explain a topic
///
/// The topics are revisions, findings, paths, exit-codes, environment and git.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds help log\n  pds help blob put\n  pds help revisions\n  pds help exit-codes"
)]
pub(crate) struct Args {
    /// Command, or topic [default: the list of the commands]
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

impl Args {
    /// Returns the command line that prints the help of a command; `None` if the words name a topic.
    pub(crate) fn command_line(&self) -> Option<Vec<&str>> {
        let words = self.words.iter().map(String::as_str);
        match &self.words[..] {
            [topic] if topics::find(topic).is_some() => None,
            _ => Some(["pds"].into_iter().chain(words).chain(["--help"]).collect()),
        }
    }

    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let topic = self.words.first().and_then(|word| topics::find(word));
        let Some(topic) = topic else {
            return Stated::usage("no such topic").hint("pds --help lists the commands").fail();
        };
        out.answer(&TopicAnswer { topic: topic.name, text: (topic.text)() })?;
        Ok(Exit::Done)
    }
}
