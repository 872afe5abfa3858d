//! Benchmarks that end early: by a boot that fails, by Ctrl-C, by a disk without room. What was measured stays,
//! and another one goes on with it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use reveille_tests::{
    bench::results::{FILE, Line, Outcome, Results},
    kernel::IMAGE_VARIABLE,
    qemu::machine::Machine,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{SMALL, bench, boots, command, results, run};
use crate::{
    boot::{kernel, slot},
    command::{stderr, stdout},
};

#[test]
fn a_boot_that_fails_is_told_and_kept_and_the_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    // Two CPUs are not enough for it, and three are.
    let words = format!("{SMALL} --runs 2 --append require=3");
    let output = bench(out, &words);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(
        told.contains("q35 tcg 2 require=3, run 1: FAILED: the kernel reports"),
        "{told}"
    );
    assert!(told.contains("2 boots failed"), "{told}");
    let first = results(out);
    assert_eq!(boots(&first), [(2, 1), (3, 1), (2, 2), (3, 2)]);
    let is_ok: Vec<bool> = first.runs.iter().map(|run| run.is_ok()).collect();
    assert_eq!(is_ok, [false, true, false, true]);
    let Outcome::Failed(reason) = &first.runs[0].outcome else {
        unreachable!("it is not ok");
    };
    assert!(told.contains(reason), "{reason}");
    let log = out.join("failed-q35-tcg-2-require=3--run-1.log");
    let log = fs::read_to_string(log).expect("what it showed is kept");
    assert!(log.contains("reveille: failed: "), "{log}");

    // Those that failed are tried again, and those that did not are as they were.
    let again = bench(out, &format!("{words} --resume"));
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("2 of 4 boots are there already"));
    let second = results(out);
    assert_eq!(second.runs.len(), 4);
    assert_eq!(second.find(first.runs[1].key()), Some(&first.runs[1]));
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_resume_goes_on_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    // The boots are long enough for one who is slow to press Ctrl-C.
    let words = "--smp 2,3 --accel tcg --strategies serial,bare --rounds 300 --runs 2";
    {
        let _slot = slot(&Machine::new(3));
        let mut command = command(out, words);
        let mut xtask = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        let mut lines = BufReader::new(xtask.stderr.take().expect("it is piped")).lines();
        let is_first = |line: &String| line.contains("1/4 q35 tcg 2, run 1: ");
        lines
            .by_ref()
            .map_while(Result::ok)
            .inspect(|line| println!("{line}"))
            .find(is_first)
            .expect("the first boot ends");
        // The second one has just begun.
        let id = Pid::from_child(&xtask);
        kill_process(id, Signal::INT).expect("it runs");
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        let output = xtask.wait_with_output().expect("it ends");
        println!("{}{}", stdout(&output), rest.join("\n"));
        assert_eq!(output.status.code(), Some(130));
        assert!(
            rest.iter().any(|line| line.contains("--resume")),
            "{rest:?}"
        );
        assert!(stdout(&output).contains("q35 tcg 2"), "the figures so far");
    }
    let before = results(out);
    assert!(!before.runs.is_empty() && before.runs.len() < 4);
    assert!(
        before.ok_runs().count() == before.runs.len(),
        "the boot under way proves nothing"
    );
    let output = bench(out, &format!("{words} --resume"));
    assert_eq!(output.status.code(), Some(0));
    let after = results(out);
    assert_eq!(boots(&after), [(2, 1), (3, 1), (2, 2), (3, 2)]);
    assert_eq!(after.runs[..before.runs.len()], before.runs);
}

#[test]
fn a_file_that_was_cut_off_is_gone_on_with_behind_its_last_whole_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    let words = format!("{SMALL} --runs 1");
    assert_eq!(bench(out, &words).status.code(), Some(0));
    let path = out.join(FILE);
    let whole = fs::read(&path).expect("it is there");
    fs::write(&path, &whole[..whole.len() - 40]).expect("it can be written");
    let output = bench(out, &format!("{words} --resume"));
    assert_eq!(output.status.code(), Some(0));
    let told = stderr(&output);
    assert!(told.contains("the last line is cut off"), "{told}");
    assert!(told.contains("1 of 2 boots are there already"), "{told}");
    assert_eq!(boots(&results(out)), [(2, 1), (3, 1)]);
    // Cut off in its first line, nothing was measured.
    fs::write(&path, &whole[..40]).expect("it can be written");
    assert_eq!(
        bench(out, &format!("{words} --resume")).status.code(),
        Some(0)
    );
    assert_eq!(results(out).runs.len(), 2);
}

#[test]
fn what_the_disk_has_no_room_for_is_shown_and_what_stood_there_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    // So much that a line is longer than the unit of the limit.
    let words = "--smp 3 --accel tcg --rounds 9 --runs 3";
    let one = folder.path().join("one");
    assert_eq!(
        bench(&one, "--smp 3 --accel tcg --rounds 9 --runs 1")
            .status
            .code(),
        Some(0)
    );
    let text = fs::read_to_string(one.join(FILE)).expect("it is there");
    let lengths: Vec<_> = text.lines().map(str::len).collect();
    let &[header, boot] = lengths.as_slice() else {
        panic!("it is one boot: {lengths:?}");
    };
    // Room for one boot and for half of another, in units of 512 bytes (POSIX, ulimit): lines differ in length.
    assert!(boot > 4 * 512, "{boot}");
    let limit = (header + boot + boot / 2) / 512;
    let limited = |out: &Path| {
        let mut limited = Command::new("sh");
        limited
            .arg("-c")
            .arg(format!("ulimit -f {limit}; exec \"$@\""))
            .arg("sh");
        let inner = command(out, words);
        limited.arg(inner.get_program()).args(inner.get_args());
        limited.env(IMAGE_VARIABLE, kernel().image());
        limited
    };
    // Where the standard output is on that disk too, the line is shown all the same.
    let full = fs::File::create("/dev/full").expect("Linux has it");
    let output = run(limited(&folder.path().join("mute")).stdout(full));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.lines().any(|line| line.starts_with('{')), "{told}");
    assert!(
        told.contains("cannot write to the standard output"),
        "{told}"
    );

    let output = run(&mut limited(&out));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(
        told.contains("cannot write ") && told.contains("File too large"),
        "{told}"
    );
    let before = results(&out);
    assert_eq!((boots(&before), before.cut_bytes), (vec![(3, 1)], 0));
    let lost = told
        .lines()
        .find(|line| line.starts_with('{'))
        .expect("the line is shown");
    let Ok(Line::Run(lost)) = serde_json::from_str(lost) else {
        panic!("it is no run: {lost}");
    };
    assert_eq!((lost.run, lost.is_ok()), (2, true));
    // Both boots count in the figures.
    let row = stdout(&output)
        .lines()
        .find(|line| line.contains("q35 tcg 3"))
        .map(str::to_owned);
    let row = row.unwrap_or_else(|| panic!("{}", stdout(&output)));
    assert!(row.contains("2 boots"), "{row}");

    // It belongs where the error says, and then is not measured again.
    let path = out.join(FILE);
    let mut text = fs::read_to_string(&path).expect("it is there");
    text += &(serde_json::to_string(&Line::Run(lost.clone())).expect("it can be") + "\n");
    fs::write(&path, text).expect("it can be written");
    let output = bench(&out, &format!("{words} --resume"));
    assert_eq!(output.status.code(), Some(0));
    let after: Results = results(&out);
    assert_eq!(boots(&after), [(3, 1), (3, 2), (3, 3)]);
    assert_eq!(after.runs[1], lost);
}
