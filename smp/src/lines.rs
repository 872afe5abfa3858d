//! Lines that fit a terminal: what goes beyond the last column goes on in the next line, below where the
//! first one began to tell.

use core::fmt;

use alloc::{format, string::String, vec::Vec};

/// The columns of a terminal.
pub const WIDTH: usize = 80;

/// A heading and what is told behind it, part by part, with the end of the last line left out. A part stays
/// whole, unless it alone is too long.
pub struct Parts<'a> {
    head: &'a str,
    separator: &'a str,
    /// What of the separator stands at the end of a line that goes on.
    at_end: &'a str,
    parts: Vec<String>,
}

impl<'a> Parts<'a> {
    /// With commas between them, which stay at the ends of lines.
    pub fn with_commas(head: &'a str, parts: impl IntoIterator<Item = String>) -> Self {
        Self::new(head, ", ", ",", parts)
    }

    /// With bars between them, but for the ends of lines.
    pub fn with_bars(head: &'a str, parts: impl IntoIterator<Item = String>) -> Self {
        Self::new(head, " | ", "", parts)
    }

    fn new(
        head: &'a str,
        separator: &'a str,
        at_end: &'a str,
        parts: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            head,
            separator,
            at_end,
            parts: parts.into_iter().collect(),
        }
    }
}

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            head,
            separator,
            at_end,
            parts,
        } = self;
        let indent = columns(head);
        let mut line = String::from(*head);
        for (at, part) in parts.iter().enumerate() {
            // Behind it there must be room for what ends a line, if it is not the last.
            let end = if at + 1 == parts.len() { "" } else { at_end };
            let between = if at == 0 { "" } else { separator };
            if at > 0 && columns(&line) + columns(between) + columns(part) + end.len() > WIDTH {
                writeln!(f, "{line}{at_end}")?;
                line = format!("{:indent$}{part}", "");
            } else {
                line = line + between + part;
            }
        }
        f.write_str(&line)
    }
}

/// A text, broken between words, the lines behind the first indented by so many columns; the end of the last line left
/// out. A word that is too long stands alone.
pub struct Words<'a> {
    /// The text.
    pub text: &'a str,
    /// How far the lines behind the first are moved to the right.
    pub indent: usize,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Up to the end of the last word, and the spaces behind it.
        let (mut used, mut gap) = (0, 0);
        for piece in self.text.split_inclusive(' ') {
            let word = piece.trim_end_matches(' ');
            if !word.is_empty() {
                if used > self.indent && used + gap + columns(word) > WIDTH {
                    write!(f, "\n{:1$}", "", self.indent)?;
                    (used, gap) = (self.indent, 0);
                }
                write!(f, "{:gap$}{word}", "")?;
                used += gap + columns(word);
                gap = 0;
            }
            gap += piece.len() - word.len();
        }
        Ok(())
    }
}

/// What is told here takes a column a character.
fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn parts(count: usize, length: usize) -> impl Iterator<Item = String> {
        (0..count).map(move |_| "x".repeat(length))
    }

    #[test]
    fn parts_stay_whole_and_below_one_another() {
        let few = Parts::with_commas("head: ", parts(2, 5)).to_string();
        assert_eq!(few, "head: xxxxx, xxxxx");
        let many = Parts::with_commas("head: ", parts(20, 5)).to_string();
        let lines: Vec<_> = many.lines().collect();
        assert_eq!(lines.len(), 2, "{many}");
        assert!(lines[0].ends_with("xxxxx,") && lines[1].starts_with("      xxxxx, "));
        let bars = Parts::with_bars("head: ", parts(20, 5)).to_string();
        assert!(
            bars.lines()
                .next()
                .is_some_and(|it| it.ends_with(" | xxxxx"))
        );
        assert_eq!(Parts::with_bars("head:", []).to_string(), "head:");
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_whatever_the_lengths() {
        for length in 1..WIDTH - 8 {
            for count in 1..30 {
                let commas = Parts::with_commas("head: ", parts(count, length)).to_string();
                let bars = Parts::with_bars("head: ", parts(count, length)).to_string();
                let mut lines = commas.lines().chain(bars.lines());
                assert!(lines.all(|line| line.len() <= WIDTH), "{commas}\n{bars}");
                let told = bars.matches('x').count();
                assert_eq!(told, count * length);
            }
        }
    }

    #[test]
    fn words_stay_whole_and_a_line_that_is_full_to_the_last_column_is_not_broken() {
        let full = format!("{} {}", "a".repeat(40), "b".repeat(39));
        let indent = 4;
        let words = |text| Words { text, indent }.to_string();
        assert_eq!(words(&full), full);
        let more = format!("{full}b c");
        let told = words(&more);
        let expected = format!("{}\n    {} c", "a".repeat(40), "b".repeat(40));
        assert_eq!(told, expected);
        assert_eq!(words("  a   b "), "  a   b");
        let long = "y".repeat(100);
        assert_eq!(words(&long), long);
    }
}
