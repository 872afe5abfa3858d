//! At a pipe: every byte arrives, none of them means something to us, and its end ends the run.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
    thread,
};

use reveille_tests::{kernel::IMAGE_VARIABLE, qemu::machine::Machine};

use crate::{
    boot::{LIMIT, kernel, slot},
    command::{stderr, stdout},
};

/// Runs `cargo xtask run --shell` with `input` at its standard input. What does not end by itself ends by
/// the scenarios' limit.
fn shell(input: &str, words: &[&str]) -> Output {
    let _slot = slot(&Machine::new(2));
    let seconds = LIMIT.as_secs().to_string();
    let limit: &[&str] = match words.contains(&"--timeout") {
        true => &[],
        false => &["--timeout", &seconds],
    };
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["run", "--shell", "--smp", "2", "--accel", "tcg"])
        .args(words)
        .args(limit)
        .env(IMAGE_VARIABLE, kernel().image())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xtask starts");
    let mut stdin = xtask.stdin.take().expect("it is a pipe");
    let input = input.to_owned();
    // xtask ends without reading all of it, or not.
    let typist = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = xtask.wait_with_output().expect("xtask is our child");
    let _unread = typist.join().expect("it only writes");
    println!("{}{}", stdout(&output), stderr(&output));
    output
}

#[test]
fn commands_at_a_pipe_run_in_their_order_and_its_end_is_exit() {
    let output = shell("help\ncpus\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(!text.contains(['\x1b', '\r']), "a pipe is no terminal");
    let at = |part| text.find(part).unwrap_or_else(|| panic!("no `{part}`"));
    assert!(at("reveille> help\n") < at("reveille> cpus\n"));
    assert!(at("reveille> cpus\n") < at("reveille: ok\n"));
}

#[test]
fn nothing_at_the_pipe_is_exit_at_once_with_the_boots_verdict() {
    let output = shell("", &[]);
    assert_eq!(output.status.code(), Some(0));
    let failed = shell("", &["--append", "fault=1:silent"]);
    assert_eq!(failed.status.code(), Some(3));
    assert!(stdout(&failed).contains("reveille: failed: "));
}

#[test]
fn the_last_line_of_a_pipe_needs_no_end() {
    let output = shell("cpus", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("reveille> cpus\n"));
    let long = "x".repeat(1100);
    for (input, status) in [("\x1b[200~cpus", 0), (&long, 3)] {
        assert_eq!(shell(input, &[]).status.code(), Some(status));
    }
}

#[test]
fn a_script_in_which_a_command_fails_fails_unless_its_exit_says_otherwise() {
    let output = shell("online 9\ncpus\n", &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("reveille: failed: `online 9` went wrong\n"));
    assert_eq!(shell("no-command\nexit", &[]).status.code(), Some(3));
    assert_eq!(shell("online 9\nexit ok", &[]).status.code(), Some(0));
    let output = shell("offline 1\nfail 1 join\nonline 1\n", &[]);
    assert_eq!(output.status.code(), Some(3), "CPU 1 is not online");
    assert!(stdout(&output).contains("reveille: failed: `online 1` went wrong\n"));
}

#[test]
fn what_follows_a_view_at_a_pipe_is_run() {
    let output = shell("watch\nqhelp jobs\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("reveille> help jobs\n"));
    // Its end ends a view that began behind it.
    let output = shell("calls 100\nwatch\nhelp jobs\n", &[]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_exit_status_is_what_exit_says() {
    assert_eq!(shell("exit failed\n", &[]).status.code(), Some(3));
    let silent = &["--append", "fault=1:silent"];
    assert_eq!(shell("exit ok\n", silent).status.code(), Some(0));
}

#[test]
fn a_byte_that_ends_a_terminals_run_is_the_guests_at_a_pipe() {
    let output = shell("\x1d\nhelp\nexit ok\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains("reveille> help\n"), "{text}");
    assert!(
        text.contains("ends the run with the boot's verdict"),
        "{text}"
    );
}

#[test]
fn a_reboot_starts_the_machine_again_and_the_end_of_the_pipe_ends_it() {
    let output = shell("reboot\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("xtask: the machine starts again"));
    assert_eq!(stdout(&output).matches("reveille> ").count(), 2);
}

#[test]
fn what_a_script_says_behind_a_reboot_is_run_by_the_guest_that_comes_next() {
    // More lines than a guest that reboots could leave in its UART, so it must not be given them.
    let mut script = "offline 1\nreboot\ncpus\n".to_owned();
    (0..100).for_each(|_| script += "help exit\n");
    let output = shell(&(script + "reboot\nexit failed\n"), &[]);
    assert_eq!(output.status.code(), Some(3));
    let (text, told) = (stdout(&output), stderr(&output));
    assert_eq!(told.matches("xtask: the machine starts again").count(), 2);
    let boots: Vec<_> = text.split("reveille> reboot\n").collect();
    assert_eq!(boots.len(), 3, "{text}");
    assert!(boots[1].contains("2 of 2 CPUs are online"), "{text}");
    assert_eq!(boots[1].matches("reveille> help exit\n").count(), 100);
    assert!(boots[2].contains("reveille> exit failed\n"), "{text}");
}

#[test]
fn a_script_that_may_have_lost_something_in_a_reboot_fails() {
    // Typed so that nobody but the guest knows what it comes to.
    let output = shell("rex\x7fboot\ncpus\n", &[]);
    assert_eq!(output.status.code(), Some(7));
    assert!(stderr(&output).contains("is lost"));
}

#[test]
fn the_time_limit_holds_at_a_shell_where_one_is_given() {
    let words = ["--append", "test=hang", "--timeout", "5"];
    assert_eq!(shell("help\n", &words).status.code(), Some(124));
}

#[test]
fn another_end_than_a_shell_is_refused() {
    let output = shell("", &["--append", "after=halt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("after=halt"));
}

#[test]
fn a_script_that_is_longer_than_what_may_wait_is_run_to_its_end() {
    // Far more lines than wait for a command, and more bytes than the UART's ring has room for.
    let mut script = "torture 3\n".to_owned();
    (0..1000).for_each(|number| script += &format!("line-{number}\n"));
    let output = shell(&script, &[]);
    // None of them is a command.
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(text.contains("1000 commands went wrong, `line-0` first"));
    for number in 0..1000 {
        let line = format!("reveille> line-{number}\n`line-{number}` is no command");
        assert!(text.contains(&line), "no `{line}`");
    }
}
