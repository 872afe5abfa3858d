//! Wake and poll in instructions, as callgrind counts them: the same on every run and machine.
//!
//! Runs itself under valgrind, each case with two numbers of rounds; the difference of the two
//! totals, divided by the difference of rounds, is the cost of one round without start and end.

mod contenders;

use std::hint::black_box;
use std::process::Command;
use std::task::Waker;

use contenders::{AsyncTask, Contender, Embassy, Reveille, Unordered};

const CASES: [(&str, usize); 8] = [
    ("wake and poll one task", 64),
    ("wake and poll one task", 512),
    ("wake and poll one task", 16_384),
    ("wake and poll all tasks", 512),
    ("wake a task that is ready already", 64),
    ("wake a task that is ready already", 512),
    ("run with nothing ready", 64),
    ("run with nothing ready", 16_384),
];

/// Rounds of the shorter and of the longer run.
const ROUNDS: [u64; 2] = [100, 1100];

fn rounds<C: Contender>(case: &str, tasks: usize, rounds: u64) {
    let mut contender = C::new(tasks);
    contender.run();
    match case {
        "wake and poll one task" => {
            for round in 0..rounds as usize {
                contender.wakers()[round % tasks].wake_by_ref();
                contender.run();
            }
        }
        "wake and poll all tasks" => {
            for _ in 0..rounds {
                contender.wakers().iter().for_each(Waker::wake_by_ref);
                contender.run();
            }
        }
        "wake a task that is ready already" => {
            let waker = contender.wakers()[0].clone();
            waker.wake_by_ref();
            (0..rounds).for_each(|_| black_box(&waker).wake_by_ref());
        }
        _ => (0..rounds).for_each(|_| contender.run()),
    }
    black_box(contenders::polls());
}

fn run(contender: &str, case: &str, tasks: usize, count: u64) {
    match contender {
        Reveille::NAME => rounds::<Reveille>(case, tasks, count),
        Embassy::NAME => rounds::<Embassy>(case, tasks, count),
        Unordered::NAME => rounds::<Unordered>(case, tasks, count),
        _ => rounds::<AsyncTask>(case, tasks, count),
    }
}

/// All instructions of one run.
fn count(contender: &str, case: &str, tasks: usize, rounds: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a running program has a path"))
        .args([
            "--run",
            contender,
            case,
            &tasks.to_string(),
            &rounds.to_string(),
        ])
        .output()
        .expect("valgrind is installed");
    let report = String::from_utf8_lossy(&output.stderr);
    let total = report
        .lines()
        .find_map(|line| line.split_once("Collected :"));
    let (_, total) = total.unwrap_or_else(|| panic!("no total in:\n{report}"));
    total.trim().parse().expect("a total is a number")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, contender, case, tasks, rounds] = &arguments[..]
        && mode == "--run"
    {
        let number = |text: &String| text.parse().expect("a number");
        return run(contender, case, number(tasks) as usize, number(rounds));
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are not counted: valgrind is not installed");
        return;
    }
    println!("| case | tasks | contender | instructions |");
    println!("|---|---|---|---|");
    for (case, tasks) in CASES {
        for contender in [
            Reveille::NAME,
            Embassy::NAME,
            Unordered::NAME,
            AsyncTask::NAME,
        ] {
            let [few, many] = ROUNDS.map(|rounds| count(contender, case, tasks, rounds));
            let all = (many - few) as f64 / (ROUNDS[1] - ROUNDS[0]) as f64;
            let per_task = if case.ends_with("all tasks") {
                all / tasks as f64
            } else {
                all
            };
            println!("| {case} | {tasks} | {contender} | {per_task:.1} |");
        }
    }
}
