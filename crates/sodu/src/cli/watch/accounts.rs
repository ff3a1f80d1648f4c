//! Which accounts are watched: those of the file, else those of `sodu balance`, its profiles and variables, else a demo.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, Entry, File};
use super::plan::{Account, Plan, Terms};
use crate::cli::balance::keys::variable;
use crate::cli::balance::profiles::{self, Profile, own_folder};
use crate::cli::balance::{ESMS, demo};
use crate::cli::failure::Failure;
use crate::cli::output::note;

/// What the command line says.
pub(super) struct Wanted {
    pub(super) config: Option<PathBuf>,
    pub(super) profiles: Option<PathBuf>,
    /// Accounts of the file, or profiles; all of them where none is named.
    pub(super) names: Vec<String>,
    pub(super) demo: bool,
    /// Where accounts are asked that say nothing about it.
    pub(super) url: Option<String>,
    pub(super) every: Option<Duration>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) history: Option<PathBuf>,
    pub(super) allow_plain_http: bool,
}

/// What is to be done, the command line having the last word.
pub(super) fn plan(wanted: Wanted) -> Result<Plan, Failure> {
    let usual = own_folder("XDG_CONFIG_HOME", ".config").join("watch.toml");
    let config = wanted.config.clone().or_else(|| (!wanted.demo && usual.exists()).then_some(usual));
    let mut plan = match config {
        Some(path) => of_file(&path, &wanted)?,
        None => Plan { accounts: without_file(&wanted)?, listen: None, history: None },
    };
    for account in &mut plan.accounts {
        account.terms.every = wanted.every.unwrap_or(account.terms.every);
        account.allow_plain_http |= wanted.allow_plain_http;
    }
    plan.listen = wanted.listen.or(plan.listen);
    plan.history = wanted.history.or(plan.history);
    Ok(plan)
}

/// Where what is known is kept, unless somebody says otherwise.
pub(super) fn usual_history() -> PathBuf {
    own_folder("XDG_STATE_HOME", ".local/state").join("watch.jsonl")
}

fn of_file(path: &Path, wanted: &Wanted) -> Result<Plan, Failure> {
    let bad = |what: String| Failure::local("bad_configuration", format!("{what}."));
    let text = fs::read_to_string(path).map_err(|error| {
        let hint = "`sodu watch --print-config` prints one to fill in";
        bad(format!("{} cannot be read: {error}; {hint}", path.display()))
    })?;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        note(&format!("warning: other users may read {0}; chmod 600 {0}", path.display()));
    }
    let File { history, listen, accounts, .. } = file::read(path, &text).map_err(bad)?;
    let listen = listen.map(|listen| {
        listen.parse().map_err(|_| {
            bad(format!("{}: listen takes an address with a port, such as 127.0.0.1:9311", path.display()))
        })
    });
    let is_wanted = |entry: &Entry| wanted.names.is_empty() || wanted.names.contains(&entry.name);
    if let Some(missing) = wanted.names.iter().find(|name| !accounts.iter().any(|entry| entry.name == **name)) {
        let near = accounts.iter().min_by_key(|entry| strsim::damerau_levenshtein(&entry.name, missing));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {:?}?", near.name));
        return Err(bad(format!("there is no account {missing:?} in {}{hint}", path.display())));
    }
    let accounts = accounts.into_iter().filter(is_wanted).map(|entry| of_entry(entry, wanted));
    Ok(Plan {
        accounts: accounts.collect::<Result<_, _>>()?,
        listen: listen.transpose()?,
        history: history.map(PathBuf::from),
    })
}

/// Both keys come from one place, so that a key is never sent with the secret of another account.
fn of_entry(entry: Entry, wanted: &Wanted) -> Result<Account, Failure> {
    let Entry { name, place, profile, url, api_key, secret_key, allow_plain_http, terms } = entry;
    let profile = match (profile, api_key, secret_key) {
        (Some(profile), None, None) => profiles::named(wanted.profiles.clone(), &profile)?,
        (None, Some(api_key), Some(secret_key)) => Profile { url: None, api_key, secret_key },
        _ => {
            let what = "an account takes either profile, or api_key and secret_key";
            return Err(Failure::local("bad_configuration", format!("{place}: {what}.")));
        }
    };
    let url = url.or(profile.url);
    let profile = Profile { url, ..profile };
    Ok(Account { allow_plain_http, ..account(wanted, name, profile, terms) })
}

fn without_file(wanted: &Wanted) -> Result<Vec<Account>, Failure> {
    let terms = Terms::default();
    if wanted.demo {
        let found = demo::running()?;
        let profile = Profile { url: found.url, api_key: found.api_key, secret_key: found.secret_key };
        let account = account(wanted, "demo".into(), profile, terms);
        return Ok(vec![Account { allow_plain_http: true, extra_roots: found.extra_roots, ..account }]);
    }
    if !wanted.names.is_empty() {
        let named = wanted.names.iter().map(|name| {
            profiles::named(wanted.profiles.clone(), name)
                .map(|profile| account(wanted, name.clone(), profile, terms.clone()))
        });
        return named.collect();
    }
    let no_keys = |what: String| Failure::local("no_keys", what);
    match (variable("ESMS_API_KEY"), variable("ESMS_SECRET_KEY")) {
        (Some(api_key), Some(secret_key)) => {
            return Ok(vec![account(wanted, "esms".into(), Profile { url: None, api_key, secret_key }, terms)]);
        }
        (None, None) => {}
        _ => return Err(no_keys("Only one of ESMS_API_KEY and ESMS_SECRET_KEY is set; set both.".into())),
    }
    let (path, profiles) = profiles::read(wanted.profiles.clone())?;
    let accounts: Vec<Account> =
        profiles.into_iter().flatten().map(|(name, profile)| account(wanted, name, profile, terms.clone())).collect();
    if accounts.is_empty() {
        return Err(no_keys(format!(
            "There is nothing to watch: write {}, or set ESMS_API_KEY and ESMS_SECRET_KEY, or write a file with \
             `sodu watch --print-config` (see `sodu help watch`).",
            path.display()
        )));
    }
    Ok(accounts)
}

fn account(wanted: &Wanted, name: String, profile: Profile, terms: Terms) -> Account {
    let Profile { url, api_key, secret_key } = profile;
    let url = url.or_else(|| wanted.url.clone()).unwrap_or_else(|| ESMS.to_owned());
    Account { name, url, api_key, secret_key, allow_plain_http: false, extra_roots: String::new(), terms }
}
