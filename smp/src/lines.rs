//! Lines that fit a terminal: what goes beyond the last column goes on in the next line, below where the
//! first one began to tell.

use core::fmt;

use alloc::{format, string::String, vec::Vec};

use crate::look::{COLOUR_OFF, Look};

/// The columns of a terminal that nobody asked.
pub const WIDTH: usize = 80;

/// How far the second line of what is told of CPUs below their table is moved to the right: the first begins with
/// whose it is, as in `CPU 12 (APIC 24):`.
pub(crate) const BELOW_TABLE: usize = 7;

/// A heading and what is told behind it, part by part, with the end of the last line left out. A part stays
/// whole, unless it alone is too long.
pub struct Parts<'a> {
    head: &'a str,
    separator: &'a str,
    /// What of the separator stands at the end of a line that goes on.
    at_end: &'a str,
    parts: Vec<String>,
    look: Look,
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

    /// With nothing but a gap between them.
    pub fn with_gaps(head: &'a str, parts: impl IntoIterator<Item = String>) -> Self {
        Self::new(head, "  ", "", parts)
    }

    /// The same for a terminal. There a part that alone is too long is broken too.
    pub fn within(self, look: Look) -> Self {
        Self { look, ..self }
    }

    /// A line of it.
    fn told<'t>(&self, text: &'t str) -> Sentence<'t> {
        let (indent, look) = (columns(self.head), self.look);
        Sentence { text, indent, look }
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
            look: Look::default(),
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
            look,
        } = self;
        let indent = columns(head);
        let mut line = String::from(*head);
        for (at, part) in parts.iter().enumerate() {
            // Behind it there must be room for what ends a line, if it is not the last.
            let end = if at + 1 == parts.len() { "" } else { at_end };
            let between = if at == 0 { "" } else { separator };
            if at > 0
                && columns(&line) + columns(between) + columns(part) + end.len() > look.width()
            {
                line += at_end;
                writeln!(f, "{}", self.told(&line))?;
                line = format!("{:indent$}{part}", "");
            } else {
                line = line + between + part;
            }
        }
        self.told(&line).fmt(f)
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

impl<'a> Words<'a> {
    /// The same for a terminal, where there is one. There a word that is too long for any line is broken too, behind a
    /// comma if it has one.
    pub fn within(self, look: Look) -> impl fmt::Display + 'a {
        let width = look.width();
        Wrapped {
            text: self.text,
            indent: self.indent.min(width / 2),
            width,
            breaks_words: look.columns.is_some(),
        }
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, indent } = *self;
        Wrapped {
            text,
            indent,
            width: WIDTH,
            breaks_words: false,
        }
        .fmt(f)
    }
}

/// A line that scripts look for, with its end left out: in one piece for a file, however long, and for a terminal broken
/// as [`Words`] are.
pub struct Sentence<'a> {
    /// The text.
    pub text: &'a str,
    /// How far the lines behind the first are moved to the right, where they are so long.
    pub indent: usize,
    /// What it is for.
    pub look: Look,
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, indent, look } = *self;
        if look.columns.is_none() || columns(text) <= look.width() {
            return f.write_str(text);
        }
        Words { text, indent }.within(look).fmt(f)
    }
}

/// A text in lines of so many columns. A colour that is on where a line ends goes on in the next one, and not in the room
/// in front of that.
struct Wrapped<'a> {
    text: &'a str,
    indent: usize,
    width: usize,
    breaks_words: bool,
}

impl fmt::Display for Wrapped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { indent, width, .. } = *self;
        // Up to the end of the last word, and the spaces behind it.
        let (mut used, mut gap) = (0, 0);
        let mut colour = "";
        for piece in self.text.split_inclusive(' ') {
            let mut word = piece.trim_end_matches(' ');
            let gap_behind = piece.len() - word.len();
            if !word.is_empty() {
                if used > indent && used + gap + columns(word) > width {
                    next_line(f, indent, colour)?;
                    (used, gap) = (indent, 0);
                }
                while self.breaks_words && used + gap + columns(word) > width {
                    let (first, rest) = broken(word, width.saturating_sub(used + gap).max(1));
                    write!(f, "{:gap$}{first}", "")?;
                    colour = colour_behind(first).unwrap_or(colour);
                    next_line(f, indent, colour)?;
                    (word, used, gap) = (rest, indent, 0);
                }
                write!(f, "{:gap$}{word}", "")?;
                colour = colour_behind(word).unwrap_or(colour);
                used += gap + columns(word);
                gap = 0;
            }
            gap += gap_behind;
        }
        Ok(())
    }
}

