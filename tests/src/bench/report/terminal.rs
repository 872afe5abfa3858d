//! The tables on the terminal, no wider than it is; 80 columns where there is none.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use reveille_smp::{
    lines::Words,
    look::{Hue, Look},
};

use super::figures::{MILLIS, about_intervals, boots, digits, with_interval};
use crate::{
    bench::{
        cell::REVEILLE,
        stats::{
            median::Median,
            summary::{Group, Summary},
        },
    },
    terminal::look::fit,
};

/// A table for each machine.
pub struct Tables<'a>(pub &'a Summary, pub Look);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(summary, look) = self;
        let width = look.width();
        let mut is_short = false;
        for group in &summary.groups {
            painted(f, &title(group), *look, Hue::Strong)?;
            if !group.rows.is_empty() {
                let mut shown = table(group, with_interval);
                let widest = shown.lines().map(|line| line.chars().count()).max();
                if look.columns.is_some() && widest > Some(width) {
                    shown = table(group, |median, scale| digits(median.median * scale));
                    fit(&mut shown, *look);
                    is_short = true;
                }
                writeln!(f, "{}", shown.trim_fmt())?;
            }
            for (run, reason) in &group.failed {
                let reason = reason.lines().next().unwrap_or_default();
                painted(f, &format!("run {run} failed: {reason}"), *look, Hue::Bad)?;
            }
            writeln!(f)?;
        }
        if let Some(mut about) = about_intervals(summary) {
            if is_short {
                about += "; these are left out where the terminal is too narrow for them";
            }
            let (text, indent) = (about.as_str(), 0);
            writeln!(f, "{}", Words { text, indent }.within(*look))?;
        }
        Ok(())
    }
}

/// Writes a line in a hue, as so many as it needs. Each ends its colour.
fn painted(f: &mut fmt::Formatter<'_>, text: &str, look: Look, hue: Hue) -> fmt::Result {
    let told = Words { text, indent: 2 }.within(look).to_string();
    told.lines()
        .try_for_each(|line| writeln!(f, "{}", look.paint(hue, line)))
}

/// The machine and its boots, such as `q35 tcg 64: 5 boots of 9 rounds`.
pub(super) fn title(group: &Group) -> String {
    let system = match group.system.as_str() {
        REVEILLE => String::new(),
        other => format!("{other}, "),
    };
    format!("{system}{}: {}", group.machine, boots(group))
}

fn table(group: &Group, figure: impl Fn(&Median, f64) -> String) -> Table {
    // A column that nobody has a figure for, as there were no yardsticks, is none.
    let has_bare = group.rows.iter().any(|row| row.of_bare.is_some());
    let has_parallel = group.rows.iter().any(|row| row.of_parallel.is_some());
    let cells = |cells: [String; 4]| {
        let is_there = [true, true, has_bare, has_parallel];
        let cells = cells.into_iter().zip(is_there);
        cells.filter_map(|(cell, is_there)| is_there.then_some(cell))
    };
    let mut table = Table::new();
    let heads = ["", "online, ms", "x bare", "x parallel"].map(str::to_owned);
    table
        .load_style(presets::NOTHING)
        .set_header(cells(heads).collect::<Vec<_>>());
    for row in &group.rows {
        let ratio = |median: &Option<_>| median.as_ref().map(|it| figure(it, 1.0));
        table.add_row(cells([
            row.contender.clone(),
            figure(&row.online_ns, MILLIS),
            ratio(&row.of_bare).unwrap_or_default(),
            ratio(&row.of_parallel).unwrap_or_default(),
        ]));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Writes a line as so many as it needs, those behind the first one indented by so many columns.
pub(super) fn wrapped(f: &mut fmt::Formatter<'_>, text: &str, indent: usize) -> fmt::Result {
    writeln!(f, "{}", Words { text, indent })
}

#[cfg(test)]
mod tests {
    use reveille_smp::look::{Colour, Columns};

    use super::{super::by_hand, *};

    #[test]
    fn a_table_has_medians_with_intervals_and_ratios_and_says_what_failed() {
        let text = Tables(&by_hand::summary(), Look::default()).to_string();
        let line = |word: &str| {
            text.lines()
                .find(|line| line.trim_start().starts_with(word))
        };
        let head = line("q35 tcg 8").expect("the machine is named");
        assert_eq!(
            head,
            "q35 tcg 8: 5 boots of 3 rounds, 1 failed, host busy in 2"
        );
        let parallel = line("parallel").expect("it was measured");
        assert!(parallel.contains("1.50 (1.44-1.56)"), "{text}");
        assert!(parallel.contains("3.00 (3.00-3.00)"), "{text}");
        let serial = line("serial").expect("it was measured");
        assert!(serial.contains("2.00 (2.00-2.00)"), "{text}");
        assert!(line("run 6 failed: the guest hung").is_some(), "{text}");
        assert!(
            line("medians of boots").is_some_and(|it| it.contains("93 %")),
            "{text}"
        );
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for columns in [None, Some(40), Some(80), Some(200)] {
            let look = Look {
                columns: columns.map(Columns::nearest),
                ..Look::default()
            };
            let text = Tables(&by_hand::wide(), look).to_string();
            assert!(text.contains("112,sockets=2,cores=28,threads=2"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= look.width(), "{line}");
            }
            // No figure is broken, whatever stands around it.
            let mut figures = vec!["88889", "88.9", "100000", "1000"];
            if columns != Some(40) {
                figures.push("(88889-88889)");
            }
            for figure in figures {
                let mut words = text.split_ascii_whitespace();
                assert!(words.any(|word| word == figure), "{figure} in\n{text}");
            }
        }
    }

    #[test]
    fn where_there_were_no_yardsticks_there_is_no_column_for_them() {
        let mut summary = by_hand::summary();
        for row in &mut summary.groups[0].rows {
            row.of_bare = None;
        }
        let text = Tables(&summary, Look::default()).to_string();
        assert!(!text.contains("x bare"), "{text}");
        assert!(text.contains("x parallel"), "{text}");
        assert!(text.contains("2.00 (2.00-2.00)"), "{text}");
    }

    #[test]
    fn at_a_terminal_a_machine_stands_out_and_what_failed_does_too() {
        let look = Look {
            colour: Colour::On,
            ..Look::default()
        };
        let text = Tables(&by_hand::summary(), look).to_string();
        assert!(text.starts_with("\x1b[1mq35 tcg 8: 5 boots"), "{text}");
        assert!(text.contains("\x1b[1;31mrun 6 failed: the guest hung\x1b[m\n"));
    }
}
