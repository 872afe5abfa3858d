//! How many cells of a row text takes, as terminals count: character by character.

use unicode_width::UnicodeWidthChar;

/// The cells of a character: 2 where it is wide, 0 where it goes into the cell before it.
pub(super) fn of_char(char: char) -> usize {
    char.width().unwrap_or(0)
}

/// The cells of a text without control characters.
pub(super) fn of_str(text: &str) -> usize {
    // Nearly all text; a row is looked at behind every key.
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(of_char).sum(),
    }
}

/// A text in pieces that are cells of their own: a character and what goes into its cells.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (cluster, behind) = rest.split_at(next_boundary(rest, 0));
        rest = behind;
        (!cluster.is_empty()).then_some(cluster)
    })
}

/// Where the piece ends that begins at `from`; the end of the text where there is none.
pub(super) fn next_boundary(text: &str, from: usize) -> usize {
    let mut chars = text[from..].char_indices();
    chars.next();
    let mut behind = chars.filter(|&(_, char)| of_char(char) > 0);
    behind.next().map_or(text.len(), |(at, _)| from + at)
}

/// Where the piece begins that ends at `until`; 0 where there is none.
pub(super) fn previous_boundary(text: &str, until: usize) -> usize {
    let mut before = text[..until].char_indices().rev();
    before
        .find(|&(_, char)| of_char(char) > 0)
        .map_or(0, |(at, _)| at)
}

/// Whether a piece begins or ends here.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    at == 0
        || text.is_char_boundary(at)
            && text[at..]
                .chars()
                .next()
                .is_none_or(|char| of_char(char) > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_takes_the_cells_that_a_terminal_gives_it() {
        for (char, cells) in [
            ('a', 1),
            ('é', 1),
            ('中', 2),
            ('🦀', 2),
            ('\u{301}', 0),
            ('\u{fffd}', 1),
        ] {
            assert_eq!(of_char(char), cells, "{char:?}");
        }
        let pieces = |text| clusters(text).collect::<Vec<_>>();
        assert_eq!(pieces("e\u{301}中x"), ["e\u{301}", "中", "x"]);
        assert_eq!(pieces("\u{301}\u{301}x"), ["\u{301}\u{301}", "x"]);
        assert_eq!(pieces(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn pieces_are_all_of_the_text_and_end_where_the_next_begins(text in "[ae中🦀\u{301}\u{200d}]{0,12}") {
            prop_assert_eq!(clusters(&text).collect::<String>(), text.clone());
            let mut at = 0;
            for cluster in clusters(&text) {
                prop_assert!(is_boundary(&text, at));
                prop_assert_eq!(next_boundary(&text, at), at + cluster.len());
                prop_assert_eq!(previous_boundary(&text, at + cluster.len()), at);
                at += cluster.len();
            }
        }
    }
}
