//! How contenders look in charts: always the same, and told apart without colours too.
//!
//! The colours are Okabe and Ito's. Each has a shape of its own beside it.

use serde::Serialize;

/// A colour and a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Look {
    /// The colour; that of the page's muted text where there is none.
    colour: Option<&'static str>,
    /// The shape, as ECharts calls it.
    symbol: &'static str,
    /// Whether its line is dashed, as a yardstick's is.
    is_dashed: bool,
}

/// Those whom everybody knows.
const KNOWN: [(&str, Option<&str>, &str); 7] = [
    ("parallel", Some("#0072b2"), "circle"),
    ("broadcast", Some("#56b4e9"), "path://M0,0H10L5,9Z"),
    ("two-pass", Some("#009e73"), "triangle"),
    ("serial", Some("#d55e00"), "rect"),
    ("legacy", Some("#cc79a7"), "diamond"),
    ("bare", None, "path://M3,0h4v3h3v4h-3v3h-4v-3h-3v-4h3z"),
    ("floor", Some("#e69f00"), "path://M0,0H10L0,10H10Z"),
];

impl Look {
    /// That of a contender; of one whom nobody knows, that of its place.
    pub(super) fn of(name: &str, is_yardstick: bool, place: usize) -> Self {
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let (_, colour, symbol) = known.unwrap_or(&KNOWN[place % KNOWN.len()]);
        Self {
            colour: *colour,
            symbol,
            is_dashed: is_yardstick,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_contenders_share_a_colour_or_a_shape() {
        let colours: HashSet<_> = KNOWN.iter().map(|(_, colour, _)| colour).collect();
        let symbols: HashSet<_> = KNOWN.iter().map(|(.., symbol)| symbol).collect();
        assert_eq!((colours.len(), symbols.len()), (KNOWN.len(), KNOWN.len()));
    }
}
