//! What is tried at the serial socket, once more at a terminal: every command, what is wrong, what is typed
//! without sense, and Ctrl-C.

use std::thread;

use super::{
    commands::{COMMANDS, SMP},
    interrupted::{A_WHILE, LONG},
    pty::{Terminal, cursor_row},
    wrong::WRONG,
};

/// Any answer fits, below the line that it answers.
const SIZE: (u16, u16) = (70, 100);

/// A terminal at which the shell of such a machine waits for a line.
fn start(smp: &str) -> Terminal {
    let mut terminal = Terminal::of(SIZE, smp, &[]);
    terminal.waits_for_a_line();
    terminal
}

/// Clears the screen, so that what it shows next is the answer to what is typed next.
fn clear(terminal: &mut Terminal) {
    terminal.types("clear\r");
    terminal.sees("a screen with nothing but the prompt", |screen| {
        screen.contents().trim_end() == "reveille>"
    });
}

/// Runs a line, and waits until its answer says all of that, and the prompt is there again.
fn answers(terminal: &mut Terminal, line: &str, parts: &[&str]) {
    clear(terminal);
    terminal.types(line);
    terminal.types("\r");
    let echo = format!("reveille> {line}");
    terminal.sees(&format!("{parts:?} behind `{line}`"), |screen| {
        let contents = screen.contents();
        // What breaks a line is a matter of the width.
        let contents = contents.split_whitespace().collect::<Vec<_>>().join(" ");
        let says = |part: &str| {
            let words: Vec<_> = part.split_whitespace().collect();
            contents.contains(&words.join(" "))
        };
        says(&echo) && parts.iter().all(|part| says(part)) && is_idle(screen)
    });
}

fn is_idle(screen: &vt100::Screen) -> bool {
    cursor_row(screen).trim_end() == "reveille>"
}

/// Leaves, and looks at how the terminal is left.
fn is_well(mut terminal: Terminal, smp: u32) {
    let all = format!("{smp} of {smp} CPUs are online");
    answers(&mut terminal, "cpus", &[&all]);
    terminal.types("exit\r");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_as_before();
}

#[test]
fn every_command_answers() {
    let mut terminal = start(SMP);
    for (line, parts) in COMMANDS {
        if *line != "clear" && !line.is_empty() {
            answers(&mut terminal, line, parts);
        }
    }
    is_well(terminal, 4);
}

#[test]
fn each_error_says_what_would_be_right() {
    let mut terminal = start("4");
    for (line, part) in WRONG {
        answers(&mut terminal, line, &[part]);
    }
    is_well(terminal, 4);
}

#[test]
fn a_line_of_10_000_characters_is_refused_as_a_whole() {
    let mut terminal = start("2");
    terminal.types(&"offline 1 ".repeat(1000));
    terminal.types("\r");
    terminal.sees("that it is too long", |screen| {
        screen
            .contents()
            .contains("a line of 10000 bytes was entered")
            && is_idle(screen)
    });
    is_well(terminal, 2);
}

#[test]
fn bytes_that_are_no_utf_8_are_shown_as_such_and_refused() {
    let mut terminal = start("2");
    terminal.types_bytes(b"cpus \xff\xe2\x82\xc0\xaf\r");
    terminal.sees("that they are refused", |screen| {
        screen.contents().contains("has no place here") && is_idle(screen)
    });
    assert!(terminal.replaced() >= 4, "{}", terminal.replaced());
    is_well(terminal, 2);
}

#[test]
fn a_paste_of_a_hundred_lines_is_taken_at_once() {
    let mut terminal = start("2");
    let lines: Vec<String> = (0..100).map(|number| format!("pasted-{number}")).collect();
    terminal.pastes(&(lines.join("\r") + "\r"));
    terminal.sees("the answer to the last line", |screen| {
        screen.contents().contains("`pasted-99` is no command") && is_idle(screen)
    });
    is_well(terminal, 2);
}

#[test]
fn ctrl_c_ends_each_long_command_and_the_prompt_is_there() {
    let mut terminal = start("4");
    for (line, part) in LONG {
        clear(&mut terminal);
        terminal.types(line);
        terminal.types("\r");
        let echo = format!("reveille> {line}");
        terminal.sees(&echo, |screen| {
            screen.contents().contains(&echo) || screen.alternate_screen()
        });
        thread::sleep(A_WHILE);
        terminal.types("\x03");
        terminal.sees("the prompt, and why it is there", |screen| {
            let contents = screen.contents();
            let is_view = *line == "watch";
            let is_told = contents.contains("^C") && contents.contains(part);
            !screen.alternate_screen() && (is_view || is_told) && is_idle(screen)
        });
        // One that could not end at once goes on behind for a moment.
        answers(&mut terminal, "cpus", &["4 of 4 CPUs are online"]);
    }
    is_well(terminal, 4);
}
