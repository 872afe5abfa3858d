//! What is asked for with calls, one after the other, and all that came of it. Nothing is written before
//! all of it is done: it would cost what is measured.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::error::Error;

use reveille_smp::{
    call_summary::{CallsLine, RoundTripsLine},
    cpu::{CpuIndex, Place},
    ipi_table::IpiTable,
    record::{Calls, Ipi, Record, RoundTrips},
};

use super::{
    caller::Planted,
    load,
    matrix::{self, MatrixError},
    round_trips::{self, Unmeasured},
};
use crate::{
    command_line::{Options, TestHook},
    console::print_lines,
    cpuid::ThisCpu,
    interruption::Interruption,
    operations::{Operations, verdict},
    percpu, println, report,
    topology::Topology,
};

/// What came of it.
#[derive(Default)]
pub struct Results {
    /// Round trips are asked for, and there is no AP to call.
    is_alone: bool,
    round_trips: Option<Result<RoundTrips, Unmeasured>>,
    matrix: Option<Result<Vec<Ipi>, MatrixError>>,
    calls: Option<Calls>,
}

/// Does what the command line asks for, in one turn: first what is measured, then the many calls, which are drawn
/// from `seed` if the command line gives none. It ends early when an interruption is asked for: the matrix
/// between two calls, and the pairs before that are told.
pub async fn run(
    operations: &Operations<'_>,
    options: &Options,
    seed: u32,
    interruption: &Interruption,
) -> Results {
    let Some(_turn) = interruption.unless(operations.turn()).await else {
        return Results::default();
    };
    let bench = operations.bench;
    let aps: Vec<CpuIndex> = bench.cpus.online_aps().collect();
    let mut results = Results {
        is_alone: options.round_trips > 0 && aps.is_empty(),
        ..Results::default()
    };
    if options.round_trips > 0
        && let Some(&first) = aps.iter().min()
    {
        let measured = round_trips::measure(bench, first, options.round_trips).await;
        results.round_trips = Some(measured);
    }
    if let Some(pairs) = options.ipi {
        let mut cpus: Vec<_> = [CpuIndex::BSP].into_iter().chain(aps).collect();
        cpus.sort_unstable();
        let measured = matrix::measure(bench, &cpus, pairs, interruption).await;
        let is_nothing = measured.as_ref().is_ok_and(Vec::is_empty);
        // Where it was interrupted before the first pair was done, there is nothing to tell.
        if !(is_nothing && interruption.is_asked()) {
            results.matrix = Some(measured);
        }
    }
    if options.calls > 0 {
        let seed = options.seed.unwrap_or(seed);
        let planted = planted(options);
        results.calls =
            Some(load::load(operations, options.calls, seed, planted, interruption).await);
    }
    results
}

/// The faults in calls that a test asks for.
pub fn planted(options: &Options) -> Planted {
    let is_planted = |hook| options.tests.contains(&hook);
    Planted {
        twice: is_planted(TestHook::CallTwice),
        never: is_planted(TestHook::CallLost),
    }
}

impl Results {
    /// Tells all of it, on both channels.
    pub fn write(&self) {
        if self.is_alone {
            println!("round trips: there is no other CPU to call");
        }
        if let Some(Ok(round_trips)) = &self.round_trips {
            println!("{}", RoundTripsLine(round_trips));
            report::write(&Record::RoundTrips(round_trips.clone()));
        }
        if let Some(Ok(ipis)) = &self.matrix {
            let places = &places();
            print_lines(IpiTable { ipis, places });
            for ipi in ipis {
                report::write(&Record::Ipi(ipi.clone()));
            }
        }
        if let Some(calls) = &self.calls {
            println!("{}", CallsLine(calls));
            report::write(&Record::Calls(calls.clone()));
        }
    }

    /// Whether all of it went as it should.
    ///
    /// # Errors
    ///
    /// The first that did not.
    pub fn verdict(&self) -> Result<(), Box<dyn Error>> {
        if let Some(Err(error)) = self.round_trips {
            return Err(error.into());
        }
        if let Some(Err(error)) = &self.matrix {
            return Err(error.clone().into());
        }
        Ok(self.calls.as_ref().map_or(Ok(()), verdict::of_calls)?)
    }
}

/// Where the CPUs sit.
fn places() -> BTreeMap<CpuIndex, Place> {
    let topology = Topology::of(&ThisCpu);
    let areas = percpu::all().iter();
    areas
        .map(|area| (area.index(), topology.place(area.apic_id())))
        .collect()
}
