//! Boots to look at, behind those that are measured: each machine once with a trace, and once for calls between
//! its CPUs, which would push the bring-up out of the trace.
//!
//! They count for nothing, so one that fails is told and takes nothing away.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{
    bench::{
        cell::Machine,
        results::{FILE, Results},
    },
    guest::Ended,
    interrupt::Interrupts,
    outcome::Outcome,
    qemu::machine,
    report::{
        MOST_IN_PAIRS,
        charts::{Calls, Charts, Kept},
    },
};

/// Calls of each pair: enough for a median that a spoilt one does not move, and few enough for 64 CPUs.
const CALLS: u32 = 15;

/// How the boots are done.
pub(super) struct Looks<'a, B> {
    pub(super) boot: B,
    pub(super) interrupts: &'a Interrupts,
}

impl<B: Fn(&machine::Machine) -> Result<Ended>> Looks<'_, B> {
    /// Boots those of the machines of which not all is beside the results in `folder`, and keeps what there is to see.
    /// Ends in 1 where a boot failed or cannot be kept, and like an interrupted benchmark where somebody ends it.
    ///
    /// # Errors
    ///
    /// The folder takes no file.
    pub(super) fn keep<'m>(
        &self,
        machines: impl IntoIterator<Item = &'m Machine>,
        folder: &Path,
    ) -> Result<ExitCode> {
        let mut charts = Charts::beside(folder);
        if let Some(problem) = &charts.problem {
            eprintln!("xtask: {} {problem}", charts.path().display());
        }
        let mut code = ExitCode::SUCCESS;
        for machine in machines {
            let has_all = |kept: &Kept| !kept.failed && (kept.ipi.is_some() || !has_pairs(machine));
            if charts.find(machine).is_some_and(has_all) {
                continue;
            }
            eprintln!("xtask: {machine}: again, to look at");
            let looked = self.look(machine);
            if let Some(signal) = self.interrupts.received() {
                eprintln!("xtask: interrupted; --resume makes the pictures that are missing");
                return Ok(ExitCode::from(Outcome::Interrupted(signal).exit_code()));
            }
            let problem = match looked {
                Ok((kept, problem)) => {
                    charts.replace(kept);
                    charts.write()?;
                    problem
                }
                Err(error) => Some(format!("nothing to look at: {error:#}")),
            };
            if let Some(problem) = problem {
                eprintln!("xtask: {machine}: {problem}");
                code = ExitCode::FAILURE;
            }
        }
        Ok(code)
    }

    /// What there is to see of a machine, and what went wrong. A CPU that does not come up ends a boot as failed, and
    /// is well worth a look; so is a boot whose calls fail.
    fn look(&self, machine: &Machine) -> Result<(Kept, Option<String>)> {
        let traced = self.boot(machine, "trace=on")?;
        let mut kept = Kept::of(machine, &traced.records)?;
        if traced.outcome != Outcome::Ok {
            kept.failed = true;
            let problem = format!("the boot to look at: {}", traced.outcome);
            return Ok((kept, Some(problem)));
        }
        if !has_pairs(machine) || self.interrupts.received().is_some() {
            return Ok((kept, None));
        }
        let problem = match self.calls(machine) {
            Ok(calls) => {
                kept.ipi = Some(calls);
                None
            }
            Err(error) => Some(format!("calls between its CPUs: {error:#}")),
        };
        Ok((kept, problem))
    }

    fn calls(&self, machine: &Machine) -> Result<Calls> {
        let Ended {
            outcome, records, ..
        } = self.boot(machine, &format!("ipi=matrix:{CALLS}"))?;
        ensure!(outcome == Outcome::Ok, "{outcome}");
        Calls::of(&records)?.context("there is no record of them")
    }

    fn boot(&self, machine: &Machine, words: &str) -> Result<Ended> {
        (self.boot)(&machine.qemu().append(words))
    }
}

fn has_pairs(machine: &Machine) -> bool {
    (2..=MOST_IN_PAIRS).contains(&machine.smp.cpus())
}

