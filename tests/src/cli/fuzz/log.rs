//! What libFuzzer says of a run (LLVM, "libFuzzer", section "Output").

use std::path::PathBuf;

/// A run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Where the whole text is.
    pub(super) path: PathBuf,
    pub(super) inputs: u64,
    pub(super) inputs_a_second: u64,
    /// How many edges of the code were reached, the target's own included.
    pub(super) edges: u64,
    /// How many there are, those that no input of this target could reach among them.
    pub(super) all_edges: u64,
    /// How many inputs it takes to reach them.
    pub(super) corpus: u64,
    /// What ended the run before its time.
    pub(super) finding: Option<Finding>,
}

/// An input that broke something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) input: PathBuf,
    /// A sentence, or a few.
    pub(super) what: String,
}

impl Log {
    pub(super) fn parse(path: PathBuf, text: &str) -> Self {
        let number = |name: &str| {
            let mut rest = text.lines().filter_map(|line| line.strip_prefix(name));
            rest.next()
                .and_then(|it| it.trim().parse().ok())
                .unwrap_or_default()
        };
        // INFO: Loaded 1 PC tables (1102 PCs): 1102 [0x5600c70694c0,0x5600c706d9a0),
        let table = text.lines().find(|line| line.contains(" PC tables "));
        let all_edges = table.and_then(|line| {
            let (_, rest) = line.split_once('(')?;
            rest.split(' ').next()?.parse().ok()
        });
        // #3908429	DONE   cov: 170 ft: 409 corp: 175/6294b lim: 4096 exec/s: 434269 rss: 28Mb
        let status = text.lines().rev().find(|line| line.contains(" cov: "));
        let field = |name: &str| {
            let mut words = status.unwrap_or_default().split_whitespace();
            words.find(|word| *word == name)?;
            words.next()?.split('/').next()?.parse().ok()
        };
        Self {
            path,
            inputs: number("stat::number_of_executed_units:"),
            inputs_a_second: number("stat::average_exec_per_sec:"),
            edges: field("cov:").unwrap_or_default(),
            all_edges: all_edges.unwrap_or_default(),
            corpus: field("corp:").unwrap_or_default(),
            finding: finding(text),
        }
    }
}

fn finding(text: &str) -> Option<Finding> {
    const WRITTEN: &str = "Test unit written to ";
    let (_, written) = text.split_once(WRITTEN)?;
    let mut lines = text.lines();
    // A panic says where it is, and in the next line what it is; a time-out has one line.
    let what = match lines.find(|line| line.contains(" panicked at ")) {
        Some(place) => format!("{place} {}", lines.next().unwrap_or_default()),
        None => text
            .lines()
            .find(|line| line.contains("ERROR: libFuzzer: "))
            .unwrap_or_default()
            .to_owned(),
    };
    Some(Finding {
        input: written.lines().next()?.into(),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &str = "\
INFO: Loaded 1 PC tables (824 PCs): 824 [0x55866076b788,0x55866076eb08),
#2\tINITED cov: 90 ft: 91 corp: 1/1b exec/s: 0 rss: 25Mb
#64\tDONE   cov: 170 ft: 409 corp: 175/6294b lim: 4096 exec/s: 32 rss: 28Mb
Done 64 runs in 2 second(s)
stat::number_of_executed_units: 64
stat::average_exec_per_sec:     32
";

    fn parse(text: &str) -> Log {
        Log::parse("log".into(), text)
    }

    #[test]
    fn a_run_without_findings_has_its_last_figures() {
        let expected = Log {
            path: "log".into(),
            inputs: 64,
            inputs_a_second: 32,
            edges: 170,
            all_edges: 824,
            corpus: 175,
            finding: None,
        };
        assert_eq!(parse(STATS), expected);
    }

    #[test]
    fn a_panic_is_quoted_with_its_place_and_the_input() {
        let crash = "
thread '<unnamed>' (7) panicked at smp/src/madt.rs:51:5:
attempt to subtract with overflow
stack backtrace:
==7== ERROR: libFuzzer: deadly signal
artifact_prefix='c/'; Test unit written to c/crash-c497
Base64: 4CE=
";
        let expected = Finding {
            input: "c/crash-c497".into(),
            what: "thread '<unnamed>' (7) panicked at smp/src/madt.rs:51:5: attempt to subtract \
                   with overflow"
                .into(),
        };
        assert_eq!(parse(&format!("{STATS}{crash}")).finding, Some(expected));
    }

    #[test]
    fn a_time_out_is_a_finding_too() {
        let text = "==7== ERROR: libFuzzer: timeout after 10 seconds\n\
                    artifact_prefix='c/'; Test unit written to c/timeout-1\n";
        let finding = parse(text).finding.expect("it is one");
        assert_eq!(finding.input, PathBuf::from("c/timeout-1"));
        assert!(finding.what.ends_with("timeout after 10 seconds"));
    }
}
