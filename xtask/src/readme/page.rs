//! A page of Markdown as far as it matters here: its fenced blocks, the marks before them, and whether what a block shows
//! is what was printed.

/// What is done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Demo,
    Serve,
    Run,
    Skip,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) language: String,
    pub(super) mark: Option<Mark>,
    pub(super) text: String,
}

/// The fenced blocks, each with the mark before it. A mark that is none counts as missing.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut mark = None;
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            blocks.push(Block { language: language.to_owned(), mark: mark.take(), text: text.join("\n") });
        } else if let Some(comment) = line.trim().strip_prefix("<!-- ci: ").and_then(|it| it.strip_suffix(" -->")) {
            mark = match comment {
                "demo" => Some(Mark::Demo),
                "serve" => Some(Mark::Serve),
                "run" => Some(Mark::Run),
                why if why.starts_with("skip: ") => Some(Mark::Skip),
                _ => None,
            };
        }
    }
    blocks
}

impl Block {
    /// Whether `printed` is what this block shows. `…` stands for whatever differs from run to run; the spaces and lines of
    /// JSON are the page's own.
    pub(super) fn is_printed(&self, printed: &str) -> bool {
        let bare = |text: &str| -> String {
            if self.language == "json" {
                text.split_whitespace().collect()
            } else {
                text.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n")
            }
        };
        let (shown, printed) = (bare(&self.text), bare(printed));
        let mut parts = shown.split('…');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = printed.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(language: &str, mark: Option<Mark>, text: &str) -> Block {
        Block { language: language.into(), mark, text: text.into() }
    }

    #[test]
    fn blocks_carry_the_mark_before_them() {
        let markdown = "Text\n\n<!-- ci: run -->\n```sh\na\nb\n```\ngives\n```json\n{}\n```\n\
                        <!-- ci: skip: no time -->\n```sh\nc\n```\n<!-- ci: rum -->\n```sh\nd\n```\n";
        let expected = [
            block("sh", Some(Mark::Run), "a\nb"),
            block("json", None, "{}"),
            block("sh", Some(Mark::Skip), "c"),
            block("sh", None, "d"),
        ];
        assert_eq!(blocks(markdown), expected);
    }

    #[test]
    fn what_is_shown_is_compared_but_for_what_differs() {
        let shown = block("json", None, "{\"held\": \"350\",\n … \"replayed\": false}");
        assert!(shown.is_printed("{\"held\":\"350\",\"at\":\"2026\",\"replayed\":false}\n"));
        assert!(!shown.is_printed("{\"held\":\"351\",\"at\":\"2026\",\"replayed\":false}"));
        assert!(!shown.is_printed("{\"held\":\"350\",\"at\":\"2026\",\"replayed\":false}{}"));
        assert!(!block("json", None, "{}").is_printed("{}{}"));
        assert!(!block("json", None, "{\"a\":1}…").is_printed("x{\"a\":1}"));
        let overlapping = block("text", None, "ab…ba");
        assert!(overlapping.is_printed("abba") && !overlapping.is_printed("aba"));
    }

    #[test]
    fn text_is_compared_line_by_line() {
        let shown = block("text", None, "1 charge\n  2 …\n3");
        assert!(shown.is_printed("1 charge  \n  2 refunds\n3\n"));
        assert!(!shown.is_printed("1 charge 2 refunds\n3\n"));
    }
}
