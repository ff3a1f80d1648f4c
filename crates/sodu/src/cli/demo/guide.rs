//! What the demo prints: lines to paste into a second terminal, in this order, and what each will show.

use std::path::Path;

use store::DatabaseUrl;

use super::accounts::DemoAccount;
use crate::cli::output::grouped;
use crate::cli::serve::public_url;
use crate::serve::Bound;

/// The whole guide.
pub(super) fn text(bound: &Bound, database: &DatabaseUrl, accounts: &[DemoAccount]) -> String {
    let (Some(main), others) = (accounts.first(), accounts.get(1..).unwrap_or_default()) else {
        return String::new();
    };
    let (url, sodu, id) = (public_url(bound), sodu(), main.id);
    let curl = |secret: &str| {
        format!(
            "curl --location '{url}/MainService.svc/json/GetBalance_json' \\\n  \
             --header 'Content-Type: application/json' \\\n  --data '{{\n  \"ApiKey\":\"'\"$ESMS_API_KEY\"'\",\n  \
             \"SecretKey\":\"{secret}\"\n  }}'; echo\n"
        )
    };
    let command = |words: &str| format!("{sodu} {words} \\\n  --database '{database}'\n");
    let mut text = format!(
        "sodu demo: GetBalance on {url}\n           operator API, health and metrics on http://{}\n\
         Everything is removed when this ends (Ctrl-C). Paste into a second terminal:\n\n\
         # Account {id} and its key pair\n\
         export ESMS_API_KEY={}\nexport ESMS_SECRET_KEY={}\n\n\
         # The published eSMS call, with only the host changed: balance {}\n{}\n\
         # The same with a wrong secret: code 101\n{}\n\
         # The same without curl; it finds the demo by itself\n{sodu} balance --demo\n\n\
         # Money in, money out, and the statement; then the first call again\n{}{}{}",
        bound.ops,
        main.api_key,
        main.secret_key,
        main.balance,
        curl("'\"$ESMS_SECRET_KEY\"'"),
        curl("wrong"),
        command(&format!("topup {id} 50000 -k demo-topup-1")),
        command(&format!("charge {id} 350 -k demo-charge-1")),
        command(&format!("statement {id}")),
    );
    text.push_str("\n# Other accounts and their ApiKey and SecretKey, for what else GetBalance says\n");
    for account in others {
        let said = match account.code {
            "100" => format!("balance {}", grouped(&account.balance)),
            code => format!("code {code}"),
        };
        text.push_str(&format!(
            "# {} {}: {said}\n#   {} {}\n",
            account.id, account.name, account.api_key, account.secret_key
        ));
    }
    text
}

/// How the reader calls this program: by its name where that finds it, else by its whole path, since a second terminal opens in
/// a folder of its own.
fn sodu() -> String {
    let Ok(program) = std::env::current_exe() else { return "sodu".into() };
    let found = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("sodu")).find(|candidate| candidate.is_file())
    });
    let is_found = found.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == program);
    if is_found { "sodu".into() } else { quoted(&program) }
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
