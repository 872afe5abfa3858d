//! What a boot looks like at terminals of several widths, and in a pipe.

use crate::{
    command::{stdout, xtask},
    shell::pty::Terminal,
};

/// Boots four CPUs, of which one does not come up, before somebody who looks at so many columns. In virtual time
/// the bars are the same each time: most of what an AP takes it waits for its turn on QEMU's one thread.
fn looked_at(columns: u16, variables: &[(&str, &str)], words: &[&str]) -> Terminal {
    let mut terminal = Terminal::start((50, columns), "4", |command| {
        command
            .args(["--accel", "icount"])
            .args(["--append", "fault=3:silent require=any"])
            .args(words)
            .envs(variables.iter().copied());
    });
    assert_eq!(terminal.ends().code(), Some(0));
    terminal
}

/// The lines from the table on to the verdict, and where they stand on the screen.
fn told(screen: &vt100::Screen) -> Vec<(u16, String)> {
    let columns = screen.size().1.get();
    let lines = screen.rows(0, columns).enumerate();
    let lines = lines.map(|(row, line)| (u16::try_from(row).expect("a few"), line));
    lines
        .skip_while(|(_, line)| !line.contains("ms from the first INIT to"))
        .collect()
}

/// Those of the table and its headline.
fn table(screen: &vt100::Screen) -> Vec<(u16, String)> {
    let is_of_table = |line: &str| !line.trim_start().starts_with("steps:");
    let told = told(screen).into_iter();
    told.take_while(|(_, line)| is_of_table(line)).collect()
}

#[test]
fn at_a_terminal_the_table_is_as_wide_as_that_with_bars_and_colours() {
    for columns in [40, 80, 200] {
        let terminal = looked_at(columns, &[], &[]);
        let screen = terminal.screen();
        let table = table(screen);
        let line = |start: &str| {
            let mut lines = table.iter();
            let found = lines.find(|(_, line)| line.starts_with(start));
            found.unwrap_or_else(|| panic!("no `{start}` in {table:?}"))
        };
        let told = told(screen);
        let verdict = |(_, line): &(u16, String)| line.starts_with("reveille: ok: 3 of 4 ");
        assert!(told.iter().any(verdict), "{told:?}");
        for (row, text) in &told {
            assert!(!screen.row_wrapped(*row), "{columns}: {text}");
        }
        assert!(line("   1 ").1.ends_with('░'), "{table:?}");
        let (row, failed) = line("   3 ");
        assert!(failed.contains("never-started") && failed.ends_with('×'));
        let end = failed.chars().count() - 1;
        let end = screen.cell(*row, u16::try_from(end).expect("a few"));
        let end = end.expect("it is on the screen");
        assert_eq!(end.fgcolor(), vt100::Color::Idx(1));
        assert!(end.bold(), "what failed stands out");
        assert!(table.iter().any(|(_, line)| line.contains("░ to real")));
        assert!(table.iter().any(|(_, line)| line.contains("× not online")));
        let has_all = table
            .iter()
            .any(|(_, line)| line.contains(" sipi  real  long "));
        assert_eq!(has_all, columns == 200, "{table:?}");
        // What comes next is in nobody's colour.
        assert_eq!(
            screen.attributes_formatted(),
            vt100::Parser::default().screen().attributes_formatted()
        );
    }
}

#[test]
fn no_color_and_never_take_the_colours_away_and_leave_the_bars() {
    let never: &[&str] = &["--color", "never"];
    for (variables, words) in [(&[("NO_COLOR", "1")][..], &[][..]), (&[][..], never)] {
        let terminal = looked_at(80, variables, words);
        assert!(
            !terminal.shown().contains(&b'\x1b'),
            "{}",
            terminal.contents()
        );
        assert!(terminal.contents().contains('░'));
    }
    let ascii = looked_at(80, &[("LC_ALL", "C")], &["--color", "never"]);
    let shown = ascii.shown();
    assert!(shown.is_ascii() && !shown.contains(&b'\x1b'));
    assert!(ascii.contents().contains("- to real"));
}

#[test]
fn what_a_person_says_to_the_kernel_is_what_it_is_told() {
    let terminal = looked_at(80, &[], &["--append", "bars=off colour=off columns=60"]);
    assert!(!terminal.shown().contains(&b'\x1b'));
    for (_, line) in table(terminal.screen()) {
        assert!(line.is_ascii() && line.len() <= 60, "{line}");
    }
}

#[test]
fn in_a_pipe_there_is_nothing_but_text_unless_colours_are_forced() {
    let plain = stdout(&xtask(&["run"]));
    assert!(plain.is_ascii() && !plain.contains('\x1b'), "{plain}");
    assert!(plain.contains(" sipi  real  long alive online sipis polls outcome\n"));
    assert!(plain.ends_with("reveille: ok\n"));
    let forced = stdout(&xtask(&["run", "--color", "always"]));
    assert!(forced.contains("reveille: \x1b[32mok\x1b[m\n"), "{forced}");
}
