//! What a person sees of CPUs that went down and came back: a line for all cycles, some for all
//! random operations, some for all stops, a line for each operation and one for each CPU that failed in it.
//! They fit 80 columns. Made from the records, so that whoever has records can print it.

use core::{fmt, iter};

use alloc::{
    format,
    string::{String, ToString},
};

use crate::{
    call_summary::OfCalls,
    lines::{Parts, Words},
    record::{Balance, Cycle, Op, OpFailure, Stop, StopTimes, Torture},
    table::Millis,
};

/// The line for all cycles, without an end of line.
pub struct CycleLine<'a>(pub &'a Cycle);

impl fmt::Display for CycleLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cycle {
            asked,
            done,
            aps,
            lost,
            failed,
            interrupted,
            duration_ns,
            balance,
        } = self.0;
        let each = Millis {
            nanos: duration_ns / u64::from(*done).max(1),
        };
        let word = if *aps == 1 { "AP" } else { "APs" };
        let parts = [
            format!("{done} of {asked}{}", Interrupted(*interrupted)),
            format!("{aps} {word} down and up"),
            format!("{lost} lost"),
            format!("{failed} failed"),
            format!("{each} ms each"),
        ];
        let parts = parts.into_iter().chain(Growth(balance).parts());
        Parts::with_commas("cycle: ", parts).fmt(f)
    }
}

/// The lines for all random operations and the calls meanwhile, below one for the rule that was broken,
/// with the end of the last left out.
pub struct TortureLine<'a>(pub &'a Torture);

impl fmt::Display for TortureLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(broken) = &self.0.broken {
            writeln!(f, "torture: {broken}")?;
        }
        let Torture {
            seed,
            done,
            aps,
            injected,
            calls,
            lost,
            failed,
            interrupted,
            duration_ns,
            balance,
            ..
        } = self.0;
        let word = if *aps == 1 { "AP" } else { "APs" };
        let seconds = duration_ns / 1_000_000_000;
        let interrupted = Interrupted(*interrupted);
        let parts = [
            format!("{done} operations on {aps} {word} in {seconds} s{interrupted}"),
            format!("seed {seed}"),
            format!("{lost} lost"),
            format!("{failed} failed"),
        ];
        write!(
            f,
            "{}\n{}\n{}",
            Parts::with_commas("torture: ", parts),
            Words {
                text: &format!("{:9}{injected} failures injected; {}", "", OfCalls(calls)),
                indent: 9
            },
            Parts::with_commas("         ", Growth(balance).parts())
        )
    }
}

/// The lines for all stops of the machine and how long it stood, below one for the first that failed,
/// with the end of the last left out.
pub struct StopLine<'a>(pub &'a Stop);

impl fmt::Display for StopLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stop {
            asked,
            cpus,
            done,
            failed,
            together,
            reason,
            interrupted,
            one,
            all,
            ..
        } = self.0;
        if let Some(reason) = reason {
            writeln!(f, "stop: {reason}")?;
        }
        let word = if *cpus == 1 { "CPU" } else { "CPUs" };
        let parts = [
            format!("{done} of {asked}{}", Interrupted(*interrupted)),
            format!("{cpus} {word}"),
            format!("{together} together with another"),
            format!("{failed} failed"),
        ];
        Parts::with_commas("stop: ", parts).fmt(f)?;
        let mut separator = "\n      ";
        for (name, times) in [("one runs", one), ("all run", all)] {
            if let Some(StopTimes { total_ns, .. }) = times {
                let ms = |nanos| Millis { nanos };
                let (median, longest) = (ms(total_ns.p50), ms(total_ns.max));
                write!(f, "{separator}{name}: {median} ms (longest {longest})")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}

/// What is said behind how much was done, where it was ended early.
pub(crate) struct Interrupted(pub(crate) bool);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { ", interrupted" } else { "" })
    }
}

/// By how much the use of memory has grown, or shrunk.
pub(crate) struct Growth<'a>(pub(crate) &'a Balance);

impl Growth<'_> {
    /// As parts of a line.
    pub(crate) fn parts(&self) -> impl Iterator<Item = String> + use<> {
        let (heap, frames) = (self.0.heap_growth(), self.0.frames_growth());
        let not_judged = "not judged: others used memory meanwhile";
        iter::once(format!("heap {heap:+} B, frames {frames:+}"))
            .chain(self.0.disturbed.then(|| String::from(not_judged)))
    }
}

