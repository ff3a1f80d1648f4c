//! Every way of trusting a `sodu demo --tls` that its guide names, done as the guide says, by real clients.
//!
//! Three times each: with the lines of the guide, without them, and with the authority of another demo in the place of the
//! right one. Only the first may come to a balance.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Running, Said, Sample};
use crate::programs;

/// What a client may have been told about certificates and proxies before it was told anything here.
const FOREIGN: [&str; 10] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "JAVA_TOOL_OPTIONS",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// The balance as a client prints it.
const BALANCE: &str = "account 9999 has 36693";

pub(super) fn check(binary: &Path, samples: &[Sample]) -> Result<()> {
    programs::need_part("php", &["-r", "exit(function_exists('curl_init') ? 0 : 1);"], "php-curl")?;
    programs::need_part("python3", &["-c", "import requests"], "python3-requests")?;
    let (guide, other) = (Guide::of(binary)?, Guide::of(binary)?);
    let clients = clients(binary, samples, &guide)?;
    for client in &clients {
        let told = client.ask(&guide.ca, true)?;
        ensure!(told.code == Some(0) && told.out.contains(client.prints), "{}: {told:?}", client.name);
        for said in [client.ask(&guide.ca, false)?, client.ask(&other.ca, true)?] {
            said.expect_failure("").with_context(|| client.name.clone())?;
            let err = said.err.to_lowercase();
            ensure!(err.contains(client.complains), "{}: it is not about the certificate: {said:?}", client.name);
        }
    }
    let names: Vec<&str> = clients.iter().map(|client| client.name.as_str()).collect();
    println!("samples: {} trust a demo with TLS as its guide says, and no other", names.join(", "));
    Ok(())
}

/// A client, and what the guide says that makes it trust.
struct Client {
    name: String,
    /// Lines of a shell that come before.
    trust: String,
    /// Asks for the balance, with the keys, `ESMS_URL` and `DEMO_CA` as a terminal has them that was told so far.
    with: String,
    /// The same where nothing was said of trust.
    without: String,
    variables: Vec<(String, String)>,
    prints: &'static str,
    complains: &'static str,
}

impl Client {
    fn ask(&self, ca: &str, is_told: bool) -> Result<Said> {
        let (trust, call) = if is_told { (self.trust.as_str(), &self.with) } else { ("", &self.without) };
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &format!("{trust}\n{call}")]);
        for name in FOREIGN {
            bash.env_remove(name);
        }
        bash.envs(self.variables.iter().map(|(name, value)| (name, value))).env("DEMO_CA", ca);
        Ok(Said::from(&programs::output(&mut bash)?))
    }
}

fn clients(binary: &Path, samples: &[Sample], guide: &Guide) -> Result<Vec<Client>> {
    let client = |name: &str, trust: String, call: String| Client {
        name: name.to_owned(),
        trust,
        with: call.clone(),
        without: call,
        variables: guide.variables.clone(),
        prints: BALANCE,
        complains: "certif",
    };
    let by_file = guide.paragraph("# Python, Go, PHP's streams, sodu balance and sodu-client ")?;
    let mut clients = Vec::new();
    for sample in samples {
        let trust = match sample.language {
            "Node" => guide.paragraph("# Other clients trust that authority too, once this terminal says so. Node:")?,
            "Java" => guide.paragraph("# Java:")?,
            "Python" | "Go" | "PHP" | "Rust" => by_file.clone(),
            // curl's own way is tried with the call of the guide, and of C# the guide says nothing.
            _ => continue,
        };
        // The sample for PHP does not say why there is no answer.
        let complains = if sample.language == "PHP" { "no answer" } else { "certif" };
        clients.push(Client { complains, ..client(sample.language, trust, sample.line()) });
    }
    let balance = format!("'{}' balance --url \"$ESMS_URL\"", binary.display());
    clients.push(Client { prints: "36,693 (account 9999)", ..client("sodu balance", by_file.clone(), balance) });
    clients.push(client("requests", by_file, format!("python3 -c '{REQUESTS}'")));

    let curl = guide.call()?;
    ensure!(curl.contains("--cacert \"$DEMO_CA\""), "the guide's curl call trusts nothing: {curl}");
    // With --show-error, since it is not a person at a terminal who runs it here.
    let with = curl.replace("curl ", "curl --silent --show-error ");
    let without = with.replace("--cacert \"$DEMO_CA\"", "");
    clients.push(Client {
        with,
        without,
        prints: "{\"Balance\":36693,",
        ..client("curl", String::new(), String::new())
    });

    let code = guide.paragraph("# PHP's curl, in the code:")?;
    let code = code.trim().trim_start_matches('#').trim();
    let php = |code: &str| format!("php -r \"$(cat <<'END'\n{}\nEND\n)\"", PHP_CURL.replace("TRUST", code));
    clients.push(Client { with: php(code), without: php(""), ..client("PHP's curl", String::new(), String::new()) });
    Ok(clients)
}

