//! `states`, `online`, `offline`, `target`, `fail`, `smt`: one operation on CPUs.
//!
//! One that has begun is never broken off: it keeps the turn until every CPU is where it was to go, or its
//! deadline has passed.

use alloc::{format, string::ToString};

use reveille_smp::{record::Record, states::StatesTable, summary::OpLines};

use crate::{
    console::print_lines,
    interruption::Interruption,
    operations::{Done, op::Op},
    report,
    shell::{context::Context, jobs::Outcome},
};

pub(super) async fn run(
    name: &str,
    op: &Op,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    let operations = context.operations;
    if *op == Op::States {
        let states = operations.states();
        print_lines(StatesTable(&states));
        for state in states {
            report::write(&Record::State(state));
        }
        return Ok(());
    }
    let cannot = |problem| format!("`{name}` cannot be done: {problem}");
    let Some(turn) = interruption.unless(operations.turn()).await else {
        return Ok(());
    };
    let ops = core::slice::from_ref(op);
    operations.check(ops).map_err(|it| cannot(it.problem))?;
    let done = operations.perform_in(&turn, op).await;
    // Some may have come for the first time.
    operations.compare_clocks(&turn).await;
    drop(turn);
    context.bench().clocks.write();
    if let Done::Op { record, rules } = done.map_err(|it| cannot(it.problem))? {
        print_lines(OpLines(&record));
        let (cpus, failed) = (record.cpus, record.failed);
        report::write(&Record::Op(record));
        rules.map_err(|broken| broken.to_string())?;
        if failed > 0 {
            return Err(format!(
                "not where they were to go: {failed} of {cpus} CPUs"
            ));
        }
    }
    Ok(())
}
