//! What is asked for behind the bring-up, one after the other, and all that came of it.
//!
//! Nothing is written before all of it is done: it would cost what is measured.

use alloc::vec::Vec;

use reveille_smp::{
    record::{Cycle, Record, Torture},
    states::StatesTable,
    summary::{CycleLine, OpLines, TortureLine},
};

use super::{
    perform::{Done, Operations},
    resolve::CannotBeDone,
    torture::Planted,
    verdict::{self, Unsound},
};
use crate::{
    calling,
    command_line::{Options, TestHook},
    console::print_lines,
    interruption::Interruption,
    println, report,
};

/// What came of cycles, operations and torture.
#[derive(Default)]
pub struct Results {
    cycle: Option<Cycle>,
    done: Vec<Done>,
    torture: Option<Torture>,
}

impl Operations<'_> {
    /// Does what the command line asks for: cycles, then operations, then random ones, which are
    /// drawn from `seed` if the command line gives none. It ends early when an interruption is asked for.
    ///
    /// # Errors
    ///
    /// An operation that means nothing on this machine; what was done before it is lost.
    pub async fn run(
        &self,
        options: &Options,
        seed: u32,
        interruption: &Interruption,
    ) -> Result<Results, CannotBeDone> {
        let is_planted = |hook| options.tests.contains(&hook);
        let mut results = Results::default();
        let turn = self.turn().await;
        self.admit_siblings(&turn);
        drop(turn);
        if options.cycles > 0 {
            let leaks = is_planted(TestHook::Leak);
            results.cycle = self.cycle(options.cycles, leaks, interruption).await;
        }
        for op in &options.ops {
            results.done.push(self.perform(op).await?);
        }
        if options.torture_seconds > 0 {
            let seed = options.seed.unwrap_or(seed);
            let planted = Planted {
                leaks: is_planted(TestHook::Leak),
                unforeseen: is_planted(TestHook::Unforeseen),
                in_calls: calling::planted(options),
            };
            let seconds = options.torture_seconds;
            results.torture = self.torture(seconds, seed, planted, interruption).await;
        }
        Ok(results)
    }
}

impl Results {
    /// Tells all of it, on both channels.
    pub fn write(&self) {
        if let Some(cycle) = &self.cycle {
            println!("{}", CycleLine(cycle));
            report::write(&Record::Cycle(cycle.clone()));
        }
        for done in &self.done {
            match done {
                Done::Op { record, rules } => {
                    print_lines(OpLines(record));
                    if let Err(broken) = rules {
                        println!("op: {broken}");
                    }
                    report::write(&Record::Op(record.clone()));
                }
                Done::States(states) => {
                    print_lines(StatesTable(states));
                    for state in states {
                        report::write(&Record::State(state.clone()));
                    }
                }
            }
        }
        if let Some(torture) = &self.torture {
            println!("{}", TortureLine(torture));
            report::write(&Record::Torture(torture.clone()));
        }
    }

    /// Whether all of it went as it should.
    ///
    /// # Errors
    ///
    /// The first that did not.
    pub fn verdict(&self) -> Result<(), Unsound> {
        self.cycle.as_ref().map_or(Ok(()), verdict::of_cycle)?;
        for done in &self.done {
            if let Done::Op { record, rules } = done {
                verdict::of_op(record, rules)?;
            }
        }
        self.torture.as_ref().map_or(Ok(()), verdict::of_torture)
    }
}
