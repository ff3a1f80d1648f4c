//! The profile file: a TOML table for each account, `api_key`, `secret_key` and, where it is not eSMS's own, `url`.
//!
//! Errors name lines and profiles, never what stands there: it is a file of secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::cli::failure::Failure;
use crate::cli::output::note;

/// One account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Profile {
    pub(in crate::cli) url: Option<String>,
    pub(in crate::cli) api_key: String,
    pub(in crate::cli) secret_key: String,
}

pub(in crate::cli) type Profiles = BTreeMap<String, Profile>;

/// The profile of that name, which must be there.
pub(in crate::cli) fn named(file: Option<PathBuf>, name: &str) -> Result<Profile, Failure> {
    let (path, profiles) = read(file)?;
    let Some(mut profiles) = profiles else {
        return Err(Failure::local("no_profile", format!("There is no profile file {}; see --help.", path.display())));
    };
    profiles.remove(name).ok_or_else(|| {
        let near = profiles.keys().min_by_key(|known| strsim::damerau_levenshtein(known, name));
        let hint = near.map_or_else(|| "it has none".into(), |near| format!("did you mean {near:?}?"));
        Failure::local("no_profile", format!("There is no profile {name:?} in {}; {hint}", path.display()))
    })
}

/// The profile of that name, where the file and it are there. A file that was named must be there.
pub(super) fn if_there(file: Option<PathBuf>, name: &str) -> Result<Option<Profile>, Failure> {
    let is_named = file.is_some();
    let (path, profiles) = read(file)?;
    match profiles {
        None if is_named => Err(Failure::local("no_profile", format!("There is no profile file {}.", path.display()))),
        profiles => Ok(profiles.and_then(|mut profiles| profiles.remove(name))),
    }
}

/// The path of the file, and what it holds where it is there.
pub(in crate::cli) fn read(file: Option<PathBuf>) -> Result<(PathBuf, Option<Profiles>), Failure> {
    let path = file.or_else(|| std::env::var_os("SODU_PROFILES").map(PathBuf::from)).unwrap_or_else(usual);
    let failed = |why: String| Failure::local("bad_profiles", format!("The profile file {} {why}.", path.display()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((path, None)),
        Err(error) => return Err(failed(format!("cannot be read: {error}"))),
    };
    let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        note(&format!("warning: other users may read {0}; chmod 600 {0}", path.display()));
    }
    let profiles = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        failed(format!(
            "is wrong near line {line}: each profile is a table of api_key and secret_key, and perhaps url, each in quotes"
        ))
    })?;
    Ok((path, Some(profiles)))
}

/// Where it lies unless somebody says otherwise.
fn usual() -> PathBuf {
    own_folder("XDG_CONFIG_HOME", ".config").join("profiles.toml")
}

/// The folder of sodu among those of this user: where `variable` says, or else at that place in the home (XDG Base Directory
/// Specification).
pub(in crate::cli) fn own_folder(variable: &str, usual: &str) -> PathBuf {
    let folder = std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(usual));
    folder.or_else(home).unwrap_or_default().join("sodu")
}