const REQUESTS: &str = r#"
import os, sys, requests
try:
    answer = requests.post(
        os.environ["ESMS_URL"] + "/MainService.svc/json/GetBalance_json",
        json={"ApiKey": os.environ["ESMS_API_KEY"], "SecretKey": os.environ["ESMS_SECRET_KEY"]},
        timeout=10,
    ).json()
except requests.exceptions.SSLError as error:
    sys.exit(f"no balance: {error}")
print("account", answer["UserID"], "has", answer["Balance"])
"#;

const PHP_CURL: &str = r#"
$curl = curl_init(getenv('ESMS_URL') . '/MainService.svc/json/GetBalance_json');
curl_setopt_array($curl, [
    CURLOPT_POSTFIELDS => json_encode(['ApiKey' => getenv('ESMS_API_KEY'), 'SecretKey' => getenv('ESMS_SECRET_KEY')]),
    CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 10,
]);
TRUST
$body = curl_exec($curl);
if ($body === false) {
    fwrite(STDERR, 'no balance: ' . curl_error($curl) . "\n");
    exit(1);
}
$answer = json_decode($body, true);
echo "account {$answer['UserID']} has {$answer['Balance']}\n";
"#;

/// What a demo with TLS prints for people, while it runs.
struct Guide {
    lines: Vec<String>,
    /// What it exports, and where it is.
    variables: Vec<(String, String)>,
    ca: String,
    _demo: Running,
}

impl Guide {
    fn of(binary: &Path) -> Result<Guide> {
        let mut command = Command::new(binary);
        command.args(["demo", "--tls", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        let mut demo = Running(command.stdout(Stdio::piped()).spawn().context("cannot run sodu demo")?);
        let mut lines = Vec::new();
        for line in BufReader::new(demo.0.stdout.take().context("its output is piped")?).lines() {
            lines.push(line?);
            // The guide ends with the pair of its last account.
            if lines.iter().rev().nth(1).is_some_and(|line| line.starts_with("# 1004 ")) {
                break;
            }
        }
        let exports = lines.iter().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let plain = exports.filter(|(_, value)| !value.contains('$'));
        let mut variables: Vec<_> = plain.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let ca = variables.iter().find(|(name, _)| name == "DEMO_CA").context("the guide names no authority")?;
        let ca = ca.1.clone();
        let url = lines[0].split_whitespace().next_back().unwrap_or_default();
        ensure!(url.starts_with("https://"), "the demo did not say where it is: {}", lines[0]);
        variables.push(("ESMS_URL".to_owned(), url.to_owned()));
        Ok(Guide { lines, variables, ca, _demo: demo })
    }

    /// The lines under the one that begins like that, up to an empty one.
    fn paragraph(&self, begins: &str) -> Result<String> {
        let start = self.lines.iter().position(|line| line.starts_with(begins));
        let start = start.with_context(|| format!("the guide does not say: {begins}"))?;
        let lines: Vec<&str> =
            self.lines[start + 1..].iter().map(String::as_str).take_while(|line| !line.is_empty()).collect();
        Ok(lines.join("\n"))
    }

    /// The first call by curl.
    fn call(&self) -> Result<String> {
        self.paragraph("# The published eSMS call, with only the host changed")
    }
}
