//! Lines that fit: words that go beyond the last column go on below the first of them.

use alloc::{string::String, vec::Vec};

/// The words of a text in lines of at most so many columns. A word that is longer stands alone.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > columns {
            lines.push(core::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_in_order() {
        assert_eq!(wrap("to be or not", 5), ["to be", "or", "not"]);
        assert_eq!(wrap("unbelievable it is", 5), ["unbelievable", "it is"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
