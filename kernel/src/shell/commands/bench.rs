//! `bench`: strategies side by side, from all CPUs that are there online to all of them online.
//!
//! Behind it each CPU is where it was before, however the measurement ended: those that were online are
//! brought back, those that were not go back to where they rested.

use alloc::{format, string::ToString, vec::Vec};
use core::slice;

use reveille_smp::{
    contender::Contenders, cpu::CpuIndex, ladder::Rung, machine::Way, ranges::Ranges,
    strategy::Strategy,
};

use super::measure::takes_back;
use crate::{
    bench::{ORDER, Results},
    console::print_lines,
    interruption::Interruption,
    println, report,
    shell::{context::Context, jobs::Outcome},
};

pub(super) async fn run(
    strategy: Option<Strategy>,
    rounds: u32,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    takes_back(context)?;
    let Some(_alone) = context.measure(interruption).await else {
        return Ok(());
    };
    let Some(_turn) = interruption.unless(context.operations.turn()).await else {
        return Ok(());
    };
    if context.cpus().areas().next().is_none() {
        println!("bench: there are no APs, and nothing to compare");
        return Ok(());
    }
    // All are brought up, again and again, and these may not.
    let held: Ranges = context.operations.held().map(|cpu| cpu.0).collect();
    if !held.is_empty() {
        return Err(format!(
            "bench: it brings up all CPUs, and SMT is off, which holds CPUs {held}: `smt on` lets them come"
        ));
    }
    let before = places(context);
    let mut results = Results::default();
    let measured = measure(strategy, rounds, context, &mut results, interruption).await;
    let back = put_back(context, &before).await;
    tell(&results, context, interruption.is_asked());
    measured?;
    back
}

async fn measure(
    strategy: Option<Strategy>,
    rounds: u32,
    context: &'static Context,
    results: &mut Results,
    interruption: &Interruption,
) -> Outcome {
    let bench = context.bench();
    let measured = match &strategy {
        Some(strategy) => {
            let strategies = slice::from_ref(strategy);
            bench
                .run_strategies(strategies, rounds, results, interruption)
                .await
        }
        // The yardsticks count on everybody.
        None if context.is_to_miss_any() => {
            bench
                .run_strategies(&ORDER, rounds, results, interruption)
                .await
        }
        None => {
            let all = Contenders::default();
            bench.run(all, rounds, results, interruption).await
        }
    };
    measured.map_err(|error| error.to_string())
}

/// Where each AP is.
fn places(context: &'static Context) -> Vec<(CpuIndex, Rung)> {
    let members = context.operations.members().into_iter();
    members.map(|member| (member.cpu, member.rung)).collect()
}

/// Sends all to where they were.
async fn put_back(context: &'static Context, before: &[(CpuIndex, Rung)]) -> Outcome {
    let now = places(context);
    let is_elsewhere = |place: &&(CpuIndex, Rung)| !now.contains(place);
    let elsewhere: Vec<_> = before.iter().filter(is_elsewhere).copied().collect();
    let moved = context.operations.move_all(&elsewhere).await;
    let lost = moved.iter().filter(|moved| moved.rung != moved.to);
    let lost: Ranges = lost.map(|moved| moved.cpu.0).collect();
    match lost.is_empty() {
        true => Ok(()),
        false => Err(format!("did not come back to where they were: CPUs {lost}")),
    }
}

fn tell(results: &Results, context: &'static Context, is_interrupted: bool) {
    results.records().for_each(|record| report::write(&record));
    let rounds = results.bringups.iter().map(|round| round.round).max();
    let Some(rounds) = rounds else {
        if is_interrupted {
            println!("bench: interrupted before anything was measured");
        }
        return;
    };
    print_lines(results.comparison(rounds));
    if context.cpus().machine.way() == Way::Mailbox {
        note("no yardsticks: they need INIT and SIPI; broadcast runs as parallel does");
    }
    if is_interrupted {
        note("interrupted: the last round may have less of some than of others");
    }
}

/// Below the comparison.
fn note(text: &str) {
    println!("{:10}{text}", "");
}
