//! Text that is used and never shown: written out, or named by where it lies.
//!
//! `env:NAME` is the environment variable, `file:PATH` the file without white space at its ends, everything else is the
//! text itself. Both are looked up at each use, so that a secret that was rotated in its file works without a restart.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The longest file that is taken for a secret.
const LEN_MAX: u64 = 64 * 1024;

/// A secret, or a URL that carries one. `{:?}` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Hidden(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Here(String),
    Env(String),
    File(PathBuf),
}

impl Hidden {
    /// The text itself, whatever it begins with: for what somebody else wrote, who must not name files of this machine.
    pub fn literal(text: impl Into<String>) -> Hidden {
        Hidden(Place::Here(text.into()))
    }

    /// The text where it is written out, and nothing where it lies elsewhere.
    pub(crate) fn written(&self) -> Option<&str> {
        match &self.0 {
            Place::Here(text) => Some(text),
            Place::Env(_) | Place::File(_) => None,
        }
    }

    /// It as it is written in a configuration; of a text that is written out, the text.
    #[cfg(feature = "server")]
    pub(crate) fn spelled(&self) -> String {
        match &self.0 {
            Place::Here(text) => text.clone(),
            Place::Env(name) => format!("env:{name}"),
            Place::File(path) => format!("file:{}", path.display()),
        }
    }

    /// The file that it lies in, if it lies in one.
    #[cfg(feature = "server")]
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            Place::Here(_) | Place::Env(_) => None,
        }
    }

    /// The variable that it lies in, where that is not set in this process.
    #[cfg(feature = "server")]
    pub(crate) fn unset(&self) -> Option<&str> {
        match &self.0 {
            Place::Env(name) => Some(name.as_str()).filter(|name| std::env::var_os(name).is_none()),
            Place::Here(_) | Place::File(_) => None,
        }
    }

    /// Where it lies, for people; of what is written out nothing.
    pub(super) fn place(&self) -> String {
        match &self.0 {
            Place::Here(_) => "…".to_owned(),
            Place::Env(name) => format!("env:{name}"),
            Place::File(path) => format!("file:{}", path.display()),
        }
    }

    /// The text, looked up; or a sentence about what is missing.
    pub(super) fn reveal(&self) -> Result<String, String> {
        let text = match &self.0 {
            Place::Here(text) => text.clone(),
            Place::Env(name) => std::env::var(name).map_err(|_| {
                format!("the environment variable {name} is not set, or is no text; set it where sodu starts")
            })?,
            Place::File(path) => read(path)?,
        };
        match text.trim() {
            "" => Err(format!("{} is empty", self.place())),
            trimmed => Ok(trimmed.to_owned()),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LEN_MAX + 1).read_to_string(&mut text));
    let shown = path.display();
    match read {
        Ok(_) if text.len() as u64 <= LEN_MAX => Ok(text),
        Ok(_) => Err(format!("the file {shown} is longer than {LEN_MAX} bytes, which is no secret; name another")),
        Err(error) => Err(format!("the file {shown} cannot be read ({error}); does it exist, and may sodu read it?")),
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Hidden {
        if let Some(name) = text.strip_prefix("env:") {
            return Hidden(Place::Env(name.to_owned()));
        }
        match text.strip_prefix("file:") {
            Some(path) => Hidden(Place::File(path.into())),
            None => Hidden(Place::Here(text)),
        }
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Hidden {
        text.to_owned().into()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.place())
    }
}
