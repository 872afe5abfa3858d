//! What the commands do: a small file each.
//!
//! Each is a future of a task of its own. It prints as the boot does, writes the same records, and looks at
//! its interruption where CPUs can be left. Its error says what would be right.

mod bench;
mod measure;
mod op;
mod trace;
mod view;

use alloc::{format, string::ToString};

use super::{
    command::Command,
    context::Context,
    figures::Moment,
    jobs::{Id, Jobs, Outcome},
    tables::{CpusTable, MetricsTable},
    typed_keys::TypedKeys,
};
use crate::{console::print_lines, interruption::Interruption, operations::in_use};

/// What a command has beside the machine.
pub(super) struct Errand {
    pub(super) id: Id,
    pub(super) jobs: Jobs,
    pub(super) interruption: Interruption,
    /// What is typed while it runs in front, where it takes keys.
    pub(super) keys: TypedKeys,
}

/// Does what a command is for; those that concern the shell alone are done there.
pub(super) async fn run(command: Command, context: &'static Context, errand: Errand) -> Outcome {
    // What it needs, and frees, is nobody's growth who measures meanwhile.
    in_use::disturb();
    let outcome = perform(command, context, errand).await;
    in_use::disturb();
    outcome
}

async fn perform(command: Command, context: &'static Context, errand: Errand) -> Outcome {
    let interruption = &errand.interruption;
    let name = command.to_string();
    match command {
        Command::Cpus => print_lines(CpusTable(&Moment::now(context.cpus()))),
        Command::Metrics => print_lines(MetricsTable(&Moment::now(context.cpus()))),
        Command::Report => context.print_report(),
        Command::Op(op) => return op::run(&name, &op, context, interruption).await,
        Command::Bench { strategy, rounds } => {
            return bench::run(strategy, rounds.get(), context, interruption).await;
        }
        Command::Cycle(cycles) => return measure::cycle(cycles, context, interruption).await,
        Command::Torture { seconds } => {
            return measure::torture(seconds, context, interruption).await;
        }
        Command::Stop(stops) => return measure::stop(stops, context, interruption).await,
        Command::Calls(calls) => return measure::calls(calls, context, interruption).await,
        Command::Ipi(pair) => return measure::ipi(pair, context, interruption).await,
        Command::Trace(asked) => return trace::run(asked, context).await,
        Command::Watch => return view::run(context, errand).await,
        Command::Help(_)
        | Command::Jobs
        | Command::Kill(_)
        | Command::Clear
        | Command::Reboot
        | Command::Exit(_) => return Err(format!("`{name}` is for the shell itself")),
    }
    Ok(())
}
