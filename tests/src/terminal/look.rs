//! What the tables of a boot are to look like where we write to: so many columns, bars and colours for a person at
//! a terminal, none of it for a pipe or a file; bars and colours there too where somebody asks for colours.
//!
//! The kernel is told by keys on its command line, as it cannot ask. What a person says to the kernel wins.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal},
};

use clap::ValueEnum;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width};
use reveille_smp::look::{Bars, Colour, Columns, Look};
use rustix::{stdio::stdout, termios::tcgetwinsize};

/// When there are colours, and bars with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// At a terminal, unless NO_COLOR or TERM=dumb says otherwise; in a pipe with CLICOLOR_FORCE=1
    #[default]
    Auto,
    /// In a pipe too: for a pager, or a picture
    Always,
    /// Nowhere
    Never,
}

/// What the tables of this process are to look like.
pub fn of_this_process(colours: When) -> Look {
    let stdout = match io::stdout().is_terminal() {
        true => Stdout::Terminal(columns()),
        false => Stdout::Other,
    };
    look(stdout, colours, |name| env::var_os(name))
}

/// The columns of the terminal that the standard output is, if it is one that knows.
pub fn columns() -> Option<u16> {
    let size = tcgetwinsize(stdout()).ok()?;
    Some(size.ws_col).filter(|&columns| columns > 0)
}

/// What the standard output is.
#[derive(Clone, Copy, Debug)]
enum Stdout {
    /// A terminal of so many columns, if it knows.
    Terminal(Option<u16>),
    Other,
}

fn look(stdout: Stdout, colours: When, variable: impl Fn(&str) -> Option<OsString>) -> Look {
    let value = |name| variable(name).filter(|value| !value.is_empty());
    // As https://no-color.org and https://bixense.com/clicolors have it.
    let is_forced = value("CLICOLOR_FORCE").is_some_and(|it| it != "0");
    let is_dumb = value("TERM").is_none_or(|it| it == "dumb");
    let is_colourful = match (colours, stdout) {
        (When::Always, _) => true,
        (When::Never, _) => false,
        (When::Auto, _) if value("NO_COLOR").is_some() => false,
        (When::Auto, Stdout::Terminal(_)) => is_forced || !is_dumb,
        (When::Auto, Stdout::Other) => is_forced,
    };
    let columns = match stdout {
        Stdout::Terminal(columns) => columns.map(Columns::nearest),
        // Somebody looks on behind a pipe, at a terminal of which nothing is known.
        Stdout::Other if is_colourful => None,
        Stdout::Other => return Look::default(),
    };
    // The first of them that is there says which characters there are (POSIX, XBD 8.2).
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(value);
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    let bars = match locale.contains("utf-8") || locale.contains("utf8") {
        true => Bars::Blocks,
        false => Bars::Ascii,
    };
    let colour = match is_colourful {
        true => Colour::On,
        false => Colour::Off,
    };
    Look {
        columns,
        bars,
        colour,
    }
}

/// Makes a table as narrow as the terminal is, if there is one, by breaking cells between words. No word is
/// broken: half a figure is a wrong one.
pub fn fit(table: &mut Table, look: Look) {
    if look.columns.is_none() {
        return;
    }
    let longest = |cell: &Cell| {
        let content = cell.content();
        let words = content.split_whitespace().map(|word| word.chars().count());
        words.max().unwrap_or_default()
    };
    let mut widths: Vec<usize> = Vec::new();
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (at, cell) in row.cell_iter().enumerate() {
            widths.resize(widths.len().max(at + 1), 0);
            widths[at] = widths[at].max(longest(cell));
        }
    }
    let columns = |width| u16::try_from(width).unwrap_or(u16::MAX);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(columns(look.width()));
    for (column, width) in table.column_iter_mut().zip(widths) {
        let least = columns(width).saturating_add(column.padding_width());
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
}

