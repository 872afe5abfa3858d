//! `cargo xtask` itself, as a person or a script sees it.

use std::{
    fs,
    process::{Command, Output},
};

use reveille_smp::record::ExitStatus;
use reveille_tests::{
    firmware::FIRMWARE_VARIABLE, kernel::IMAGE_VARIABLE, qemu::machine::Machine, records::Records,
};

use crate::boot::{firmware, kernel, slot};

/// Runs `cargo xtask` with these words, for two CPUs under TCG.
pub(crate) fn xtask(words: &[&str]) -> Output {
    xtask_with(2, words)
}

/// Runs it for so many CPUs.
pub(crate) fn xtask_with(cpus: u32, words: &[&str]) -> Output {
    let _slot = slot(&Machine::new(cpus));
    let cpus = cpus.to_string();
    bare(&[words, &["--smp", &cpus, "--accel", "tcg"]].concat())
}

/// Runs it with these words alone: what boots nothing has no machine.
pub(crate) fn bare(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(words);
    // What whoever runs the tests wants of colours is nothing to them.
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(variable);
    }
    command.env(IMAGE_VARIABLE, kernel().image());
    command.env(FIRMWARE_VARIABLE, firmware().image());
    let output = command.output().expect("xtask starts");
    println!("{}{}", stdout(&output), stderr(&output));
    output
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn run_ends_with_the_kernels_verdict_as_its_status() {
    assert_eq!(xtask(&["run"]).status.code(), Some(0));
    let failed = xtask(&["run", "--append", "bench=nine"]);
    assert_eq!(failed.status.code(), Some(3));
    let unknown = xtask(&["run", "--append", "bnech=9"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("there is one called `bench`"));
    let unknown = bare(&["bench", "--append", "bnech=9"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("there is one called `bench`"));
    let panicked = xtask(&["run", "--append", "test=panic-ap"]);
    assert_eq!(panicked.status.code(), Some(4));
    assert!(stderr(&panicked).contains("panic on CPU 1 (APIC 1): "));
    let reset = xtask(&["run", "--append", "test=triple-fault"]);
    assert_eq!(reset.status.code(), Some(5));
    assert!(stderr(&reset).contains("triple fault"));
}

#[test]
fn run_starts_the_kernel_by_the_firmware_and_lets_it_take_the_firmwares_table() {
    let output = xtask(&["run", "--firmware", "mailbox"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("machine: REVEIL MAILBOX, 2 of 2 CPUs enabled"));
    let words = [
        "run",
        "--firmware",
        "mailbox",
        "--append",
        "firmware.deaf=9",
    ];
    let output = xtask(&words);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("the firmware did not start the kernel"));
}

#[test]
fn a_qemu_that_does_not_start_is_quoted() {
    let output = xtask(&["run", "--cpu", "nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("xtask: QEMU did not start (status 1)"));
    assert_eq!(text.matches("nonsense").count(), 1, "QEMU is quoted once");
}

#[test]
fn the_records_go_to_their_file_and_the_console_to_standard_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("boot.jsonl");
    let output = xtask(&["run", "--json", path.to_str().expect("UTF-8")]);
    assert!(stdout(&output).starts_with("reveille: "));
    assert!(!stdout(&output).contains('\r'), "a line ends in CR LF");
    assert!(
        !stdout(&output).contains("\"record\""),
        "records on the console"
    );
    let mut records = Records::default();
    let text = fs::read_to_string(&path).expect("the file is there");
    text.lines().for_each(|line| records.push(line.to_owned()));
    assert_eq!(records.cpus().expect("each line is a record").len(), 2);
    assert_eq!(records.exit().expect("a verdict").status, ExitStatus::Ok);
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_before_anything_boots() {
    let output = xtask(&["run", "--json", "/dev/null/boot.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write /dev/null/boot.jsonl"));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_module_that_is_not_there_is_an_error_and_one_that_is_not_asked_for_is_told() {
    let missing = xtask(&["run", "--module", "/dev/null/madt"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/dev/null/madt"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&file, [0; 44]).expect("it can be written");
    let path = file.path().to_str().expect("UTF-8");
    let unused = xtask(&["run", "--module", path]);
    assert!(stderr(&unused).contains("xtask: without --append madt=module "));
    assert_eq!(unused.status.code(), Some(0));
}

#[test]
fn soak_counts_the_boots_that_came_up_whole() {
    let whole = xtask(&["soak", "--boots", "3"]);
    assert_eq!(whole.status.code(), Some(0));
    assert!(stdout(&whole).contains("3 of 3 boots came up whole"));
    let none = xtask(&["soak", "--boots", "2", "--append", "test=panic-bsp"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stdout(&none).contains("0 of 2 boots came up whole"));
    assert!(stdout(&none).contains("boot 1: the kernel crashed: panic on CPU 0"));
}
