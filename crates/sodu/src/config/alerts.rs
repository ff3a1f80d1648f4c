//! The section `[alerts]`: by what contacts are reached, and whom the operator wants told of everything.

use serde_json::{Map, Value};

use crate::notify::texts::Language;
use crate::notify::{Hidden, Target};

/// How alerts are delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerts {
    /// The mail server for contacts, and for targets that name none.
    pub smtp: Option<Hidden>,
    /// From whom its mails are.
    pub from: Option<String>,
    /// The token of the Telegram bot for contacts.
    pub telegram: Option<Hidden>,
    /// The language of the operator's own targets.
    pub language: Language,
    /// Whether webhooks of accounts may lie inside this network.
    pub allow_private: bool,
    /// After how many days a delivery is given up.
    pub give_up_days: u32,
    /// How many days alerts are kept.
    pub keep_days: u32,
    /// Who is told of every alert, by name.
    pub targets: Vec<(String, Target)>,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts {
            smtp: None,
            from: None,
            telegram: None,
            language: Language::English,
            allow_private: false,
            give_up_days: 3,
            keep_days: 90,
            targets: Vec::new(),
        }
    }
}

impl Alerts {
    /// Takes the targets in as they are written: an object of objects, in JSON.
    pub(super) fn set_targets(&mut self, json: &str) -> Result<(), String> {
        let wanted = "takes one table a target, such as { ops = { email = \"ops@example.com\" } }";
        let targets: Map<String, Value> = serde_json::from_str(json).map_err(|_| wanted.to_owned())?;
        self.targets = targets.into_iter().map(|(name, target)| self.target(name, target)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn target(&self, name: String, mut target: Value) -> Result<(String, Target), String> {
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !is_name {
            return Err(format!("the name of a target is 1 to 64 letters, digits, _ and -, not {name:?}"));
        }
        if let Value::Object(members) = &mut target
            && members.contains_key("email")
        {
            for (member, text) in [("smtp", self.smtp.as_ref().map(Hidden::spelled)), ("from", self.from.clone())] {
                if let Some(text) = text {
                    members.entry(member).or_insert_with(|| text.into());
                }
            }
        }
        let target = serde_json::from_value(target).map_err(|error| format!("target {name}: {error}"))?;
        Ok((name, target))
    }
}