/// What the kernel is told of it, where `words` do not.
pub fn keys(look: Look, words: &[String]) -> Vec<String> {
    let columns = look.columns.map(|columns| format!("columns={columns}"));
    let bars = match look.bars {
        Bars::Off => None,
        Bars::Blocks => Some("bars=blocks".to_owned()),
        Bars::Ascii => Some("bars=ascii".to_owned()),
    };
    let colour = (look.colour == Colour::On).then(|| "colour=on".to_owned());
    let is_told = |key: &str| {
        let mut words = words.iter().flat_map(|it| it.split_ascii_whitespace());
        words.any(|word| word.split_once('=').map(|(name, _)| name) == Some(key))
    };
    let keys = [columns, bars, colour].into_iter().flatten();
    keys.filter(|key| !is_told(key.split('=').next().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF_8: (&str, &str) = ("LANG", "en_GB.UTF-8");
    const XTERM: (&str, &str) = ("TERM", "xterm-256color");

    fn told(stdout: Stdout, colours: When, variables: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            let mut variables = variables.iter().filter(|(it, _)| *it == name);
            variables.next().map(|(_, value)| OsString::from(value))
        };
        keys(look(stdout, colours, variable), &[]).join(" ")
    }

    #[test]
    fn a_terminal_has_columns_bars_and_colours_and_a_pipe_has_nothing() {
        let terminal = Stdout::Terminal(Some(132));
        let all = "columns=132 bars=blocks colour=on";
        assert_eq!(told(terminal, When::Auto, &[UTF_8, XTERM]), all);
        assert_eq!(told(Stdout::Other, When::Auto, &[UTF_8, XTERM]), "");
        let unknown = Stdout::Terminal(None);
        assert_eq!(
            told(unknown, When::Auto, &[UTF_8, XTERM]),
            "bars=blocks colour=on"
        );
        let narrow = Stdout::Terminal(Some(7));
        assert!(told(narrow, When::Auto, &[]).starts_with("columns=20 "));
    }

    #[test]
    fn who_wants_no_colours_gets_none_and_the_bars_all_the_same() {
        let terminal = Stdout::Terminal(Some(80));
        let plain = "columns=80 bars=blocks";
        let told = |colours, more| told(terminal, colours, &[UTF_8, XTERM, more]);
        assert_eq!(told(When::Auto, ("NO_COLOR", "1")), plain);
        assert_eq!(told(When::Never, ("NO_COLOR", "")), plain);
        assert!(told(When::Auto, ("NO_COLOR", "")).ends_with("colour=on"));
        assert!(told(When::Always, ("NO_COLOR", "1")).ends_with("colour=on"));
    }

    #[test]
    fn a_dumb_terminal_has_no_colours_and_one_without_utf_8_no_blocks() {
        let terminal = Stdout::Terminal(Some(80));
        let dumb = told(terminal, When::Auto, &[UTF_8, ("TERM", "dumb")]);
        assert_eq!(dumb, "columns=80 bars=blocks");
        let c = [("LC_ALL", "C"), UTF_8, XTERM];
        assert_eq!(
            told(terminal, When::Auto, &c),
            "columns=80 bars=ascii colour=on"
        );
    }

    #[test]
    fn colours_can_be_forced_on_a_pipe_and_have_80_columns() {
        let bars = "bars=blocks colour=on";
        assert_eq!(told(Stdout::Other, When::Always, &[UTF_8]), bars);
        let forced = [UTF_8, ("CLICOLOR_FORCE", "1")];
        assert_eq!(told(Stdout::Other, When::Auto, &forced), bars);
        let not_forced = [UTF_8, ("CLICOLOR_FORCE", "0")];
        assert_eq!(told(Stdout::Other, When::Auto, &not_forced), "");
    }

    #[test]
    fn what_a_person_says_to_the_kernel_wins() {
        let look = Look {
            columns: Some(Columns::nearest(200)),
            bars: Bars::Blocks,
            colour: Colour::On,
        };
        let words = ["cycle=1 columns=60".to_owned(), "colour=off".to_owned()];
        assert_eq!(keys(look, &words), ["bars=blocks"]);
    }
}
