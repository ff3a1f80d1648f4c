//! Holds a page in another language (`README.vi.md`) against the one that is run (`README.md`).
//!
//! Both must have the same pieces in the same order: headings, paragraphs, items, rows of tables, blocks. Each piece must have
//! the same code, links and figures, and each block the same commands under the same mark; so what one page tells its reader to
//! run was run as the other's. Only words are a translator's own, comments in commands too. That they mean the same this cannot
//! see.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::page;

/// The page that `page` is a translation of, where it is one.
pub(super) fn original(page: &Path) -> Option<PathBuf> {
    page.to_str()?.strip_suffix(".vi.md").map(|name| format!("{name}.md").into())
}

/// Fails with the first difference between `original` and `translation`.
pub(super) fn compare(original: &str, translation: &str) -> Result<()> {
    let (ours, theirs) = (pieces(original), pieces(translation));
    for (one, other) in ours.iter().zip(&theirs) {
        ensure!(
            one.kind == other.kind && one.facts == other.facts,
            "line {} of the original is a {} with {:?},\nline {} of the translation a {} with {:?}",
            one.line,
            one.kind,
            one.facts,
            other.line,
            other.kind,
            other.facts
        );
    }
    let end = ours.len().min(theirs.len());
    let further =
        ours.get(end).map(|piece| ("original", piece)).or(theirs.get(end).map(|piece| ("translation", piece)));
    if let Some((page, piece)) = further {
        anyhow::bail!("only the {page} has what begins in its line {}", piece.line);
    }
    let (ours, theirs) = (page::blocks(original), page::blocks(translation));
    for (one, other) in ours.iter().zip(&theirs) {
        let same = one.mark == other.mark && without_comments(&one.text) == without_comments(&other.text);
        ensure!(
            same,
            "a block differs in what is run:\n{:?}\n{}\n{:?}\n{}",
            one.mark,
            one.text,
            other.mark,
            other.text
        );
    }
    Ok(())
}

/// A piece of a page.
struct Piece {
    line: usize,
    kind: String,
    /// What stands in it and is in no language: code, targets of links, figures. Sorted and each once, since languages
    /// differ in order and repetition.
    facts: Vec<String>,
}

fn pieces(markdown: &str) -> Vec<Piece> {
    let mut pieces: Vec<(usize, String, String)> = Vec::new();
    let mut lines = markdown.lines().enumerate();
    let mut goes_on = false;
    while let Some((index, line)) = lines.next() {
        let begun = if let Some(language) = line.strip_prefix("```") {
            for _ in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {}
            Some((format!("block of {language}"), false))
        } else if line.trim().is_empty() || line.starts_with("<!--") {
            goes_on = false;
            continue;
        } else if line.starts_with('#') {
            Some((format!("heading {}", line.chars().take_while(|letter| *letter == '#').count()), false))
        } else if line.starts_with('|') {
            Some(("row".to_owned(), false))
        } else if line.starts_with("- ") {
            Some(("item".to_owned(), true))
        } else {
            (!goes_on).then(|| ("paragraph".to_owned(), true))
        };
        match (begun, pieces.last_mut()) {
            (None, Some((_, _, text))) => *text += &format!("\n{line}"),
            (begun, _) => {
                let (kind, may_go_on) = begun.unwrap_or_default();
                // What stands in a block is compared on its own.
                let text = if kind.starts_with("block") { String::new() } else { line.to_owned() };
                pieces.push((index + 1, kind, text));
                goes_on = may_go_on;
            }
        }
    }
    pieces.into_iter().map(|(line, kind, text)| Piece { line, kind, facts: facts(&text) }).collect()
}

fn facts(text: &str) -> Vec<String> {
    let code = text.split('`').skip(1).step_by(2).map(|code| format!("`{}`", code.replace('\n', " ")));
    let links = text.split("](").skip(1).map(|rest| {
        let target = rest.split(')').next().unwrap_or_default();
        format!("({})", target.replace(".vi.", "."))
    });
    let mut facts: Vec<String> = code.chain(links).chain(figures(text)).collect();
    facts.sort();
    facts.dedup();
    facts
}

/// Numbers, whichever sign parts their thousands.
fn figures(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |index: usize| letters.get(index).is_some_and(char::is_ascii_digit);
    let mut plain = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let parts = matches!(letter, '.' | ',') && index > 0 && is_digit(index - 1) && is_digit(index + 1);
        match letter {
            _ if parts => {}
            '0'..='9' => plain.push(*letter),
            _ => plain.push(' '),
        }
    }
    plain.split_whitespace().map(str::to_owned).collect()
}

/// The commands of a block, without what is said about them.
fn without_comments(text: &str) -> String {
    let bare = |line: &str| {
        let is_comment = |at: usize| {
            let before = &line[..at];
            let is_open = |quote| before.matches(quote).count() % 2 == 1;
            before.chars().next_back().is_none_or(char::is_whitespace) && !is_open('\'') && !is_open('"')
        };
        let end = line.match_indices('#').map(|(at, _)| at).find(|at| is_comment(*at)).unwrap_or(line.len());
        line[..end].trim_end().to_owned()
    };
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n\nRun `a b` in\n[there](docs/x.md), 8,192 times.\n\n| k | v |\n| --- | --- |\n| `c` | d |\n\n\
                        - one\n- two\n  of `it`\n\n<!-- ci: run -->\n```sh\nls -l    # all\necho '# no'\n```\n";

    #[track_caller]
    fn differs(from: &str, to: &str) {
        assert_ne!(PAGE.replace(from, to), PAGE);
        assert!(compare(PAGE, &PAGE.replace(from, to)).is_err(), "{to}");
        assert!(compare(&PAGE.replace(from, to), PAGE).is_err(), "{to}");
    }

    #[test]
    fn words_may_differ_and_nothing_else() {
        let other =
            PAGE.replace("# A", "# Ă").replace("Run `a b` in\n[there](docs/x.md)", "Ở [đó](docs/x.vi.md),\nchạy `a b`");
        let other = other.replace("8,192 times", "8.192 lần").replace("one", "một").replace("# all", "# mọi thứ");
        compare(PAGE, &other).expect("the same");
        differs("# A", "## A");
        differs("`a b`", "`a c`");
        differs("docs/x.md", "docs/y.md");
        differs("8,192", "8,193");
        differs("| `c` | d |\n", "");
        differs("- one\n", "");
        differs("- one\n", "- one\n- one more\n");
        differs("ls -l", "ls");
        differs("'# no'", "'# yes'");
        differs("ci: run", "ci: skip: why");
        differs("\n<!-- ci", "\nMore.\n\n<!-- ci");
    }

    #[test]
    fn a_translation_names_its_original() {
        assert_eq!(original(Path::new("docs/codes.vi.md")), Some("docs/codes.md".into()));
        assert_eq!(original(Path::new("README.md")), None);
    }
}
