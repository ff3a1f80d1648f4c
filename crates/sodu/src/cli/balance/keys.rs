//! Where the keys come from. One source gives both, so that a key is never sent with the secret of another account.

use std::env;
use std::path::PathBuf;

use super::profiles::{self, Profile};
use super::prompt;
use crate::cli::failure::Failure;

/// The profile that is taken where nothing else is said.
const DEFAULT: &str = "default";

/// What the command line says.
pub(super) struct Wanted {
    pub(super) url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) secret_key: Option<String>,
    pub(super) profile: Option<String>,
}

/// An account to ask for.
pub(in crate::cli) struct Account {
    /// Where; the usual service where nothing is said.
    pub(in crate::cli) url: Option<String>,
    pub(in crate::cli) api_key: String,
    pub(in crate::cli) secret_key: String,
    /// Where the keys came from, for people.
    pub(in crate::cli) source: String,
    /// Authorities to trust beside the system's, as PEM; nothing for none.
    pub(in crate::cli) extra_roots: String,
}

impl Account {
    /// One whose service is known to the system's authorities.
    fn new(url: Option<String>, api_key: String, secret_key: String, source: String) -> Account {
        Account { url, api_key, secret_key, source, extra_roots: String::new() }
    }
}

/// Keys from the flags, else from the named profile, else from the environment, else from the profile `default`, else
/// from the person.
pub(super) fn find(wanted: Wanted, file: Option<PathBuf>) -> Result<Account, Failure> {
    let Wanted { url, api_key, secret_key, profile } = wanted;
    if let Some(name) = profile {
        let Profile { url: its, api_key: key, secret_key: secret } = profiles::named(file, &name)?;
        let source = format!("profile {name}");
        let (api_key, secret_key) = (api_key.unwrap_or(key), secret_key.unwrap_or(secret));
        return Ok(Account::new(url.or(its), api_key, secret_key, source));
    }
    if api_key.is_some() || secret_key.is_some() {
        return pair(url, api_key, secret_key, "--api-key", "--secret-key");
    }
    let (api_key, secret_key) = (variable("ESMS_API_KEY"), variable("ESMS_SECRET_KEY"));
    if api_key.is_some() || secret_key.is_some() {
        return pair(url, api_key, secret_key, "ESMS_API_KEY", "ESMS_SECRET_KEY");
    }
    if let Some(Profile { url: its, api_key, secret_key }) = profiles::if_there(file, DEFAULT)? {
        return Ok(Account::new(url.or(its), api_key, secret_key, format!("profile {DEFAULT}")));
    }
    if !prompt::is_possible() {
        return Err(Failure::local(
            "no_keys",
            "There are no keys: set ESMS_API_KEY and ESMS_SECRET_KEY, or write a profile (see --help).",
        ));
    }
    let (api_key, secret_key) = (prompt::shown("ApiKey: ")?, prompt::hidden("SecretKey (not shown): ")?);
    Ok(Account::new(url, api_key, secret_key, "typed".into()))
}

/// Both keys of one source; a person is asked for the one that is missing.
fn pair(
    url: Option<String>,
    api_key: Option<String>,
    secret_key: Option<String>,
    key_name: &str,
    secret_name: &str,
) -> Result<Account, Failure> {
    let missing = |name: &str| {
        Failure::local(
            "no_keys",
            format!("{name} is missing: both keys must come from the same place, so give it too."),
        )
    };
    let api_key = match api_key {
        Some(key) => key,
        None if prompt::is_possible() => prompt::shown("ApiKey: ")?,
        None => return Err(missing(key_name)),
    };
    let secret_key = match secret_key {
        Some(key) => key,
        None if prompt::is_possible() => prompt::hidden("SecretKey (not shown): ")?,
        None => return Err(missing(secret_name)),
    };
    Ok(Account::new(url, api_key, secret_key, format!("{key_name} and {secret_name}")))
}

/// A variable that says something; an empty one says nothing.
pub(in crate::cli) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
