//! `cycle`, `torture`, `stop`, `calls` and `ipi`: what the boot does where its command line asks for it, by
//! the same functions.
//!
//! One of them runs at a time: each accounts for what it does itself.

use alloc::string::ToString;
use core::num::NonZero;

use crate::{
    calling::{self, pairs::Pairs},
    command_line::Options,
    interruption::Interruption,
    operations::one_way,
    shell::{command::Pair, context::Context, jobs::Outcome},
    stops,
};

pub(super) async fn cycle(
    cycles: NonZero<u32>,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    let cycles = cycles.get();
    operate(context, interruption, |asked| asked.cycles = cycles).await
}

pub(super) async fn torture(
    seconds: NonZero<u32>,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    let seconds = seconds.get();
    operate(context, interruption, |asked| {
        asked.torture_seconds = seconds
    })
    .await
}

async fn operate(
    context: &'static Context,
    interruption: &Interruption,
    ask: impl FnOnce(&mut Options),
) -> Outcome {
    takes_back(context)?;
    let asked = asked(context, ask);
    let Some(_alone) = context.measure(interruption).await else {
        return Ok(());
    };
    let operated = context.operations.run(&asked, context.seed(), interruption);
    let operated = operated.await.map_err(|error| error.to_string())?;
    operated.write();
    operated.verdict().map_err(|unsound| unsound.to_string())
}

pub(super) async fn stop(
    stops: NonZero<u32>,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    let asked = asked(context, |asked| asked.stops = stops.get());
    let Some(_alone) = context.measure(interruption).await else {
        return Ok(());
    };
    let stopped = stops::run(context.operations, &asked, context.seed(), interruption).await;
    stopped.write();
    stopped.verdict().map_err(|error| error.to_string())
}

pub(super) async fn calls(
    calls: NonZero<u32>,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    let calls = calls.get();
    call(context, interruption, |asked| asked.calls = calls).await
}

pub(super) async fn ipi(
    pair: Option<Pair>,
    context: &'static Context,
    interruption: &Interruption,
) -> Outcome {
    let pairs = match pair {
        None => Pairs::default(),
        Some(Pair { from, to, samples }) => Pairs {
            samples,
            only: Some((from, to)),
        },
    };
    call(context, interruption, |asked| asked.ipi = Some(pairs)).await
}

async fn call(
    context: &'static Context,
    interruption: &Interruption,
    ask: impl FnOnce(&mut Options),
) -> Outcome {
    let asked = asked(context, ask);
    let Some(_alone) = context.measure(interruption).await else {
        return Ok(());
    };
    let called = calling::run(context.operations, &asked, context.seed(), interruption).await;
    called.write();
    called.verdict().map_err(|error| error.to_string())
}

/// As at boot, but for what is to be done: that is only what is asked for now.
fn asked(context: &'static Context, ask: impl FnOnce(&mut Options)) -> Options {
    let mut asked = Options {
        tests: context.options.tests.clone(),
        ..Options::default()
    };
    ask(&mut asked);
    asked
}

/// Whether CPUs that go down can come back.
pub(super) fn takes_back(context: &'static Context) -> Outcome {
    match context.cpus().machine.wakes_again() {
        true => Ok(()),
        false => Err(one_way::REASON.to_string()),
    }
}