/// Whether boots can be kept beside the results of `folder`: a benchmark asks before its first one.
///
/// # Errors
///
/// There is a file of another program, or of results that are no more.
pub(super) fn check(folder: &Path) -> Result<()> {
    let charts = Charts::beside(folder);
    let path = charts.path();
    ensure!(
        folder.join(FILE).exists() || !path.exists(),
        "{} is of other results: move it away, or choose another folder",
        path.display()
    );
    charts.check()
}

/// Joins what lies beside several files of results into one beside `folder`'s, in the order of its plan. Of a machine
/// that several have, the first is kept.
///
/// # Errors
///
/// The folder takes no file.
pub(super) fn join(parts: &[impl AsRef<Path>], folder: &Path, results: &Results) -> Result<()> {
    let mut joined = Charts::beside(folder);
    for part in parts {
        let charts = Charts::beside(part.as_ref());
        if let Some(problem) = &charts.problem {
            eprintln!("xtask: {} {problem}", charts.path().display());
        }
        charts.kept.into_iter().for_each(|kept| joined.add(kept));
    }
    let plan = &results.header.plan;
    let place = |kept: &Kept| plan.iter().position(|machine| *machine == kept.machine);
    joined
        .kept
        .sort_by_key(|kept| place(kept).unwrap_or(plan.len()));
    match joined.kept.is_empty() {
        true => Ok(()),
        false => joined.write(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::{bench::results::tests::header, qemu::process::Usage, records::Records};

    const BOOT: &str = r#"{"record":"boot","schema":1,"machine":"m","accel_hint":"","cpus_listed":2,"cpus_enabled":2,"apic":"x2apic","tsc_hz":1,"clock_source":"hpet","entry_to_kick_ns":0}"#;
    const BRINGUP: &str = r#"{"record":"bringup","strategy":"parallel","round":0,"aps":1,"online":1,"failed":0,"kick_ns":0,"alive_ns":0,"online_ns":5,"total_ns":9,"polls":9,"spurious_polls":1,"doorbells":2}"#;
    const IPI: &str = r#"{"record":"ipi","from":0,"to":1,"samples":15,"queue_to_entry_ns":null,"send_to_entry_ns":null,"round_trip_ns":{"min":1,"p50":1,"p99":4,"max":4,"histogram":[1,0,1]},"uncertainty_ns":null}"#;

    fn ended(outcome: Outcome, lines: &[&str]) -> Result<Ended> {
        let mut records = Records::default();
        lines
            .iter()
            .for_each(|line| records.push((*line).to_owned()));
        Ok(Ended {
            outcome,
            console: String::new(),
            records,
            whereabouts: Vec::new(),
            elapsed: Duration::ZERO,
            usage: Usage::default(),
        })
    }

    fn traced(machine: &machine::Machine) -> bool {
        machine.command_line.contains("trace=on")
    }

    fn failed() -> Outcome {
        Outcome::Failed("no".to_owned())
    }

    /// The boots of a machine of two CPUs, and what is kept of it.
    fn looked(
        folder: &Path,
        boot: impl Fn(&machine::Machine, &Interrupts) -> Result<Ended>,
    ) -> (ExitCode, Vec<Kept>) {
        let interrupts = Interrupts::default();
        let looks = Looks {
            boot: |machine: &machine::Machine| boot(machine, &interrupts),
            interrupts: &interrupts,
        };
        let code = looks.keep(&[Machine::new(2)], folder);
        let code = code.expect("the folder takes it");
        (code, Charts::beside(folder).kept)
    }

    fn good(machine: &machine::Machine, _: &Interrupts) -> Result<Ended> {
        match traced(machine) {
            true => ended(Outcome::Ok, &[BOOT, BRINGUP]),
            false => ended(Outcome::Ok, &[IPI]),
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn calls_that_fail_are_told_and_cost_no_timeline_and_are_made_by_the_next_one() {
        let folder = folder();
        let (code, kept) = looked(folder.path(), |machine, interrupts| match traced(machine) {
            true => good(machine, interrupts),
            false => ended(failed(), &[IPI]),
        });
        assert_eq!(code, ExitCode::FAILURE);
        assert_eq!((kept.len(), &kept[0].ipi), (1, &None));
        let (code, kept) = looked(folder.path(), good);
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].ipi.as_ref().map(|calls| calls.samples), Some(15));
        // And then there is nothing left to be booted.
        let (code, again) = looked(folder.path(), |_, _| unreachable!("all is there"));
        assert_eq!((code, again), (ExitCode::SUCCESS, kept));
    }

    #[test]
    fn a_traced_boot_that_failed_is_kept_and_ends_in_1() {
        let folder = folder();
        let (code, kept) = looked(folder.path(), |_, _| ended(failed(), &[BOOT, BRINGUP]));
        assert_eq!((code, kept.len()), (ExitCode::FAILURE, 1));
        let nothing = folder.path().join("nothing");
        fs::create_dir(&nothing).expect("it is new");
        let (code, kept) = looked(&nothing, |_, _| ended(failed(), &[]));
        assert_eq!((code, kept.len()), (ExitCode::FAILURE, 0));
    }

    #[test]
    fn a_traced_boot_that_failed_is_tried_again_however_many_cpus_it_has() {
        let (folder, interrupts) = (folder(), Interrupts::default());
        let large = Machine::new(MOST_IN_PAIRS + 1);
        let keep = |outcome: &dyn Fn() -> Outcome| {
            let looks = Looks {
                boot: |_: &machine::Machine| ended(outcome(), &[BOOT, BRINGUP]),
                interrupts: &interrupts,
            };
            let code = looks.keep([&large], folder.path());
            let kept = Charts::beside(folder.path()).kept;
            let failed: Vec<_> = kept.iter().map(|kept| kept.failed).collect();
            (code.expect("the folder takes it"), failed)
        };
        assert_eq!(keep(&failed), (ExitCode::FAILURE, vec![true]));
        assert_eq!(keep(&|| Outcome::Ok), (ExitCode::SUCCESS, vec![false]));
        let none = || unreachable!("all is there");
        assert_eq!(keep(&none), (ExitCode::SUCCESS, vec![false]));
    }

    #[test]
    fn a_signal_during_the_boots_ends_as_signals_do_and_keeps_no_half() {
        let folder = folder();
        let (code, kept) = looked(folder.path(), |machine, interrupts| {
            if !traced(machine) {
                interrupts.receive(2);
                return ended(Outcome::Interrupted(2), &[]);
            }
            good(machine, interrupts)
        });
        assert_eq!((code, kept.len()), (ExitCode::from(130), 0));
    }

    #[test]
    fn what_cannot_be_kept_is_found_by_the_check_with_what_to_do() {
        let folder = folder();
        check(folder.path()).expect("there is nothing");
        looked(folder.path(), good);
        let stale = check(folder.path()).expect_err("there are no results");
        assert!(stale.to_string().contains("move it away"), "{stale}");
        fs::write(folder.path().join(FILE), "").expect("there is room");
        check(folder.path()).expect("they belong to each other");
        let path = Charts::beside(folder.path()).path().to_owned();
        fs::write(path, "{\"record\":\"chart\",\"schema\":9}\n").expect("there is room");
        let foreign = check(folder.path()).expect_err("it is not ours");
        let told = foreign.to_string();
        assert!(
            told.contains("schema 9") && told.contains("move it away"),
            "{told}"
        );
    }

    #[test]
    fn parts_are_joined_in_the_order_of_the_plan_and_what_it_does_not_have_comes_last() {
        let folder = folder();
        let part = folder.path().join("part");
        fs::create_dir(&part).expect("it is new");
        let (_, kept) = looked(&folder.path().join("part"), good);
        let mut charts = Charts::beside(&part);
        charts.kept = [64, 8, 2]
            .map(|cpus| Kept {
                machine: Machine::new(cpus),
                ..kept[0].clone()
            })
            .into();
        charts.write().expect("there is room");
        let results = Results::new(header());
        join(&[part], folder.path(), &results).expect("there is room");
        let joined = Charts::beside(folder.path()).kept;
        let cpus: Vec<_> = joined.iter().map(|kept| kept.machine.smp.cpus()).collect();
        assert_eq!(cpus, [2, 8, 64]);
    }
}
