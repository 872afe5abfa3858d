//! Simulations made by hand, for the tests.

use std::time::Duration;

use reveille_executor::Instant;
use reveille_smp::{
    bringup::{Report, Round},
    cpu::{ApicId, CpuIndex},
    machine::Strangers,
    outcome::Outcome,
    strategy::Strategy,
};

use super::BroughtUp;
use crate::sim::{EPOCH, Span, model::Model};

/// One package of two cores with two threads; the siblings have the numbers 2 and 3.
pub(super) fn model() -> Model {
    let text = r#"
title = "two cores"
[shape]
packages = 1
cores = 2
threads = 2
numbering = "first-threads-first"

[[step]]
name = "prepare"
section = "prepare"

[[step]]
name = "join"
section = "online"

[[total]]
strategy = "parallel"
part = "all"
name = "May"
ms = 2
use = "validated"
within-percent = 10
source = "nobody"

[[total]]
strategy = "parallel"
part = "prepare"
ms = 0.5
use = "calibrated"
source = "nobody"

[[total]]
strategy = "serial"
part = "all"
ms = 9
use = "context"
source = "nobody"
"#;
    Model::from_toml("two-cores", text).expect("it is right")
}

/// So many microseconds after the beginning.
pub(super) fn at(micros: u64) -> Instant {
    EPOCH + Duration::from_micros(micros)
}

/// Work on a CPU.
pub(super) fn span(cpu: usize, what: &'static str, from: u64, to: u64) -> Span {
    Span {
        cpu,
        what,
        for_cpu: cpu.max(1),
        start: at(from),
        end: at(to),
    }
}

/// An AP that came online, or did not.
fn report(model: &Model, cpu: usize, online: Option<u64>) -> Report {
    let outcome = match online {
        Some(_) => Outcome::Online,
        None => Outcome::NeverStarted,
    };
    let early = |micros| online.map(|_| at(micros));
    Report {
        cpu: CpuIndex(cpu as u32),
        apic_id: model.shape.apic_id(cpu),
        outcome,
        step: None,
        reason: None,
        rollback: None,
        sipis: 1,
        init: Some(at(10)),
        sipi: Some(at(20)),
        real: early(30),
        long: early(40),
        alive: early(50),
        online: online.map(at),
        polls: 3,
        spurious_polls: 0,
        uncertainty_ns: Some(0),
    }
}

/// A simulation in which the APs come online at these times, and in which this was done.
pub(super) fn brought_up(
    model: &Model,
    strategy: Strategy,
    online: &[Option<u64>],
    spans: Vec<Span>,
) -> BroughtUp {
    let numbered = online.iter().zip(1..);
    let reports = numbered.map(|(&online, cpu)| report(model, cpu, online));
    let last = online.iter().flatten().max().copied().unwrap_or(3_000);
    BroughtUp {
        round: Round {
            strategy,
            reports: reports.collect(),
            start: at(10),
            end: at(last),
            strangers: Strangers {
                count: 0,
                last: ApicId(0),
            },
        },
        doorbells: 5,
        spans,
        events: 100,
    }
}
