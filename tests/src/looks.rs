//! How contenders look wherever they are drawn: always the same, and told apart without colours too.
//!
//! The colours are Okabe and Ito's, which people tell apart however they see colours. Each has a shape of its own
//! beside it; yardsticks are grey and dashed. **No two of what is drawn together look alike.**

use std::fmt;

use reveille_smp::contender::Contender;
use serde::{Serialize, Serializer};

/// A colour, a shape and a stroke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// The colour; that of muted text where there is none.
    pub colour: Option<Colour>,
    /// The shape, as ECharts calls it.
    pub symbol: &'static str,
    /// Whether its line is dashed.
    pub is_dashed: bool,
}

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// Muted text on paper, as the style sheet of a report has it.
    pub const MUTED: Self = Self(77, 84, 92);
}

/// As style sheets write it.
impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(red, green, blue) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// In the order of [`Contender::ALL`].
const LOOKS: [Look; Contender::ALL.len()] = [
    solid(Colour(0, 114, 178), "circle"),
    solid(Colour(86, 180, 233), "path://M0,0H10L5,9Z"),
    solid(Colour(0, 158, 115), "triangle"),
    solid(Colour(213, 94, 0), "rect"),
    solid(Colour(204, 121, 167), "diamond"),
    Look {
        colour: None,
        symbol: "path://M3,0h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
        is_dashed: true,
    },
    Look {
        colour: Some(Colour(127, 127, 127)),
        symbol: "path://M0,0H10L0,10H10Z",
        is_dashed: true,
    },
];

const fn solid(colour: Colour, symbol: &'static str) -> Look {
    Look {
        colour: Some(colour),
        symbol,
        is_dashed: false,
    }
}

impl Look {
    /// That of a contender.
    pub fn of(contender: Contender) -> Self {
        let place = Contender::ALL.iter().position(|it| *it == contender);
        LOOKS[place.expect("all of them are there")]
    }

    /// That of the one at this place among others that are no contenders. There are 98: a colour comes back with
    /// another shape, and behind them all with another stroke.
    pub fn nth(place: usize) -> Self {
        const ALL: usize = LOOKS.len();
        let (colour, round) = (LOOKS[place % ALL], place / ALL);
        Self {
            colour: colour.colour,
            symbol: LOOKS[(place + round) % ALL].symbol,
            is_dashed: colour.is_dashed ^ ((round / ALL) % 2 == 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_contenders_share_a_colour_or_a_shape_and_yardsticks_are_dashed() {
        let looks = Contender::ALL.map(Look::of);
        let colours: HashSet<_> = looks.iter().map(|it| it.colour).collect();
        let symbols: HashSet<_> = looks.iter().map(|it| it.symbol).collect();
        assert_eq!((colours.len(), symbols.len()), (looks.len(), looks.len()));
        for (contender, look) in Contender::ALL.iter().zip(looks) {
            let is_yardstick = !matches!(contender, Contender::Strategy(_));
            assert_eq!(look.is_dashed, is_yardstick, "{contender}");
        }
    }

    #[test]
    fn no_two_others_look_alike() {
        let looks: Vec<_> = (0..98).map(Look::nth).collect();
        for (place, look) in looks.iter().enumerate() {
            assert!(!looks[..place].contains(look), "{place}: {look:?}");
        }
    }

    #[test]
    fn colours_are_written_as_the_style_sheet_has_them() {
        assert_eq!(Colour(0, 114, 178).to_string(), "#0072b2");
        let sheet = include_str!("report/page/page.css");
        let muted = format!("--muted: {};", Colour::MUTED);
        assert!(sheet.contains(&muted), "{muted}");
    }
}
