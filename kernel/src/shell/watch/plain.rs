//! The view on a terminal that knows no escape sequences: a table a second, one below the other.

use core::fmt;

use super::{
    screen::Size,
    view::{OTHER_ROWS, View},
};

/// All CPUs that are there, with what they did since the moment before; the end of the last line left out.
pub struct PlainView<'a>(pub View<'a>);

/// Columns, with the one that stays free.
const COLUMNS: usize = 81;

impl fmt::Display for PlainView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpus = self.0.now.present().count();
        let screen = self.0.screen(Size {
            // Enough that nothing is left out, whatever a small terminal would do without.
            rows: (cpus + OTHER_ROWS).max(2 * OTHER_ROWS),
            columns: COLUMNS,
        });
        let lines = screen.lines().take(cpus + OTHER_ROWS - 1);
        for (number, line) in lines.enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::figures::for_tests::*;

    #[test]
    fn a_table_has_every_cpu_and_no_escape_sequence() {
        for cpus in [1, 3, 512] {
            let now = moment(0..cpus);
            let table = PlainView(View {
                before: None,
                now: &now,
                jobs: &[],
                first: 0,
            })
            .to_string();
            assert_eq!(table.lines().count(), cpus as usize + 4, "{table}");
            assert!(
                !table.contains('\x1b') && !table.contains("quits"),
                "{table}"
            );
            assert!(table.lines().all(|line| line.len() <= 80), "{table}");
        }
    }
}