/// An operation: a line for each CPU that failed in it, and one for the whole, without an end of
/// line.
pub struct OpLines<'a>(pub &'a Op);

impl fmt::Display for OpLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Op {
            op,
            cpus,
            done,
            duration_ns,
            failures,
            ..
        } = self.0;
        for failure in failures {
            let text = Failed(failure).to_string();
            writeln!(
                f,
                "{}",
                Words {
                    text: &text,
                    indent: 7
                }
            )?;
        }
        let nanos = *duration_ns;
        // As words: a colon stands behind the whole.
        f.write_str("op: ")?;
        for (index, word) in op.split(':').enumerate() {
            write!(f, "{}{word}", if index == 0 { "" } else { " " })?;
        }
        write!(f, ": {done} of {cpus} in {} ms", Millis { nanos })
    }
}

/// What befell one CPU.
struct Failed<'a>(&'a OpFailure);

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OpFailure {
            cpu,
            from,
            to,
            rung,
            outcome,
            step,
            reason,
            rollback,
        } = self.0;
        write!(f, "CPU {cpu}: ")?;
        match outcome {
            Some(outcome) => write!(f, "{outcome}")?,
            None => write!(f, "left alone")?,
        }
        if let Some(step) = step {
            write!(f, " at step {step}")?;
        }
        if let Some(reason) = reason {
            write!(f, "; {reason}")?;
        }
        write!(
            f,
            "; it was to go from rung {from} to {to} and is at {rung}"
        )?;
        if let Some(rollback) = rollback {
            write!(f, ", as the way back failed: {rollback}")?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{
        string::{String, ToString},
        vec,
    };

    use super::*;
    use crate::{cpu::CpuIndex, outcome::Outcome, record::CallTotals, spread::Spread};

    const EVEN: Balance = Balance {
        heap_before: 1000,
        heap_after: 1000,
        frames_before: 50,
        frames_after: 50,
        disturbed: false,
    };

    #[test]
    fn the_line_of_all_cycles_tells_what_was_asked_what_was_done_and_what_it_left_behind() {
        let mut cycle = Cycle {
            asked: 1000,
            done: 1000,
            aps: 7,
            lost: 0,
            failed: 0,
            interrupted: false,
            duration_ns: 530_000_000,
            balance: EVEN,
        };
        assert_eq!(
            CycleLine(&cycle).to_string(),
            "cycle: 1000 of 1000, 7 APs down and up, 0 lost, 0 failed, 0.53 ms each,\n       \
             heap +0 B, frames +0"
        );
        cycle.done = 0;
        cycle.aps = 1;
        cycle.interrupted = true;
        cycle.balance.heap_after = 990;
        cycle.balance.frames_after = 53;
        assert!(
            CycleLine(&cycle).to_string().ends_with(
                "0 of 1000, interrupted, 1 AP down and up, 0 lost, 0 failed, 530 ms each,\n       \
                 heap -10 B, frames +3"
            ),
            "{}",
            CycleLine(&cycle)
        );
        cycle.balance.disturbed = true;
        let line = CycleLine(&cycle).to_string();
        assert!(
            line.ends_with("frames +3, not judged: others used memory meanwhile"),
            "{line}"
        );
    }

    #[test]
    fn the_line_of_random_operations_has_the_seed_that_repeats_them() {
        let torture = Torture {
            seconds: 20,
            seed: 4242,
            done: 9000,
            aps: 7,
            hotplugs: 7000,
            injected: 300,
            calls: CallTotals {
                done: 5000,
                failed: 40,
                ..CallTotals::default()
            },
            lost: 1,
            failed: 1,
            broken: Some("operation 9000 (2 to offline): CPU 2 is Online at rung 0".into()),
            interrupted: false,
            duration_ns: 20_999_999_999,
            balance: EVEN,
        };
        assert_eq!(
            TortureLine(&torture).to_string(),
            "torture: operation 9000 (2 to offline): CPU 2 is Online at rung 0\n\
             torture: 9000 operations on 7 APs in 20 s, seed 4242, 1 lost, 1 failed\n         \
             300 failures injected; 5000 calls ran, 40 failed, 0 lost\n         \
             heap +0 B, frames +0"
        );
    }

    #[test]
    fn the_line_of_stops_tells_medians_and_why_the_first_failed() {
        let spread = |p50, max| Spread {
            min: 1,
            p50,
            p99: max,
            max,
        };
        let mut stop = Stop {
            asked: 40,
            cpus: 8,
            done: 40,
            failed: 0,
            together: 6,
            reason: None,
            interrupted: false,
            missing: vec![],
            one: Some(StopTimes {
                samples: 40,
                gathering_ns: spread(90_000, 900_000),
                total_ns: spread(140_000, 1_340_000),
            }),
            all: None,
            duration_ns: 1,
        };
        assert_eq!(
            StopLine(&stop).to_string(),
            "stop: 40 of 40, 8 CPUs, 6 together with another, 0 failed\n      \
             one runs: 0.14 ms (longest 1.34)"
        );
        stop.all = stop.one.clone();
        let lines = StopLine(&stop).to_string();
        let last = "\n      one runs: 0.14 ms (longest 1.34); all run: 0.14 ms (longest 1.34)";
        assert!(lines.ends_with(last), "{lines}");
        assert!(lines.lines().all(|line| line.len() <= 80), "{lines}");
        stop.all = None;
        (stop.done, stop.failed, stop.one) = (39, 1, None);
        stop.reason = Some("CPU 0: CPU 3 did not come".into());
        assert_eq!(
            StopLine(&stop).to_string(),
            "stop: CPU 0: CPU 3 did not come\nstop: 39 of 40, 8 CPUs, 6 together with another, 1 failed"
        );
    }

    #[test]
    fn all_lines_fit_80_columns() {
        let most = Balance {
            heap_before: 0,
            heap_after: 99_999_999,
            frames_before: 0,
            frames_after: 99_999,
            disturbed: true,
        };
        let cycle = Cycle {
            asked: 1_000_000_000,
            done: 1_000_000_000,
            aps: 511,
            lost: 511,
            failed: 511,
            interrupted: true,
            duration_ns: u64::MAX,
            balance: most,
        };
        let torture = Torture {
            seconds: 86_400,
            seed: u32::MAX,
            done: 1_000_000_000,
            aps: 511,
            hotplugs: 0,
            injected: 1_000_000,
            calls: CallTotals {
                done: 1_000_000_000,
                failed: 1_000_000,
                lost: 1_000,
                ..CallTotals::default()
            },
            lost: 511,
            failed: 511,
            broken: None,
            interrupted: true,
            duration_ns: 86_400_000_000_000,
            balance: most,
        };
        let stop = Stop {
            asked: 1_000_000_000,
            cpus: 512,
            done: 1_000_000_000,
            failed: 1_000_000,
            together: 1_000_000,
            reason: None,
            interrupted: true,
            missing: vec![],
            one: None,
            all: None,
            duration_ns: 1,
        };
        let told = [
            CycleLine(&cycle).to_string(),
            TortureLine(&torture).to_string(),
            StopLine(&stop).to_string(),
        ];
        let mut lines = told.iter().flat_map(|lines| lines.lines());
        assert!(lines.all(|line| line.len() <= 80), "{told:#?}");
    }

    #[test]
    fn an_operation_has_a_line_and_so_has_each_cpu_that_failed_in_it() {
        let mut op = Op {
            op: "target:1-3:join".into(),
            cpus: 3,
            done: 3,
            failed: 0,
            duration_ns: 210_000,
            failures: vec![],
        };
        assert_eq!(
            OpLines(&op).to_string(),
            "op: target 1-3 join: 3 of 3 in 0.21 ms"
        );
        op.done = 2;
        op.failed = 1;
        op.failures.push(OpFailure {
            cpu: CpuIndex(2),
            from: 0,
            to: 8,
            rung: 3,
            outcome: Some(Outcome::Failed),
            step: Some(String::from("join")),
            reason: Some(String::from("fail asked for it")),
            rollback: Some(String::from("the canary is gone")),
        });
        assert_eq!(
            OpLines(&op).to_string(),
            "CPU 2: failed at step join; fail asked for it; it was to go from rung 0 to 8 and\n       \
             is at 3, as the way back failed: the canary is gone\n\
             op: target 1-3 join: 2 of 3 in 0.21 ms"
        );
    }
}
