//! The tables on the terminal, no wider than 80 columns.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::figures::{MILLIS, about_intervals, boots, with_interval};
use crate::bench::{
    cell::REVEILLE,
    stats::summary::{Group, Summary},
};

/// A row of a terminal.
const COLUMNS: usize = 80;

/// A table for each machine.
pub struct Tables<'a>(pub &'a Summary);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.0.groups {
            wrapped(f, &title(group), "  ")?;
            if !group.rows.is_empty() {
                writeln!(f, "{}", table(group).trim_fmt())?;
            }
            for (run, reason) in &group.failed {
                let reason = reason.lines().next().unwrap_or_default();
                wrapped(f, &format!("run {run} failed: {reason}"), "  ")?;
            }
            writeln!(f)?;
        }
        if let Some(about) = about_intervals(self.0) {
            wrapped(f, &about, "")?;
        }
        Ok(())
    }
}

/// The machine and its boots, such as `q35 tcg 64: 5 boots of 9 rounds`.
pub(super) fn title(group: &Group) -> String {
    let system = match group.system.as_str() {
        REVEILLE => String::new(),
        other => format!("{other}, "),
    };
    format!("{system}{}: {}", group.machine, boots(group))
}

fn table(group: &Group) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["", "online, ms", "x bare", "x parallel"]);
    for row in &group.rows {
        let ratio = |median: &Option<_>| median.as_ref().map(|it| with_interval(it, 1.0));
        table.add_row([
            row.contender.clone(),
            with_interval(&row.online_ns, MILLIS),
            ratio(&row.of_bare).unwrap_or_default(),
            ratio(&row.of_parallel).unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Writes a line as so many as it needs, those behind the first one indented; a word that is too long for a
/// row by itself is left whole.
pub(super) fn wrapped(f: &mut fmt::Formatter<'_>, text: &str, indent: &str) -> fmt::Result {
    let mut column = 0;
    for word in text.split_ascii_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            write!(f, "\n{indent}{word}")?;
            column = indent.len() + width;
        } else if column > 0 {
            write!(f, " {word}")?;
            column += 1 + width;
        } else {
            write!(f, "{word}")?;
            column = width;
        }
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand, *};

    #[test]
    fn a_table_has_medians_with_intervals_and_ratios_and_says_what_failed() {
        let text = Tables(&by_hand::summary()).to_string();
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
        let text = Tables(&by_hand::wide()).to_string();
        assert!(text.contains("112,sockets=2,cores=28,threads=2"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }
}
