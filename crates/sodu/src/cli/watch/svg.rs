//! A frame as a picture, letter by letter as a terminal shows it. The same frame always gives the same bytes.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::frame::{Frame, Paint};

/// A column's width and a line's height, in hundredths of a pixel.
const COLUMN: usize = 840;
const LINE: usize = 2000;
/// The space around the text.
const MARGIN: usize = 1600;

const STYLE: &str = "\
  text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d6deeb; white-space: pre }
  .dim { fill: #8794a8 } .strong { font-weight: bold; fill: #ffffff }
  .good { fill: #7ee787 } .warn { fill: #f2cc60 } .bad { fill: #ff8f87 }
";

/// The picture of `frame`, `columns` wide; `title` is for those who cannot see it.
pub fn svg(frame: &Frame, columns: usize, title: &str) -> String {
    let (width, height) = (2 * MARGIN + columns * COLUMN, 2 * MARGIN + frame.lines.len() * LINE);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" xml:space=\"preserve\" role=\"img\">\n\
         <title>{2}</title>\n<style>\n{STYLE}</style>\n\
         <rect width=\"{0}\" height=\"{1}\" rx=\"8\" fill=\"#161b22\"/>\n",
        pixels(width),
        pixels(height),
        escaped(title)
    );
    for (index, line) in frame.lines.iter().enumerate() {
        let baseline = pixels(MARGIN + index * LINE + LINE * 3 / 4);
        let mut column = 0;
        for span in line {
            let wide = span.text.width();
            let class = match span.paint {
                Paint::Plain => "",
                Paint::Dim => " class=\"dim\"",
                Paint::Strong => " class=\"strong\"",
                Paint::Good => " class=\"good\"",
                Paint::Warn => " class=\"warn\"",
                Paint::Bad => " class=\"bad\"",
            };
            // The length makes columns stand under each other whatever the reader's font is.
            let drawn = writeln!(
                text,
                "<text x=\"{}\" y=\"{baseline}\" textLength=\"{}\"{class}>{}</text>",
                pixels(MARGIN + column * COLUMN),
                pixels(wide * COLUMN),
                escaped(&span.text)
            );
            drawn.expect("a String takes every write");
            column += wide;
        }
    }
    text.push_str("</svg>\n");
    text
}

fn pixels(hundredths: usize) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
