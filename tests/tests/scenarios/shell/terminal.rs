//! At a terminal: what a person sees, and that the terminal is theirs again, whatever ends the run.

use rustix::process::{Signal, kill_process};

use super::pty::{Terminal, cursor_row};
use crate::left_behind::child_of;

#[test]
fn a_line_is_edited_recalled_and_run_and_the_terminal_is_as_before() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    terminal.is_raw();
    terminal.types("cpx\x7fus");
    terminal.sees("what is typed", |screen| {
        cursor_row(screen) == "reveille> cpus"
    });
    terminal.types("\r");
    terminal.sees("an answer and a new prompt", |screen| {
        screen.contents().contains("2 of 2 CPUs are online")
            && cursor_row(screen).trim_end() == "reveille>"
    });
    terminal.types("\x1b[A");
    terminal.sees("the line of before", |screen| {
        cursor_row(screen) == "reveille> cpus"
    });
    terminal.types("\x15exit\r");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_as_before();
    assert!(terminal.contents().contains("reveille: ok"));
}

#[test]
fn ctrl_d_on_an_empty_line_is_exit() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    terminal.types("\x04");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_as_before();
}

#[test]
fn ctrl_close_bracket_ends_the_run_in_the_middle_of_a_view() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    watches(&mut terminal);
    terminal.types("\x1d");
    assert_eq!(terminal.ends().code(), Some(130));
    terminal.is_as_before();
}

#[test]
fn ctrl_c_ends_a_run_that_has_no_shell_yet() {
    let mut terminal = Terminal::run(&["--append", "test=hang"]);
    terminal.sees("the kernel", |screen| {
        screen.contents().contains("reveille: ")
    });
    terminal.types("\x03");
    assert_eq!(terminal.ends().code(), Some(130));
    terminal.is_as_before();
}

#[test]
fn every_signal_that_ends_xtask_leaves_the_terminal_as_before() {
    for (signal, status) in [
        (Signal::TERM, 143),
        (Signal::HUP, 129),
        (Signal::INT, 130),
        (Signal::QUIT, 131),
    ] {
        let mut terminal = Terminal::at_the_prompt(&[]);
        watches(&mut terminal);
        terminal.signal(signal);
        assert_eq!(terminal.ends().code(), Some(status));
        terminal.is_as_before();
    }
}

#[test]
fn a_kernel_that_panics_leaves_the_terminal_as_before() {
    let mut terminal = Terminal::run(&["--append", "test=panic-ap"]);
    assert_eq!(terminal.ends().code(), Some(4));
    terminal.is_as_before();
    assert!(terminal.contents().contains("panic on CPU 1"));
}

#[test]
fn a_qemu_that_is_killed_in_the_middle_of_a_view_leaves_the_terminal_as_before() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    watches(&mut terminal);
    kill_process(child_of(terminal.xtask()), Signal::KILL).expect("QEMU runs");
    assert_eq!(terminal.ends().code(), Some(1));
    terminal.is_as_before();
    assert!(terminal.contents().contains("QEMU ended without"));
}

#[test]
fn a_command_line_that_is_refused_leaves_the_terminal_as_before() {
    for (words, status) in [("bench=nine", 3), ("nonsense=1", 2), ("after=halt", 2)] {
        let mut terminal = Terminal::run(&["--append", words]);
        assert_eq!(terminal.ends().code(), Some(status));
        terminal.is_as_before();
    }
}

#[test]
fn xtask_that_is_stopped_gives_the_terminal_back_until_it_goes_on() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    terminal.types("help");
    terminal.sees("what is typed", |screen| {
        cursor_row(screen) == "reveille> help"
    });
    terminal.signal(Signal::TSTP);
    terminal.waits_until_it_is_stopped();
    assert!(terminal.has_settings_of_before());
    terminal.signal(Signal::CONT);
    terminal.waits_for("raw mode", |it| !it.has_settings_of_before());
    terminal.is_raw();
    terminal.types("\x15exit\r");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_as_before();
}

#[test]
fn xtask_that_is_stopped_in_the_middle_of_a_view_leaves_it_until_it_goes_on() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    watches(&mut terminal);
    terminal.signal(Signal::TSTP);
    terminal.sees("the screen of before", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor()
    });
    terminal.waits_until_it_is_stopped();
    assert!(terminal.has_settings_of_before());
    terminal.signal(Signal::CONT);
    terminal.sees("the whole view", |screen| {
        let contents = screen.contents();
        screen.alternate_screen() && contents.starts_with("up ") && contents.contains("q quits")
    });
    terminal.types("q");
    terminal.waits_for_a_line();
    terminal.types("exit\r");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_as_before();
}

#[test]
fn a_second_ctrl_close_bracket_ends_a_view_whose_qemu_does_not_answer() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    watches(&mut terminal);
    kill_process(child_of(terminal.xtask()), Signal::STOP).expect("QEMU runs");
    // Those that come in one piece are one.
    let status = terminal.ends_by_typing("\x1d");
    assert_eq!(status.code(), Some(130));
    assert!(
        !terminal.contents().contains("xtask: interrupted"),
        "it had the time to look where the CPUs are"
    );
    terminal.is_put_back();
}

#[test]
fn a_terminal_that_hangs_up_ends_xtask() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    terminal.hangs_up();
    assert_eq!(terminal.ends().code(), Some(129));
}

#[test]
fn a_reboot_starts_the_machine_again_in_the_same_terminal() {
    let mut terminal = Terminal::at_the_prompt(&[]);
    terminal.types("reboot\r");
    terminal.sees("the second start", |screen| {
        let contents = screen.contents();
        contents.contains("xtask: the machine starts again")
            && cursor_row(screen).trim_end() == "reveille>"
    });
    terminal.is_raw();
    terminal.types("exit\r");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_as_before();
}

fn watches(terminal: &mut Terminal) {
    terminal.types("watch\r");
    terminal.sees("the view", |screen| {
        screen.alternate_screen() && !screen.contents().trim().is_empty()
    });
}
