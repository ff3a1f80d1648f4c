//! The reference page of codes, in both languages, names what this crate answers and the table that is held of eSMS.

use std::collections::BTreeSet;
use std::path::Path;

use wire::Code;

/// Today's table as far as it is held (esms-wire, section 4).
const TODAY: [u32; 23] =
    [99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 110, 115, 118, 120, 124, 140, 146, 171, 177, 199, 204, 210, 300];

/// The codes of each table of the page, in the order in which they stand.
fn tables(file: &str) -> Vec<Vec<u32>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    let page = std::fs::read_to_string(path).expect("the page");
    let mut tables = vec![Vec::new()];
    for line in page.lines() {
        let code = line.strip_prefix("| ").and_then(|row| row.split(' ').next()?.parse().ok());
        match code {
            Some(code) => tables.last_mut().expect("never empty").push(code),
            None if !line.starts_with('|') => tables.push(Vec::new()),
            None => {}
        }
    }
    tables.retain(|table| !table.is_empty());
    tables
}

#[test]
fn both_languages_name_the_same_codes() {
    let english = tables("codes.md");
    assert_eq!(english, tables("codes.vi.md"));
    let [get_balance, two_meanings, today] = &english[..] else { panic!("three tables, not {english:?}") };
    let ours = [Code::Success, Code::AuthorizeFailed, Code::AccountLocked, Code::AddressNotAllowed, Code::Unknown];
    assert_eq!(*get_balance, ours.map(|code| code as u32));
    assert_eq!(*two_meanings, [99, 102]);
    assert_eq!(*today, TODAY);
    assert!(today.iter().collect::<BTreeSet<_>>().len() == TODAY.len());
}
