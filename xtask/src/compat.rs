//! COMPAT.md names a test for each row of the contract: a row whose test is gone is a promise that nothing holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::programs::root;

/// What the page calls the folders of tests.
const FOLDERS: [(&str, &str); 2] = [("wire", "crates/wire/tests"), ("serve", "crates/sodu/tests/serve")];

/// Fails where a test that COMPAT.md names is not in the tree.
pub(crate) fn names_tests() -> Result<()> {
    let names = names(&fs::read_to_string(root().join("COMPAT.md"))?);
    ensure!(names.len() > 20, "COMPAT.md names only {} tests; has its form changed?", names.len());
    for name in &names {
        ensure!(is_there(name)?, "COMPAT.md names a test that does not exist: {name}");
    }
    Ok(())
}

/// A test as the page names it: the folder, the file, and the function unless the whole file is meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Name {
    folder: &'static str,
    file: String,
    test: Option<String>,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}.rs {}", self.folder, self.file, self.test.as_deref().unwrap_or_default())
    }
}

/// Every `file::test` in backticks belongs to the folder named last before it, and so does every `file` right after the
/// name of a folder; a test without a file, in a table whose title says `file::…`, to that file.
fn names(page: &str) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    let mut folder = None;
    let mut file_of_table = None;
    for line in page.lines() {
        if !line.starts_with('|') {
            file_of_table = None;
        }
        let mut parts = line.split('`');
        while let (Some(text), code) = (parts.next(), parts.next()) {
            let last_word = text.trim_end().rsplit([' ', '(']).next().unwrap_or_default().to_lowercase();
            let words = text.to_lowercase();
            let said = FOLDERS.iter().filter_map(|(word, path)| Some((words.rfind(word)?, *path))).max();
            folder = said.map(|(_, path)| path).or(folder);
            let (Some(code), Some(folder)) = (code, folder) else { continue };
            let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            match code.split_once("::") {
                Some((file, "…")) if is_name(file) => file_of_table = Some((folder, file.to_owned())),
                Some((file, test)) if is_name(file) && is_name(test) => {
                    names.insert(Name { folder, file: file.to_owned(), test: Some(test.to_owned()) });
                }
                None if is_name(code) && FOLDERS.iter().any(|(word, _)| *word == last_word) => {
                    names.insert(Name { folder, file: code.to_owned(), test: None });
                }
                None if is_name(code) && code.starts_with("row") => {
                    if let Some((folder, file)) = file_of_table.clone() {
                        names.insert(Name { folder, file, test: Some(code.to_owned()) });
                    }
                }
                Some(_) | None => {}
            }
        }
    }
    names
}

fn is_there(name: &Name) -> Result<bool> {
    let file = root().join(name.folder).join(&name.file).with_extension("rs");
    if !file.is_file() {
        return Ok(false);
    }
    let code = fs::read_to_string(Path::new(&file))?;
    let Some(test) = &name.test else { return Ok(code.contains("#[test]")) };
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let function = format!("fn {test}()");
    let is_test = |at: usize| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    Ok(lines.iter().enumerate().any(|(at, line)| line.contains(&function) && is_test(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_that_compat_names_exists() {
        names_tests().expect("all of them");
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        let name = |file: &str, test: Option<&str>| Name {
            folder: FOLDERS[1].1,
            file: file.to_owned(),
            test: test.map(str::to_owned),
        };
        assert!(is_there(&name("contract", Some("codes_come_in_their_order"))).expect("readable"));
        assert!(!is_there(&name("contract", Some("codes_come_in_their_orde"))).expect("readable"));
        assert!(!is_there(&name("contracts", Some("codes_come_in_their_order"))).expect("readable"));
        assert!(!is_there(&name("common", Some("call"))).expect("readable"), "a function that is no test");
    }

    #[test]
    fn names_are_read_as_people_read_them() {
        let page = "\"Wire\" tests lie here.\n| a | wire `a::b`, serve `c::d` |\n| e | `f::g` |\n(wire `h`) and `code`\n\
                    | # | test (serve `i::…`) |\n| 1 | `row_1` |\n\n`row_2` `x::…`";
        let told: Vec<String> = names(page).iter().map(ToString::to_string).collect();
        let (wire, serve) = (FOLDERS[0].1, FOLDERS[1].1);
        let expected = [
            format!("{serve}/c.rs d"),
            format!("{serve}/f.rs g"),
            format!("{serve}/i.rs row_1"),
            format!("{wire}/a.rs b"),
            format!("{wire}/h.rs "),
        ];
        assert_eq!(told, expected);
    }
}
