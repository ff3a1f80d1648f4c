//! What the demo prints: lines to paste into a second terminal, in this order, and what each will show.

use std::path::Path;

use serde_json::{Value, json};
use store::DatabaseUrl;

use super::Twist;
use super::accounts::DemoAccount;
use crate::cli::output::grouped;
use crate::cli::serve::{addresses, public_url};
use crate::serve::Bound;

/// How clients other than curl trust the demo's authority: lines for the same terminal, one client a paragraph, named in
/// its comment. `cargo xtask samples` does with real clients what stands here.
const TRUST: &str = r#"
# Other clients trust that authority too, once this terminal says so. Node:
export NODE_EXTRA_CA_CERTS="$DEMO_CA"

# Python, Go, PHP's streams, sodu balance and sodu-client (and then no other):
export SSL_CERT_FILE="$DEMO_CA" REQUESTS_CA_BUNDLE="$DEMO_CA"

# Java:
keytool -importcert -noprompt -alias sodu-demo -file "$DEMO_CA" \
  -keystore "$DEMO_CA.p12" -storepass changeit
export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=$DEMO_CA.p12 \
  -Djavax.net.ssl.trustStorePassword=changeit"

# PHP's curl, in the code:
#   curl_setopt($curl, CURLOPT_CAINFO, getenv('DEMO_CA'));
"#;

/// What there is to tell.
pub(super) struct Guide<'a> {
    /// Where clients and operators find it.
    pub(super) bound: &'a Bound,
    pub(super) database: &'a DatabaseUrl,
    /// The one to play with first.
    pub(super) accounts: &'a [DemoAccount],
    pub(super) twist: &'a Twist,
}

impl Guide<'_> {
    /// All of it for programs.
    pub(super) fn json(&self) -> Value {
        let mut all = addresses(self.bound, &self.database.to_string());
        all["accounts"] = json!(self.accounts);
        all["ca"] = json!(self.twist.ca);
        all["fault"] = json!(self.twist.fault.map(|fault| fault.name()));
        all["burn"] = json!(self.twist.burn.map(|rate| rate.to_string()));
        all
    }

    /// All of it for people.
    pub(super) fn text(&self) -> String {
        let (Some(main), others) = (self.accounts.first(), self.accounts.get(1..).unwrap_or_default()) else {
            return String::new();
        };
        let mut text = self.head(main);
        text.push_str(&self.first_steps(main));
        if self.twist.ca.is_some() {
            text.push_str(TRUST);
        }
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

    /// Where everything is, and what is not as usual.
    fn head(&self, main: &DemoAccount) -> String {
        let mut text = format!(
            "sodu demo: GetBalance on {}\n           operator API, health and metrics on http://{}\n",
            public_url(self.bound),
            self.bound.ops
        );
        if let Some(fault) = self.twist.fault {
            let (name, effect) = (fault.name(), fault.effect());
            text.push_str(&format!("Wrong on purpose (--fault {name}): eSMS clients get\n  {effect}\n"));
        }
        if let Some(rate) = self.twist.burn {
            text.push_str(&format!("Account {} is charged all the time (--burn {rate})\n", main.id));
        }
        text.push_str("Everything is removed when this ends (Ctrl-C). Paste into a second terminal:\n");
        text
    }

    /// Lines to paste for the account to play with.
    fn first_steps(&self, main: &DemoAccount) -> String {
        let (url, sodu, id) = (public_url(self.bound), sodu(), main.id);
        let ca = self.twist.ca.as_ref().map(|ca| {
            format!(
                "\n# The authority that signed this demo's certificate, and nothing else\nexport DEMO_CA={}\n",
                quoted(ca)
            )
        });
        let cacert = if ca.is_some() { "--cacert \"$DEMO_CA\" \\\n  " } else { "" };
        let curl = |secret: &str| {
            format!(
                "curl {cacert}--location '{url}/MainService.svc/json/GetBalance_json' \\\n  \
                 --header 'Content-Type: application/json' \\\n  --data '{{\n  \"ApiKey\":\"'\"$ESMS_API_KEY\"'\",\n  \
                 \"SecretKey\":\"{secret}\"\n  }}'; echo\n"
            )
        };
        let command = |words: &str| format!("{sodu} {words} \\\n  --database '{}'\n", self.database);
        let shown = |usual: String| if self.twist.fault.is_some() { "wrong on purpose".to_owned() } else { usual };
        let balance = if self.twist.burn.is_some() { "and falling" } else { "balance" };
        format!(
            "\n# Account {id} and its key pair\nexport ESMS_API_KEY={}\nexport ESMS_SECRET_KEY={}\n{}\n\
             # The published eSMS call, with only the host changed: {}\n{}\n\
             # The same with a wrong secret: {}\n{}\n\
             # The same without curl; it finds the demo by itself\n{sodu} balance --demo\n\n\
             # Money in, money out, and the statement; then the first call again\n{}{}{}",
            main.api_key,
            main.secret_key,
            ca.unwrap_or_default(),
            shown(format!("{balance} {}", main.balance)),
            curl("'\"$ESMS_SECRET_KEY\"'"),
            shown("code 101".to_owned()),
            curl("wrong"),
            command(&format!("topup {id} 50000 -k demo-topup-1")),
            command(&format!("charge {id} 350 -k demo-charge-1")),
            command(&format!("statement {id}")),
        )
    }
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
