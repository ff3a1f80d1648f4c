//! Reads the members of a request's JSON object, strictly: every mistake is told to the caller by the member's name.
//!
//! A member that the route does not know, or that stands there twice, is refused instead of ignored: a misspelt
//! `reference` must not become a charge without one. Messages never repeat a value, since it may be a secret.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::problem::Problem;

/// The members of one JSON object, each known to the route and there at most once.
pub(super) struct Members(Vec<(String, Value)>);

impl Members {
    /// Reads `body`, which must be a JSON object of no other members than `known`.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Members, Problem> {
        let members = Members::of(serde_json::from_slice(body).map_err(|error| unreadable(&error, known))?);
        members.check(known).map(|()| members)
    }

    /// Reads `body`, which must be a JSON object, whatever its members are; see [`Members::check`].
    pub(super) fn read_any(body: &str) -> Result<Members, Problem> {
        Ok(Members::of(serde_json::from_str(body).map_err(|error| unreadable(&error, &[]))?))
    }

    fn of(Unique(members): Unique<Member>) -> Members {
        Members(members.into_iter().map(|(name, Member(value))| (name, value)).collect())
    }

    /// Refuses members that are not `known`.
    pub(super) fn check(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(Problem::malformed(unknown("member", name, known))),
            None => Ok(()),
        }
    }

    /// A text. `null` is the same as leaving it out.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        Ok(self.nullable_text(name)?.flatten())
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, name: &str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| Problem::malformed(format!("the member \"{name}\" (a string) is missing")))
    }

    /// A text, or `null` (`Some(None)`), which takes away what was there.
    pub(super) fn nullable_text(&mut self, name: &str) -> Result<Option<Option<String>>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text))),
            Some(other) => Err(wrong_type(name, "a string", &other)),
        }
    }

    /// An exact decimal, which is written as a string: a JSON number passes through binary floats in too many clients.
    pub(super) fn decimal(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(_)) => Err(Problem::malformed(format!(
                "\"{name}\" is a JSON number; money is exact here, so put quotes around it: \"{name}\": \"36693\""
            ))),
            Some(other) => Err(wrong_type(name, "a decimal in quotes, such as \"36693\" or \"12.5\"", &other)),
        }
    }

    /// A decimal that must be there.
    pub(super) fn required_decimal(&mut self, name: &str) -> Result<String, Problem> {
        self.decimal(name)?.ok_or_else(|| {
            Problem::malformed(format!("the member \"{name}\" (a decimal in quotes, such as \"36693\") is missing"))
        })
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(wrong_type(name, "true or false", &other)),
        }
    }

    /// A whole number of at least zero. `7.0` is one: JSON does not tell it from 7, and JSON Schema calls both integers.
    pub(super) fn whole(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let text = number.to_string();
                let whole = text.strip_suffix(".0").unwrap_or(&text).parse();
                whole.map(Some).map_err(|_| {
                    Problem::malformed(format!("\"{name}\" must be a whole number from 0 to {}", u64::MAX))
                })
            }
            Some(other) => Err(wrong_type(name, "a whole number", &other)),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let list = match self.take(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(wrong_type(name, "a list of strings", &other)),
        };
        let text = |value| {
            if let Value::String(text) = value { Ok(text) } else { Err(wrong_type(name, "a list of strings", &value)) }
        };
        list.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A list of whole numbers.
    pub(super) fn wholes(&mut self, name: &str) -> Result<Vec<u64>, Problem> {
        let numbers = self.list(name, "a list of whole numbers")?.into_iter().map(|value| {
            let mut alone = Members(vec![(name.to_owned(), value)]);
            alone.whole(name)?.ok_or_else(|| wrong_type(name, "a list of whole numbers", &Value::Null))
        });
        numbers.collect()
    }

    /// A list of objects, in none of which a name stands twice.
    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<Members>, Problem> {
        let members = |value| {
            if let Value::Object(members) = value {
                Ok(Members(members.into_iter().collect()))
            } else {
                Err(wrong_type(name, "a list of objects", &value))
            }
        };
        self.list(name, "a list of objects")?.into_iter().map(members).collect()
    }

    fn list(&mut self, name: &str, expected: &str) -> Result<Vec<Value>, Problem> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(wrong_type(name, expected, &other)),
        }
    }

    /// An object of texts.
    pub(super) fn pairs(&mut self, name: &str) -> Result<Vec<(String, String)>, Problem> {
        let object = match self.take(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(object)) => object,
            Some(other) => return Err(wrong_type(name, "an object of strings", &other)),
        };
        let pair = |(inner, value)| {
            if let Value::String(text) = value {
                Ok((inner, text))
            } else {
                Err(wrong_type(name, "an object of strings", &value))
            }
        };
        object.into_iter().map(pair).collect()
    }

    /// Whether there is such a member, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(member, _)| member == name)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.swap_remove(index).1)
    }
}

/// "unknown member "amont"; did you mean "amount"?", or what is known.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let name: String = name.chars().take(64).collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, &name), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min();
    match nearest {
        Some((_, nearest)) => format!("unknown {what} \"{name}\"; did you mean \"{nearest}\"?"),
        None if known.is_empty() => format!("unknown {what} \"{name}\"; this route takes none"),
        None => format!("unknown {what} \"{name}\"; this route takes {}", known.join(", ")),
    }
}

fn wrong_type(name: &str, expected: &str, found: &Value) -> Problem {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Problem::malformed(format!("\"{name}\" must be {expected}, not {found}"))
}

/// What is wrong with a body that is no such object. A parser's own words may repeat what stood there; its place may be
/// told.
fn unreadable(error: &serde_json::Error, known: &[&str]) -> Problem {
    if let Some(name) = error.to_string().strip_prefix(TWICE) {
        let name = name.split('\u{0}').next().unwrap_or_default();
        return Problem::malformed(format!("the member \"{name}\" stands there twice"));
    }
    let place = format!("line {}, column {}", error.line(), error.column());
    let takes = if known.is_empty() { "no others".to_owned() } else { known.join(", ") };
    Problem::malformed(match error.classify() {
        serde_json::error::Category::Data => format!("the body must be a JSON object; this route takes {takes}"),
        serde_json::error::Category::Eof if (error.line(), error.column()) == (1, 0) => {
            format!("the body is empty; this route takes an object of {takes}, or {{}} where there is nothing to say")
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            format!("the body is not JSON (at {place}); this route takes an object of {takes}")
        }
    })
}

const TWICE: &str = "sodu: twice: ";

/// A JSON object in which no name stands twice.
struct Unique<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique<V>, D::Error> {
        deserializer.deserialize_map(UniqueVisitor(PhantomData))
    }
}

struct UniqueVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueVisitor<V> {
    type Value = Unique<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<V>, A::Error> {
        let mut members: Vec<(String, V)> = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format!("{TWICE}{name}\u{0}")));
            }
            members.push((name, value));
        }
        Ok(Unique(members))
    }
}

/// A member's value. In an object (metadata) or a list of objects (contacts) no name may stand twice either; no route takes
/// anything deeper.
struct Member(Value);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_any(MemberVisitor).map(Member)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Member(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let Unique::<Value>(members) = UniqueVisitor(PhantomData).visit_map(map)?;
        Ok(Value::Object(members.into_iter().collect()))
    }
}
