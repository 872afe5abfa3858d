//! The live view on a terminal that tells its size, as that shows it.

use std::num::NonZeroU16;

use reveille_tests::{
    guest::Guest,
    outcome::Outcome,
    qemu::{machine::Machine, slots::Slot},
};

use super::session::PROMPT;
use crate::boot::{LIMIT, kernel, patient, slot};

/// How a terminal is asked where its cursor is.
const ASKED: &str = "\x1b[6n";

/// Somebody who looks at the view.
struct Viewer {
    guest: Guest<'static>,
    screen: vt100::Parser,
    size: (u16, u16),
    _slot: Slot,
}

impl Viewer {
    /// Boots so many CPUs and runs `watch`. The terminal has so many
    /// rows and columns.
    fn start(cpus: u32, size: (u16, u16)) -> Self {
        let machine = patient(Machine::new(cpus).append("after=shell"));
        let slot = slot(&machine);
        let guest = Guest::start(kernel(), &machine).expect("QEMU starts");
        let screen = vt100::Parser::new(length(size.0), length(size.1), 0);
        let mut viewer = Self {
            guest,
            screen,
            size,
            _slot: slot,
        };
        viewer.sees(PROMPT);
        viewer.types("watch\r");
        viewer
    }

    fn types(&mut self, keys: &str) {
        self.guest.type_bytes(keys.as_bytes());
    }

    /// Waits for `text`, and shows all that comes before it and itself.
    fn sees(&mut self, text: &str) {
        let shown = self.guest.expect(text, LIMIT);
        let shown = shown.unwrap_or_else(|error| panic!("{error:#}"));
        self.screen.process(shown.as_bytes());
    }

    /// Waits until the terminal is asked for its size, as it is once a refresh, and tells it.
    fn refresh(&mut self) {
        self.sees(ASKED);
        let (rows, columns) = self.size;
        self.types(&format!("\x1b[{rows};{columns}R"));
    }

    /// Waits until the screen shows something, for some refreshes.
    fn until(&mut self, what: &str, shows: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..10 {
            self.refresh();
            let lines = self.lines();
            if shows(&lines) {
                return lines;
            }
        }
        panic!("{what} does not come; the screen:\n{:#?}", self.lines());
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.size.1;
        let rows = self.screen.screen().rows(0, columns);
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.size = (rows, columns);
        self.screen
            .screen_mut()
            .set_size(length(rows), length(columns));
    }
}

fn length(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has rows and columns")
}

/// The line of a CPU, word by word.
fn words(lines: &[String], cpu: &str) -> Vec<String> {
    let mut lines = lines.iter().map(|line| line.split_whitespace());
    let line = lines.find(|line| line.clone().next() == Some(cpu));
    line.into_iter().flatten().map(str::to_owned).collect()
}

#[test]
fn the_view_fills_the_terminal_scrolls_and_goes_with_its_size() {
    let mut viewer = Viewer::start(12, (14, 50));
    let is_measured = |lines: &[String]| words(lines, "0").get(2).is_some_and(|it| it != "-");
    let lines = viewer.until("a second", is_measured);
    assert!(viewer.screen.screen().alternate_screen());
    assert!(lines[0].ends_with("12 CPUs online"), "{lines:#?}");
    assert!(lines[3].starts_with(" cpu "), "{lines:#?}");
    assert!(lines[13].starts_with("lines 1-9 of 12"), "{lines:#?}");
    // The boot processor too has an idle share; nothing but the view and its timer runs there.
    let bsp = words(&lines, "0");
    let idle: f32 = bsp[2].parse().expect("a share");
    assert!((0.0..=100.0).contains(&idle), "{lines:#?}");
    assert_ne!(bsp[3], "0", "it polls the view: {lines:#?}");

    viewer.types("\x1b[F");
    viewer.until("the last CPU", |lines| lines[12].starts_with("  11 online"));
    viewer.types("\x1b[A");
    viewer.until("a line up", |lines| lines[12].starts_with("  10 online"));

    viewer.resize(20, 120);
    let lines = viewer.until("the larger screen", |lines| lines[19] == "q quits");
    assert!(lines[3].contains(" place "), "{lines:#?}");
    assert!((0..12).all(|cpu| words(&lines, &cpu.to_string()).len() > 5));

    viewer.types("q");
    viewer.sees(PROMPT);
    assert!(!viewer.screen.screen().alternate_screen());
    viewer.types("exit\r");
    assert_eq!(
        viewer.guest.run(LIMIT).expect("it runs").outcome,
        Outcome::Ok
    );
}

#[test]
fn a_terminal_that_does_not_tell_its_size_is_taken_for_one_of_80_by_24() {
    let mut viewer = Viewer::start(2, (24, 80));
    viewer.sees("24;1H");
    viewer.sees("q quits");
    viewer.sees(ASKED);
    let lines = viewer.lines();
    assert_eq!(lines[23], "q quits", "{lines:#?}");
    viewer.types("\x03");
    viewer.sees(PROMPT);
    viewer.types("exit\r");
    assert_eq!(
        viewer.guest.run(LIMIT).expect("it runs").outcome,
        Outcome::Ok
    );
}

#[test]
fn what_is_pasted_behind_the_key_that_ends_the_view_is_the_shells() {
    let mut viewer = Viewer::start(2, (24, 80));
    viewer.refresh();
    viewer.types("qcalls 10\rcpus\rexit\r");
    viewer.sees("calls: 10 of 10 on 2 CPUs");
    viewer.sees("2 of 2 CPUs are online");
    assert_eq!(
        viewer.guest.run(LIMIT).expect("it runs").outcome,
        Outcome::Ok
    );
}

#[test]
fn cpus_that_go_and_come_are_seen_and_what_is_said_meanwhile_is_told_behind_the_view() {
    let mut viewer = Viewer::start(4, (24, 80));
    viewer.refresh();
    viewer.types("q");
    viewer.sees(PROMPT);
    viewer.types("torture 8 &\r");
    viewer.sees("[1] torture 8\n");
    viewer.types("watch\r");
    let runs = |lines: &[String]| lines[2].contains("[1] torture 8");
    viewer.until("the command behind", runs);
    let lines = viewer.until("its end", |lines| !runs(lines));
    assert!(lines[0].contains("4 CPUs online"), "{lines:#?}");
    viewer.types("q");
    viewer.sees("torture: ");
    viewer.sees("[1] torture 8: done\n");
    viewer.types("exit\r");
    assert_eq!(
        viewer.guest.run(LIMIT).expect("it runs").outcome,
        Outcome::Ok
    );
}
