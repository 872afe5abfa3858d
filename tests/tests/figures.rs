//! The figures of the documentation are those of the committed results.

use std::{collections::BTreeSet, fs::File, io::BufReader};

use reveille_tests::{
    bench::figures::{PAGES, PICTURES, outside, page},
    kernel::workspace,
    trace::check,
};

#[test]
fn every_table_is_made_from_the_committed_results() {
    for name in PAGES {
        let [text, fresh] = page(workspace(), name).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(
            text == fresh,
            "{name} is not as the results have it: cargo xtask bench figures"
        );
    }
}

#[test]
fn every_picture_is_made_from_the_committed_results() {
    for picture in PICTURES {
        let compared = picture.compared(workspace());
        let [there, fresh] = compared.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(
            there == fresh,
            "{} is not as {} has it: cargo xtask bench figures",
            picture.file,
            picture.source
        );
    }
}

/// The picture itself is of a browser's window, whose bytes differ from machine to machine: TRACE.md says how
/// it is made.
#[test]
fn the_trace_behind_the_picture_has_all_cpus_and_what_started_them() {
    let path = workspace().join("docs/results/trace.json");
    let file = File::open(path).expect("it is committed");
    let picture = check::read(BufReader::new(file)).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(picture.other["overwritten"], 0);
    assert_eq!(picture.tracks.len(), 8);
    for (cpu, track) in picture.tracks.iter().enumerate() {
        assert!(
            track.name.starts_with(&format!("CPU {cpu}, ")),
            "{}",
            track.name
        );
        let stages: BTreeSet<_> = track.slices.iter().map(|it| it.name.as_str()).collect();
        for stage in ["real mode", "long mode", "alive", "online"] {
            assert_eq!(stages.contains(stage), cpu != 0, "{}: {stage}", track.name);
        }
    }
    // Each AP is started by the boot, and again by the cycle.
    let kicks = picture.arrows.iter().filter(|it| it.name == "kick");
    let mut started: Vec<_> = kicks
        .map(|kick| {
            assert_eq!(picture.slice(kick.from).name, "send SIPI");
            assert_eq!(picture.slice(kick.to).name, "real mode");
            (kick.from.0, kick.to.0)
        })
        .collect();
    started.sort_unstable();
    let twice: Vec<_> = (1..8).flat_map(|cpu| [(0, cpu); 2]).collect();
    assert_eq!(started, twice);
}

/// A number with a unit of time behind it, or a factor such as `1.5x` or `50 times`.
fn figures(line: &str) -> Vec<String> {
    let words: Vec<&str> = line
        .split(|letter: char| letter.is_whitespace() || "()|,;:".contains(letter))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_unit = |word: &str| matches!(word, "ns" | "us" | "ms" | "s" | "times" | "%");
    let pairs = words
        .windows(2)
        .filter(|pair| is_number(pair[0]) && is_unit(pair[1]));
    let factors = words.iter().filter(|word| {
        let number = word.strip_suffix('x').or_else(|| word.strip_prefix('x'));
        number.is_some_and(is_number)
    });
    let pairs = pairs.map(|pair| pair.join(" "));
    pairs
        .chain(factors.map(|word| (*word).to_owned()))
        .collect()
}

/// What is no measurement: delays that the strategies have by definition, and bounds that were asked for.
const GIVEN: &[&str] = &["10 ms after each INIT", "moved by more than 2 %"];

#[test]
fn the_benchmarks_name_no_figure_beside_their_tables() {
    let [text, _] = page(workspace(), "BENCHMARKS.md").unwrap_or_else(|error| panic!("{error:#}"));
    for (number, line) in outside(&text).expect("all marks are right") {
        if GIVEN.iter().any(|given| line.contains(given)) {
            continue;
        }
        let figures = figures(&line);
        assert!(
            figures.is_empty(),
            "BENCHMARKS.md, line {number}: {figures:?} come from no result"
        );
    }
}

#[test]
fn a_figure_in_a_sentence_is_found() {
    assert_eq!(
        figures("it takes 1.5 ms (x1.3), or 40 %."),
        ["1.5 ms", "40 %", "x1.3"]
    );
    assert!(figures("64 CPUs, and 3 boots").is_empty());
}
