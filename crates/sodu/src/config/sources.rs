//! Turns each source of settings into the same thing: a name, its texts, and the place to name in an error.
//!
//! Does not know what a setting means. An unknown variable `SODU_…` is refused only where it is a slip of the pen away
//! from a known one: container platforms set variables of that form by themselves (`SODU_PORT`, `SODU_SERVICE_HOST`).

use std::path::Path;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::fields::{FIELDS, LISTS, unknown_field};
use super::{ConfigError, Overrides};

/// The variable that names the file.
pub(super) const FILE_VARIABLE: &str = "SODU_CONFIG";

/// One setting as its source gives it.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) values: Vec<String>,
    /// Where it stands: `sodu.toml, line 3`, `SODU_LISTEN`, `--listen`.
    pub(super) origin: String,
}

/// Reads the file whole.
pub(super) fn text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError::new(&path.display().to_string(), &format!("the file cannot be read: {error}")))
}

/// The settings of a TOML file, in the order of its lines.
pub(super) fn settings_of_file(path: &Path, text: &str) -> Result<Vec<Setting>, ConfigError> {
    let origin = |start: usize| format!("{}, line {}", path.display(), text[..start].matches('\n').count() + 1);
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        ConfigError::new(&origin(start), error.message())
    })?;
    let mut found = Vec::new();
    for (key, value) in table.get_ref() {
        let DeValue::Table(section) = value.get_ref() else {
            found.push((key.span().start, key.get_ref().to_string(), value.get_ref()));
            continue;
        };
        let prefix = format!("{}.", key.get_ref());
        if !FIELDS.iter().any(|field| field.starts_with(&prefix)) {
            return Err(ConfigError::new(&origin(key.span().start), &unknown_field(key.get_ref())));
        }
        for (key, value) in section {
            found.push((key.span().start, format!("{prefix}{}", key.get_ref()), value.get_ref()));
        }
    }
    found.sort_by_key(|(start, ..)| *start);
    let setting = |(start, name, value): (usize, String, &DeValue<'_>)| {
        let origin = origin(start);
        let unfit = || format!("{name} takes a text, a whole number, true or false, or a list of texts");
        let read = if name == TARGETS { nested(value).or_else(|| values(value)) } else { values(value) };
        match read {
            _ if !FIELDS.contains(&name.as_str()) => Err(ConfigError::new(&origin, &unknown_field(&name))),
            None => Err(ConfigError::new(&origin, &unfit())),
            Some(values) => Ok(Setting { name, values, origin }),
        }
    };
    found.into_iter().map(setting).collect()
}

/// The setting that is a table of tables, and travels as JSON.
const TARGETS: &str = "alerts.targets";

fn nested(value: &DeValue<'_>) -> Option<Vec<String>> {
    value.as_table().map(|_| vec![json(value).to_string()])
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect())
        }
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Integer(number) => number.as_str().replace('_', "").parse::<i64>().map_or(Value::Null, Value::from),
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Null,
    }
}

fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value.as_array() {
        Some(items) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        None => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// The settings among the variables of the environment. An empty variable counts as none at all.
pub(super) fn settings_of_environment(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    for (origin, text) in variables {
        if !origin.starts_with("SODU_") || origin == FILE_VARIABLE || text.is_empty() {
            continue;
        }
        if let Some(name) = FIELDS.iter().find(|field| variable(field) == origin) {
            let values = match LISTS.contains(name) {
                true => text.split([',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
                false => vec![text],
            };
            settings.push(Setting { name: (*name).to_owned(), values, origin });
        } else if let Some(near) =
            FIELDS.iter().map(|field| variable(field)).find(|known| strsim::osa_distance(known, &origin) <= 2)
        {
            return Err(ConfigError::new(&origin, &format!("there is no such variable; the nearest one is {near}")));
        }
    }
    Ok(settings)
}

fn variable(field: &str) -> String {
    format!("SODU_{}", field.replace('.', "_").to_uppercase())
}

/// The settings that were given as flags.
pub(super) fn settings_of_flags(flags: Overrides) -> Vec<Setting> {
    let Overrides { database, listen, ops_listen, insecure_ops } = flags;
    let given = [
        ("database", "--database", database),
        ("listen", "--listen", listen),
        ("ops_listen", "--ops-listen", ops_listen),
        ("insecure_ops", "--insecure-ops", insecure_ops.then(|| "true".to_owned())),
    ];
    let setting = |(name, origin, value): (&str, &str, Option<String>)| {
        Some(Setting { name: name.into(), values: vec![value?], origin: origin.into() })
    };
    given.into_iter().filter_map(setting).collect()
}
