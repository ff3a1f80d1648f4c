//! Properties: no input panics, and readers and writer agree with naive models that are written differently.
//! A failing case prints its seed and is kept beside this file, to be run first from then on.

use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};
use wire::{Answer, Format, Money, Route, read, route, write};

const JSON: &str = r#"{"ApiKey":"K\u0041","Params":[{"a":[1e9,"\\"]}],"SecretKey":"S"}"#;
const XML: &str = "<?xml version='1.0' encoding='utf-8'?><p:ApiModel xmlns:p='u'><ApiKey i:nil='0'>K&amp;&#65;</ApiKey>\
                   <Params><x/></Params><SecretKey><![CDATA[S]]></SecretKey></p:ApiModel>";

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..200)) {
        let _ = read(Format::Json, &body);
        let _ = read(Format::Xml, &body);
    }

    /// Bytes at random are seldom nearly right; these are, so that they reach the inner parts of both readers.
    #[test]
    fn any_damage_to_a_good_body_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        removed_count in 0_usize..4,
        inserted in prop_oneof![
            "[\\x00-\\x7f]{0,3}",
            prop::sample::select(vec!["<", "</", "/>", "<!", "<!--", "]]>", "&", ";", "{", "[", "\"", "\\u", "\u{feff}"])
                .prop_map(str::to_owned),
        ],
    ) {
        for (format, good) in [(Format::Json, JSON), (Format::Xml, XML)] {
            let mut body = good.as_bytes().to_vec();
            let start = at.index(body.len());
            let end = body.len().min(start + removed_count);
            body.splice(start..end, inserted.bytes());
            let _ = read(format, &body);
        }
    }

    #[test]
    fn any_path_is_routed_or_not(path in "(/MainService\\.svc/(json|xml)/[Gg]et[Bb]alance(_json|/(%[0-9a-fE]{0,2}|\\PC){0,8}/))?(%[0-9a-fE]{0,2}|\\PC){0,8}") {
        if let Some(Route::Get(_, keys)) = route(&path) {
            let _ = keys.decode();
        }
    }

    /// The model is serde_json's own tree of the same object.
    #[test]
    fn json_keys_are_what_the_tree_of_values_says(
        others in hash_map("\\PC{0,12}", value(), 0..6),
        api_key in proptest::option::of(value()),
        secret_key in proptest::option::of(value()),
        pretty in any::<bool>(),
    ) {
        let mut tree = json!(others);
        for (name, key) in [("ApiKey", api_key), ("SecretKey", secret_key)] {
            if let Some(key) = key {
                tree[name] = key;
            }
        }
        let body = if pretty { format!("{tree:#}") } else { tree.to_string() };
        let keys = read(Format::Json, body.as_bytes()).expect("what serde_json writes is well-formed");
        prop_assert_eq!(&*keys.api_key, tree["ApiKey"].as_str().unwrap_or(""));
        prop_assert_eq!(&*keys.secret_key, tree["SecretKey"].as_str().unwrap_or(""));
    }

    /// Every character of a key is written in one of the ways that XML knows.
    #[test]
    fn xml_keys_are_decoded(characters in vec((any::<char>(), 0..4_u8), 0..20)) {
        let text: String = characters.iter().map(|(character, _)| *character).filter(|c| is_xml(*c)).collect();
        let markup: String = characters
            .iter()
            .filter(|(character, _)| is_xml(*character))
            .map(|(character, spelling)| match (spelling, character) {
                (0, _) => format!("&#{};", u32::from(*character)),
                (1, _) => format!("&#x{:X};", u32::from(*character)),
                (2, '>' | ']') | (3, '<' | '&' | '>') => format!("&#{};", u32::from(*character)),
                (2, _) => format!("<![CDATA[{character}]]>"),
                _ => character.to_string(),
            })
            .collect();
        let body = format!("<ApiModel><SecretKey>{markup}</SecretKey></ApiModel>");
        let keys = read(Format::Xml, body.as_bytes()).expect("well-formed");
        prop_assert_eq!(&*keys.secret_key, text);
        prop_assert_eq!(&*keys.api_key, "");
    }

    #[test]
    fn money_agrees_with_division_and_padding(minor in minor(), scale in 0_u8..=38) {
        let mut out = Vec::new();
        let answer = Answer::Balance { balance: Money { minor, scale }, user_id: 1 };
        write(Format::Json, &answer, &mut out);
        let expected = format!(r#"{{"Balance":{},"CodeResponse":"100","UserID":1}}"#, money_model(minor, scale));
        prop_assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}

fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig::with_failure_persistence(kept)
}

/// Whole part and fraction by division; the fraction padded to its width, then cut.
fn money_model(minor: i64, scale: u8) -> String {
    let unit = 10_u128.pow(scale.into());
    let magnitude = u128::from(minor.unsigned_abs());
    let sign = if minor < 0 { "-" } else { "" };
    let width = usize::from(scale);
    let fraction = match magnitude % unit {
        0 => String::new(),
        rest => format!(".{rest:0width$}"),
    };
    let fraction = fraction.trim_end_matches('0');
    format!("{sign}{}{fraction}", magnitude / unit)
}

/// Small and round amounts as often as arbitrary ones.
fn minor() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -200..200_i64,
        (-9_000..9_000_i64, 0..15_u32).prop_map(|(n, zeros)| n * 10_i64.pow(zeros)),
    ]
}

/// Any JSON value of modest size.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[A-F0-9]{30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map("[A-Za-z\\[{\"\\\\]{0,6}", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

/// The characters of XML 1.0, section 2.2, less the carriage return, which a reader may turn into a line feed.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..)
}
