//! `trace on|off|show`: what each CPU does, event by event.

use alloc::{string::ToString, vec::Vec};

use crate::{
    console::print_lines,
    println,
    shell::{command::TraceAsked, context::Context, jobs::Outcome, tables::EventsTable},
    trace,
};

/// As many events are shown: two screens.
const MOST_SHOWN: usize = 48;

pub(super) async fn run(asked: TraceAsked, context: &'static Context) -> Outcome {
    if !trace::has_tracks() {
        return Err("no CPU has room to note events: boot with trace=N".to_string());
    }
    match asked {
        TraceAsked::On => trace::begin(),
        TraceAsked::Off => trace::end(),
        TraceAsked::Show => return show(context).await,
    }
    let word = if trace::is_wanted() { "are" } else { "are not" };
    println!("trace: events {word} noted");
    Ok(())
}

/// Nothing is noted while the rings are read.
async fn show(context: &'static Context) -> Outcome {
    let pause = trace::pause();
    context.timer().sleep(trace::REST).await;
    let latest = trace::latest(MOST_SHOWN, context.cpus().machine.clock);
    drop(pause);
    let events = latest.map_err(|_| "there is no memory to sort the events".to_string())?;
    if events.is_empty() {
        println!("trace: nothing was noted; `trace on` begins");
        return Ok(());
    }
    let ladder = context.operations.ladder();
    let steps: Vec<_> = ladder.steps().iter().map(|step| step.name()).collect();
    print_lines(EventsTable {
        events: &events,
        steps: &steps,
    });
    Ok(())
}
