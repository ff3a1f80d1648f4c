//! Alert rules and dashboard name only metrics that a watcher or a server has, and are of the form that their readers take.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sodu::cli::watch::clock::System;
use sodu::cli::watch::journal::Journal;
use sodu::cli::watch::memory::Memory;
use sodu::cli::watch::watcher::Watcher;
use sodu::metrics::Metrics;
use sodu::notify::{Courier, Settings};
use store::{DatabaseUrl, Options, Store};

/// What Prometheus reads (`prometheus.io`, "Alerting rules").
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(default, rename = "for")]
    hold: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(path).expect("the document")
}

/// The families of a watcher and of a server.
fn families() -> BTreeSet<String> {
    let courier = Courier::new(Settings::default()).expect("a courier");
    let nothing = (Journal::none(), Memory::default());
    let mut watcher = Watcher::new(Vec::new(), nothing, courier, Arc::new(System)).expect("a watcher");
    let watched = watcher.metrics().borrow().clone();

    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        url: DatabaseUrl::file(folder.path().join("sodu.db")),
        create: true,
        clock: sodu::clock::system(),
        queue_len_max: 10,
        refusal_days: 1,
        refusals_per_second: 1,
        connections_max: 8,
        alert_targets: Vec::new(),
    };
    let store = Store::open(options).expect("the database opens");
    let served = Metrics::new().render(&store, &[]);
    store.close();
    let name = |line: &str| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned());
    watched.lines().chain(served.lines()).filter_map(name).collect()
}

/// The metrics that an expression names.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    expression.split(move |letter| !is_part(letter)).filter(|word| word.starts_with("sodu_"))
}

#[track_caller]
fn expect_known(expression: &str, families: &BTreeSet<String>) {
    let named: Vec<&str> = metrics(expression).collect();
    assert!(!named.is_empty(), "{expression} asks for nothing of sodu's");
    for name in named {
        assert!(families.contains(name), "{name} in {expression} is no metric of sodu's");
    }
}

#[test]
fn alert_rules_name_what_there_is() {
    let families = families();
    let rules: Rules = serde_saphyr::from_str(&document("watch-alerts.yaml")).expect("rules as Prometheus takes them");
    let names: Vec<&str> = rules.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["sodu-watch", "sodu-server"]);
    let mut alerts = BTreeSet::new();
    for rule in rules.groups.iter().flat_map(|group| &group.rules) {
        assert!(alerts.insert(&rule.alert), "{} is there twice", rule.alert);
        expect_known(&rule.expr, &families);
        assert!(rule.annotations.contains_key("summary") && rule.labels.contains_key("severity"), "{}", rule.alert);
        let is_time = |time: &String| time.strip_suffix('m').is_some_and(|minutes| minutes.parse::<u32>().is_ok());
        assert!(rule.hold.as_ref().is_none_or(is_time), "{}", rule.alert);
    }
    assert!(alerts.len() > 10);
}

#[test]
fn the_dashboard_draws_what_there_is() {
    let families = families();
    let dashboard: Value = serde_json::from_str(&document("watch-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("an expression")).collect();
    expressions.iter().for_each(|expression| expect_known(expression, &families));
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        if let Some(definition) = variable["definition"].as_str() {
            expect_known(definition, &families);
        }
    }
    let drawn: BTreeSet<&str> = expressions.iter().flat_map(|expression| metrics(expression)).collect();
    for wanted in ["sodu_watch_balance", "sodu_watch_burn_per_hour", "sodu_watch_left_seconds"] {
        assert!(drawn.contains(wanted), "{wanted} is not drawn");
    }
}
