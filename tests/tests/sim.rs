//! `cargo xtask sim`, as a person or a script sees it.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Output, Stdio},
};

use reveille_smp::{
    outcome::Outcome,
    record::{ExitStatus, Record},
    strategy::Strategy,
};
use reveille_tests::{
    kernel::workspace,
    records::Records,
    sim::{
        Simulator,
        model::Model,
        report::{BroughtUp, parts::Parts, standing::standings},
    },
};

/// Runs `cargo xtask sim` with these words.
fn sim(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.arg("sim").args(words).output();
    let output = output.expect("xtask starts");
    println!("{}{}", stdout(&output), stderr(&output));
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The records in a file.
fn records(path: &Path) -> Records {
    let mut records = Records::default();
    let text = fs::read_to_string(path).expect("it was written");
    text.lines().for_each(|line| records.push(line.to_owned()));
    records
}

#[test]
fn a_simulation_shows_what_a_boot_does_and_then_where_the_time_went() {
    let output = sim(&["--model", "skylake-112"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let parts = [
        "machine: skylake-112, ",
        " cpu   apic place      sipi  real  long alive online sipis polls outcome\n",
        "bring-up: 111 of 111 APs online in ",
        " legacy ",
        " not built: prepare spread ",
        "\n          1x is parallel\n",
        "\n          two-pass: of ",
        "\nparallel: ",
        "\nBSP prepare ",
        "\nAPs microcode ",
        "\ntwo-pass: ",
        " published  simulated ",
        "reveille: ok\n",
    ];
    let mut rest = &text[..];
    for part in parts {
        let at = rest.find(part);
        rest = &rest[at.unwrap_or_else(|| panic!("no `{part}` where it should be"))..];
    }
}

#[test]
fn a_seed_gives_the_same_simulation_and_another_seed_another_one() {
    let of_seed = |seed| {
        stdout(&sim(&[
            "--model",
            "synthetic",
            "--cpus",
            "32",
            "--seed",
            seed,
        ]))
    };
    let first = of_seed("3");
    assert_eq!(first, of_seed("3"));
    let without_head = |text: &str| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_ne!(without_head(&first), without_head(&of_seed("4")));
}

#[test]
fn the_records_are_those_of_a_boot_with_a_round_for_each_run_of_each_strategy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sim.jsonl");
    let json = path.to_str().expect("UTF-8");
    let strategies = ["--strategy", "serial", "--strategy", "parallel"];
    let words = ["--model", "synthetic", "--runs", "3", "--json", json];
    let output = sim(&[&words[..], &strategies].concat());
    assert_eq!(output.status.code(), Some(0));
    let records = records(&path);
    assert_eq!(records.boot().expect("it is there").cpus_enabled, 8);
    assert_eq!(records.cpus().expect("they are whole").len(), 8);
    let bringups = records.bringups().expect("they are whole");
    let rounds: Vec<_> = bringups
        .iter()
        .map(|it| (&it.strategy[..], it.round))
        .collect();
    let [serial, parallel] = ["serial", "parallel"];
    let expected = [
        (serial, 0),
        (serial, 1),
        (serial, 2),
        (serial, 3),
        (parallel, 1),
        (parallel, 2),
        (parallel, 3),
    ];
    assert_eq!(rounds, expected);
    let all = records.parse().expect("they are whole");
    assert!(matches!(all.last(), Some(Record::Exit(exit)) if exit.status == ExitStatus::Ok));
}

#[test]
fn a_cpu_that_was_told_to_fail_is_named_and_no_failure_of_the_simulation() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sim.jsonl");
    let json = path.to_str().expect("UTF-8");
    let output = sim(&[
        "--model",
        "synthetic",
        "--fault",
        "5:silent",
        "--json",
        json,
    ]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains("\nCPU 5 (APIC 5): never-started; it was told to fail; "));
    assert!(text.contains("\nreveille: failed: 1 of 7 APs did not come online"));
    let records = records(&path);
    let cpus = records.cpus().expect("they are whole");
    assert_eq!(cpus[5].outcome, Outcome::NeverStarted);
    assert_eq!(
        records.exit().expect("it is there").status,
        ExitStatus::Failed
    );
}

#[test]
fn a_fault_that_cannot_happen_is_a_mistake() {
    let steps = "prepare, kick, microcode, local, clock, shared";
    for (fault, hint) in [
        ("8:silent", "8 CPUs"),
        ("3:fails-up=99", steps),
        ("3:fails-down=microcod", steps),
        ("3:dies=0", "counted from 1"),
    ] {
        let output = sim(&["--model", "synthetic", "--fault", fault]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(fault) && stderr(&output).contains(hint));
        assert!(stdout(&output).is_empty());
    }
}

#[test]
fn a_step_that_is_to_fail_has_a_name_and_a_number() {
    let of = |fault| stdout(&sim(&["--model", "synthetic", "--fault", fault]));
    let named = of("2:fails-up=microcode");
    assert!(named.contains("CPU 2 (APIC 2): failed at step microcode; it was told to fail"));
    assert_eq!(named, of("2:fails-up=2"));
}

#[test]
fn one_cpu_cannot_grow() {
    let output = sim(&["--model", "synthetic", "--growth", "--cpus", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("2 CPUs"));
    assert!(stdout(&output).is_empty());
}

#[test]
fn many_cpus_do_not_flood_the_terminal_unless_they_are_asked_for() {
    let lines = |words: &[&str]| {
        let output = sim(&[&["--model", "synthetic", "--cpus", "500"], words].concat());
        assert_eq!(output.status.code(), Some(0));
        stdout(&output).lines().count()
    };
    let (short, long) = (lines(&[]), lines(&["--all-cpus"]));
    assert!(short < 100, "{short}");
    assert!(long > 500, "{long}");
}

#[test]
fn a_users_own_model_is_simulated_and_a_wrong_one_is_told_with_its_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    let theirs = workspace().join("tests/models/synthetic.toml");
    let text = fs::read_to_string(theirs).expect("it is there");
    let model = path.to_str().expect("UTF-8");

    fs::write(&path, &text).expect("the folder can be written");
    let output = sim(&["--model", model]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("\nmachine: mine, "));

    fs::write(&path, text.replace("capacity = 2", "capacity = 0")).expect("the same");
    let output = sim(&["--model", model]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("[[resource]] \"bus\": `capacity` must be 1 or more"));
}

#[test]
fn predictions_are_as_near_to_what_was_measured_as_was_asked() {
    let mut asked = 0;
    for name in Model::names() {
        let simulator = Simulator::new(Model::named(name).expect(name)).expect(name);
        let model = simulator.model();
        let is_asked = |strategy| {
            let mut totals = model.fitting_totals();
            totals.any(|total| total.strategy == strategy && total.within_percent.is_some())
        };
        for &strategy in Strategy::ALL.iter().filter(|&&strategy| is_asked(strategy)) {
            let parts = |seed| {
                let simulated = simulator.run(&simulator.setup(strategy, seed));
                let simulated = simulated.unwrap_or_else(|broken| panic!("{name}: {broken}"));
                Parts::of(
                    model,
                    &BroughtUp::first_of(simulated).expect("one was asked for"),
                )
            };
            let runs: Vec<_> = (1..=5).map(parts).collect();
            for standing in standings(model, &[(strategy, &runs)]) {
                asked += usize::from(standing.is_met().is_some());
                let (part, error) = (standing.total.part, standing.error_percent());
                assert_ne!(
                    standing.is_met(),
                    Some(false),
                    "{name} {strategy} {part}: {error:+.1} %"
                );
            }
        }
    }
    assert!(asked >= 3, "the totals of skylake-112 alone are three");
}

#[test]
fn on_two_sockets_ours_is_at_least_one_and_a_half_times_as_fast_as_two_passes() {
    let simulator = Simulator::new(Model::named("skylake-112").expect("it is ours"));
    let simulator = simulator.expect("its steps are a ladder");
    for seed in 1..=9 {
        let [ours, two_pass] = [Strategy::Parallel, Strategy::TwoPass].map(|strategy| {
            let simulated = simulator.run(&simulator.setup(strategy, seed));
            let brought_up = BroughtUp::first_of(simulated.expect("no rule is broken"));
            let round = brought_up.expect("one was asked for").round;
            assert_eq!(round.online(), 111);
            round.nanos(round.end)
        });
        assert!(
            2 * two_pass >= 3 * ours,
            "{two_pass} ns, and ours {ours} ns"
        );
    }
}

#[test]
fn a_trace_tells_what_happens_in_the_order_in_which_it_does_and_changes_nothing() {
    let words = [
        "--model",
        "synthetic",
        "--strategy",
        "parallel",
        "--fault",
        "2:dies=14",
    ];
    let plain = sim(&words);
    let traced = sim(&[&words[..], &["--trace"]].concat());
    assert_eq!(traced.status.code(), Some(0));
    assert_eq!(stdout(&plain), stdout(&traced));
    assert!(!stderr(&plain).contains("CPU 2"));
    let text = stderr(&traced);
    let told: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" us  CPU 2 "))
        .collect();
    let parts = [
        "INIT, at Off",
        "SIPI, at WaitsForSipi",
        "RealMode",
        "Claimed(1)",
        "stops for good",
    ];
    let places = parts.map(|part| told.iter().position(|line| line.contains(part)));
    assert!(places.iter().all(Option::is_some), "{places:?}");
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn schedules_are_explored_and_the_progress_is_told_apart() {
    let output = sim(&["--explore", "40", "--seed", "3"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("reveille: ok: 40 schedules break no rule"));
    assert!(stderr(&output).contains("xtask: 36 of 40 schedules"));
    assert_eq!(sim(&["--explore", "0"]).status.code(), Some(2));
}

#[test]
fn the_list_has_all_models() {
    let output = sim(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let listed = text.lines().filter_map(|line| line.split(' ').next());
    assert_eq!(
        listed.collect::<Vec<_>>(),
        Model::names().collect::<Vec<_>>()
    );
}

#[test]
fn growth_is_told_by_size_and_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("growth.svg");
    let plot = path.to_str().expect("UTF-8");
    let words = ["--model", "synthetic", "--growth", "--cpus", "48"];
    let output = sim(&[&words[..], &["--plot", plot]].concat());
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let sizes = text
        .lines()
        .skip(3)
        .filter_map(|line| line.split_whitespace().next());
    assert_eq!(sizes.collect::<Vec<_>>(), ["2", "4", "8", "16", "32", "48"]);
    assert!(
        fs::read_to_string(path)
            .expect("it was drawn")
            .contains("</svg>")
    );
}

/// Runs `cargo xtask sim` with these words, its output going there.
fn sim_to(words: &[&str], stdout: impl Into<Stdio>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("sim").args(words).stdout(stdout);
    let child = command.stderr(Stdio::piped()).spawn();
    child
        .and_then(std::process::Child::wait_with_output)
        .expect("xtask starts")
}

/// One of each kind of simulation.
const KINDS: [&[&str]; 4] = [
    &["--list"],
    &["--model", "synthetic"],
    &["--model", "synthetic", "--growth", "--cpus", "8"],
    &["--explore", "1"],
];

#[test]
fn where_nobody_reads_on_a_simulation_ends_quietly_and_its_records_are_whole() {
    for words in KINDS {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = sim_to(words, writer);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        let told = stderr(&output);
        assert!(
            !told.contains("panicked") && !told.contains("pipe"),
            "{told}"
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sim.jsonl");
    let json = path.to_str().expect("UTF-8");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    sim_to(&["--model", "synthetic", "--json", json], writer);
    assert!(records(&path).exit().is_ok());
}

#[test]
fn what_cannot_be_written_is_told_in_a_line() {
    for words in KINDS {
        let full = File::create("/dev/full").expect("Linux has it");
        let output = sim_to(words, full);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let told = stderr(&output);
        let last = told.lines().last().unwrap_or_default();
        let expected = "xtask: cannot write to the standard output: ";
        assert!(last.starts_with(expected), "{told}");
        assert!(!told.contains("panicked"), "{told}");
    }
    let output = sim(&["--model", "synthetic", "--json", "/dev/null/none"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write /dev/null/none: "));
}

#[test]
fn a_prediction_that_misses_what_was_asked_is_told_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    let theirs = workspace().join("tests/models/synthetic.toml");
    let text = fs::read_to_string(theirs).expect("it is there");
    let asked = "
        [[total]]
        strategy = \"serial\"
        part = \"all\"
        ms = 1.0
        use = \"validated\"
        within-percent = 0.001
        source = \"nobody\"
    ";
    fs::write(&path, text + asked).expect("the folder can be written");
    let words = ["--strategy", "serial", "--strategy", "parallel"];
    let output = sim(&[&["--model", path.to_str().expect("UTF-8")], &words[..]].concat());
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.ends_with("reveille: ok, but 1 of 1 prediction missed what was asked\n"));
    assert!(text.contains(" 1x is serial\n"));
}

#[test]
fn a_model_in_which_nothing_takes_time_is_told_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("empty.toml");
    let shape = "packages = 1\ncores = 2\nthreads = 1\nnumbering = \"siblings-together\"";
    let text = format!("title = \"nothing\"\n[shape]\n{shape}\n");
    fs::write(&path, text).expect("the folder can be written");
    let output = sim(&["--model", path.to_str().expect("UTF-8")]);
    let told = stderr(&output);
    let expected = "xtask: the model empty has 0 [[cost]] and 0 [[step]]";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(told.lines().count(), 1);
    assert!(stderr(&sim(&["--model", "synthetic"])).is_empty());
}

#[test]
fn a_cpu_with_a_clock_of_its_own_is_marked() {
    let text = stdout(&sim(&[
        "--model",
        "synthetic",
        "--fault",
        "3:skew=-10000000",
    ]));
    assert!(text.contains("\nCPU 3: times from real mode on are by its own clock"));
    assert!(text.contains("\nCPU 3's clock is 10 s behind"));
}
