//! How many cells of a row text takes, as terminals count: character by character.

use unicode_width::UnicodeWidthChar;

/// The cells of a character: 2 where it is wide, 0 where it goes into the cell before it.
pub(super) fn of_char(char: char) -> usize {
    char.width().unwrap_or(0)
}

/// The cells of a text.
pub(super) fn of_str(text: &str) -> usize {
    text.chars().map(of_char).sum()
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