/// Goes to the next line, with the colour that is on.
fn next_line(f: &mut fmt::Formatter<'_>, indent: usize, colour: &str) -> fmt::Result {
    let off = if colour.is_empty() { "" } else { COLOUR_OFF };
    write!(f, "{off}\n{:indent$}{colour}", "")
}

/// The sequence that switches the last colour of a text on, or nothing where it is off again; `None` where the text has
/// none.
fn colour_behind(text: &str) -> Option<&str> {
    let sequence = &text[text.rfind('\x1b')?..];
    let end = sequence.find('m').map_or(sequence.len(), |at| at + 1);
    let sequence = &sequence[..end];
    Some(if sequence == COLOUR_OFF { "" } else { sequence })
}

/// A word that has more columns than there is room for, in two.
fn broken(word: &str, room: usize) -> (&str, &str) {
    let end = seen(word).nth(room).unwrap_or(word.len());
    let comma = word[..end].rfind(',').map(|at| at + 1);
    word.split_at(comma.unwrap_or(end))
}

/// What is told here takes a column a character, and none for a colour.
pub(crate) fn columns(text: &str) -> usize {
    seen(text).count()
}

/// Where the characters are that take a column.
fn seen(text: &str) -> impl Iterator<Item = usize> {
    let mut is_colour = false;
    text.char_indices().filter_map(move |(at, character)| {
        let is_part = is_colour || character == '\x1b';
        is_colour = is_part && character != 'm';
        (!is_part).then_some(at)
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::look::Columns;

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

    fn at_terminal(columns: u16) -> Look {
        Look {
            columns: Some(Columns::nearest(columns)),
            ..Look::default()
        }
    }

    #[test]
    fn at_a_terminal_no_line_is_longer_than_it_is_wide_whatever_the_lengths() {
        for width in [20, 40, 120] {
            for (length, count) in [(1, 300), (7, 60), (19, 9), (90, 4), (700, 2)] {
                let look = at_terminal(width);
                let text = parts(count, length).collect::<Vec<_>>().join(" ");
                let (text, indent) = (text.as_str(), 9);
                let sentence = Sentence { text, indent, look };
                let commas = Parts::with_commas("head: ", parts(count, length)).within(look);
                for told in [sentence.to_string(), commas.to_string()] {
                    let fits = |line: &str| line.len() <= width.into();
                    assert!(told.lines().all(fits), "{width}:\n{told}");
                    assert_eq!(told.matches('x').count(), count * length);
                }
            }
        }
    }

    #[test]
    fn a_long_word_is_broken_behind_a_comma_and_a_colour_takes_no_columns() {
        let told = |text| {
            let (indent, look) = (2, at_terminal(20));
            Sentence { text, indent, look }.to_string()
        };
        assert_eq!(
            told("CPUs 1,3,5,7,9,11,13,15,17: failed"),
            "CPUs\n  1,3,5,7,9,11,13,\n  15,17: failed"
        );
        let painted = "\x1b[1;31mfailed\x1b[m and so it ends";
        assert_eq!(columns(painted), 21);
        assert_eq!(told(painted), "\x1b[1;31mfailed\x1b[m and so it\n  ends");
        let file = Look::default();
        let text = &"a long sentence ".repeat(20);
        let (indent, look) = (2, file);
        assert_eq!(&Sentence { text, indent, look }.to_string(), text);
    }

    #[test]
    fn a_colour_that_is_broken_ends_in_its_line_and_goes_on_in_the_next() {
        let (indent, look) = (2, at_terminal(20));
        let x = |count| "x".repeat(count);
        let text = &format!("\x1b[1;31m{}\x1b[m", x(30));
        assert_eq!(
            Sentence { text, indent, look }.to_string(),
            format!("\x1b[1;31m{}\x1b[m\n  \x1b[1;31m{}\x1b[m", x(20), x(10))
        );
        let text = &format!("a \x1b[32m{} {}\x1b[m {}", x(15), x(15), x(9));
        assert_eq!(
            Sentence { text, indent, look }.to_string(),
            format!(
                "a \x1b[32m{}\x1b[m\n  \x1b[32m{}\x1b[m\n  {}",
                x(15),
                x(15),
                x(9)
            )
        );
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
