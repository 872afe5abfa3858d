//! Text of many lines, printed line by line: whoever waits for the console, and what is typed, waits for one of
//! them and not for a table.

#![forbid(unsafe_code)]

use alloc::string::String;
use core::fmt::{self, Write};

/// Prints a text and ends its last line. Others may print between two of its lines. To be called where memory
/// can be allocated: there is room for a line at a time.
pub fn print_lines(text: impl fmt::Display) {
    each(text, |line| crate::println!("{line}"));
}

/// Gives each line, without its end.
fn each(text: impl fmt::Display, print: impl FnMut(&str)) {
    let mut lines = Lines {
        line: String::new(),
        print,
    };
    // It gathers, and that never fails; nor does a table.
    let _ = write!(lines, "{text}");
    (lines.print)(&lines.line);
}

struct Lines<F> {
    /// As far as it has come.
    line: String,
    print: F,
}

impl<F: FnMut(&str)> Write for Lines<F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut lines = text.split('\n');
        self.line.push_str(lines.next().unwrap_or_default());
        for next in lines {
            (self.print)(&self.line);
            self.line.clear();
            self.line.push_str(next);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn lines(text: impl fmt::Display) -> Vec<String> {
        let mut lines = vec![];
        each(text, |line| lines.push(line.into()));
        lines
    }

    #[test]
    fn each_line_comes_whole_and_all_together_are_the_text() {
        let table = fmt::from_fn(|f| {
            write!(f, "a {}", 1)?;
            f.write_str("2\n\nb")?;
            f.write_str("")?;
            f.write_str("\nc")
        });
        assert_eq!(lines(table), ["a 12", "", "b", "c"]);
        // As `println!` does.
        assert_eq!(lines(""), [""]);
        assert_eq!(lines("a\n"), ["a", ""]);
    }
}
