//! How what is told is to look: for a file, or for a person at a terminal of so many columns.
//!
//! The default is what a file gets, a pipe or a log: lists for 80 columns, in one piece what scripts look for, such as
//! the headline, what befell CPUs and the verdict, no bars and no escape sequence. It does not change with who reads it.

use core::{fmt, ops::RangeInclusive, str::FromStr};

use strum::{EnumString, VariantNames};

use crate::{lines::WIDTH, stage::Stage};

/// How what is told is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The columns of the terminal; `None` where there is none.
    pub columns: Option<Columns>,
    /// What the bars of a table are drawn with.
    pub bars: Bars,
    /// Whether there are colours.
    pub colour: Colour,
}

impl Look {
    /// The columns that lists and tables have.
    pub fn width(self) -> usize {
        self.columns
            .map_or(WIDTH, |Columns(columns)| columns.into())
    }

    /// `text` in a hue, if there are colours.
    pub fn paint<T>(self, hue: Hue, text: T) -> Painted<T> {
        let hue = (self.colour == Colour::On).then_some(hue);
        Painted { hue, text }
    }
}

/// The columns of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns(u16);

impl Columns {
    /// As many as there may be. In fewer than 40 some lines are too long.
    pub const RANGE: RangeInclusive<u16> = 20..=500;

    /// So many, or the nearest that there may be.
    pub fn nearest(columns: u16) -> Self {
        Self(columns.clamp(*Self::RANGE.start(), *Self::RANGE.end()))
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// It is no number of columns that there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoColumns;

impl FromStr for Columns {
    type Err = NoColumns;

    /// Digits only: `u16`'s own parser takes a plus sign too.
    fn from_str(text: &str) -> Result<Self, NoColumns> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let columns = is_number.then(|| text.parse().ok()).flatten();
        let columns = columns.filter(|it| Self::RANGE.contains(it));
        columns.map(Self).ok_or(NoColumns)
    }
}

/// What the bars of a table are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Bars {
    /// There are none.
    #[default]
    Off,
    /// Blocks of one shade a stage.
    Blocks,
    /// ASCII, for a terminal that shows nothing else.
    Ascii,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Colour {
    /// No.
    #[default]
    Off,
    /// Those that every terminal has, on a background that nobody knows.
    On,
}

/// What a colour says. Black, white and their bright ones are none of them: each is somebody's background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hue {
    /// All is well.
    Good,
    /// Something is not as it should be.
    Bad,
    /// The one thing to read where one reads nothing else.
    Strong,
    /// What only helps to read the rest.
    Faint,
    /// A stage of a CPU's way up. None is red, which is for what went wrong.
    Stage(Stage),
}

impl Hue {
    /// The parameters of the sequence that switches it on ("select graphic rendition", ECMA-48).
    const fn parameters(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Strong => "1",
            Self::Faint | Self::Stage(Stage::Init) => "2",
            Self::Stage(Stage::Start) => "33",
            Self::Stage(Stage::RealMode) => "35",
            Self::Stage(Stage::LongMode) => "36",
            Self::Stage(Stage::Alive) => "34",
        }
    }
}

/// The sequence that switches any hue off.
pub(crate) const COLOUR_OFF: &str = "\x1b[m";

/// A text in a hue. No width is given to it: colours take no columns.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    hue: Option<Hue>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hue {
            Some(hue) => write!(f, "\x1b[{}m{}{COLOUR_OFF}", hue.parameters(), self.text),
            None => write!(f, "{}", self.text),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_number_of_columns_is_taken_whole_and_within_its_bounds() {
        let columns = |text: &str| text.parse::<Columns>().map(|it| it.0);
        assert_eq!(columns("20"), Ok(20));
        assert_eq!(columns("500"), Ok(500));
        for wrong in ["", "19", "501", "+80", "80x", "65616"] {
            assert_eq!(columns(wrong), Err(NoColumns), "{wrong}");
        }
        assert_eq!(
            (Columns::nearest(0).0, Columns::nearest(9_999).0),
            (20, 500)
        );
        assert_eq!(Columns::nearest(132).to_string(), "132");
    }

    #[test]
    fn a_painted_text_ends_its_colour_and_without_colours_there_is_no_escape_sequence() {
        let mut look = Look::default();
        assert_eq!(look.paint(Hue::Bad, 7).to_string(), "7");
        look.colour = Colour::On;
        assert_eq!(look.paint(Hue::Bad, 7).to_string(), "\x1b[1;31m7\x1b[m");
    }

    #[test]
    fn a_hue_is_bold_or_faint_or_a_colour_that_is_nobodys_background() {
        let stages = Stage::ALL.map(Hue::Stage);
        let hues = [Hue::Good, Hue::Bad, Hue::Strong, Hue::Faint];
        for hue in hues.into_iter().chain(stages) {
            for parameter in hue.parameters().split(';') {
                let parameter: u8 = parameter.parse().unwrap();
                assert!(matches!(parameter, 1 | 2 | 31..=36), "{hue:?}");
            }
        }
    }
}
