//! How a command ends that did not do what was asked: words for people, a document for programs, an exit code.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output::{Output, note, paint_error};
#[cfg(feature = "server")]
use crate::door::DoorError;

/// The exit code of a balance that is below what was asked for.
const BELOW: u8 = 3;

/// Why a command failed. None of them says more than the operator API does: no secret, no full key.
#[derive(Debug)]
pub(super) enum Failure {
    /// The operator API answered with this problem document.
    #[cfg(feature = "server")]
    Problem(Value),
    /// The operator API gave no answer.
    #[cfg(feature = "server")]
    Door(DoorError),
    /// Something on this side: its stable name, and a sentence that says what to do.
    Local { slug: &'static str, detail: String },
    /// The command line asks for something that makes no sense.
    #[cfg(feature = "server")]
    Usage(String),
    /// It was done and told already; only the exit code is left.
    #[cfg(feature = "server")]
    Told,
    /// A balance was found and told, and is below what was asked for: in this sentence, and in an exit code of its own.
    Below(String),
    /// The answer could not be written out.
    Output(io::Error),
}

impl Failure {
    /// A failure on this side.
    pub(super) fn local(slug: &'static str, detail: impl Display) -> Failure {
        Failure::Local { slug, detail: detail.to_string() }
    }

    /// Tells it: the sentence on standard error, with `json` the document on standard output. Returns the exit code.
    pub(super) fn tell(self, json: bool) -> ExitCode {
        let local = |slug: &str, detail: String| {
            let document = json!({ "type": format!("urn:sodu:problem:{slug}"), "slug": slug, "detail": detail });
            (slug.to_owned(), detail, document)
        };
        let (slug, detail, document) = match self {
            #[cfg(feature = "server")]
            Failure::Told => return ExitCode::FAILURE,
            Failure::Below(detail) => {
                note(&detail);
                return ExitCode::from(BELOW);
            }
            // `sodu statement 9999 | head` has read what it wanted.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            #[cfg(feature = "server")]
            Failure::Usage(detail) => {
                note(&format!("{} {detail}", paint_error("error:")));
                return ExitCode::from(2);
            }
            #[cfg(feature = "server")]
            Failure::Problem(document) => {
                let member = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
                (member("slug"), member("detail"), document)
            }
            Failure::Local { slug, detail } => local(slug, detail),
            #[cfg(feature = "server")]
            Failure::Door(error) => local(error.slug(), error.to_string()),
            Failure::Output(error) => {
                let detail = format!("The output could not be written: {error}.");
                ("output_failed".to_owned(), detail, Value::Null)
            }
        };
        note(&format!("{} {detail} [{slug}]", paint_error("error:")));
        if json && !document.is_null() {
            // The exit code tells the same, should nobody read this.
            let mut out = Output::new(true);
            let _ = out.json(&document).and_then(|()| out.flush());
        }
        ExitCode::FAILURE
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

#[cfg(feature = "server")]
impl From<DoorError> for Failure {
    fn from(error: DoorError) -> Failure {
        Failure::Door(error)
    }
}
