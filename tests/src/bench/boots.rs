//! The boots of a benchmark: one QEMU at a time, with what it cost the host.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use reveille_smp::{
    contender::{Contender, Contenders},
    record::Record,
};

use super::{
    cell::{Machine, REVEILLE},
    host::{Load, Meter},
    results::{Outcome, Run, Samples},
};
use crate::{
    guest::{Ended, Guest},
    interrupt::Interrupts,
    kernel::Kernel,
    outcome,
    qemu::machine,
    records::Records,
};

/// Boots a machine, to its end or for `limit`, and tells what it cost the host.
///
/// # Cancellation
///
/// One of `interrupts` ends it early, and the outcome says so: then it proves nothing.
///
/// # Errors
///
/// QEMU cannot be started, or the host does not tell its load.
pub fn boot(
    kernel: &Kernel,
    machine: &machine::Machine,
    limit: Duration,
    interrupts: &Interrupts,
) -> Result<(Ended, Load)> {
    let meter = Meter::start()?;
    let guest = Guest::start(kernel, machine)?.until_interrupted(interrupts);
    let ended = guest.run(limit)?;
    let load = meter.stop(&ended.usage)?;
    Ok((ended, load))
}

/// What a boot of ours gave, as a line of results. Of a boot that failed, as far as it told.
pub fn run_of(
    machine: &Machine,
    run: u32,
    contenders: Contenders,
    rounds: u32,
    (ended, load): &(Ended, Load),
) -> Run {
    let (samples, whole) = match samples(&ended.records) {
        Ok(samples) => {
            match machine.smp.cpus() {
                // There are no APs, and nothing to compare.
                1 => (BTreeMap::new(), Ok(())),
                _ => {
                    let whole = are_whole(&samples, contenders, rounds);
                    (samples, whole)
                }
            }
        }
        Err(error) => (BTreeMap::new(), Err(error)),
    };
    let outcome = match (&ended.outcome, whole) {
        (outcome::Outcome::Ok, Ok(())) => Outcome::Ok,
        (outcome::Outcome::Ok, Err(error)) => Outcome::Failed(format!("{error:#}")),
        (other, _) => Outcome::Failed(other.to_string()),
    };
    let bringup = ended.records.bringup().ok();
    Run {
        system: REVEILLE.to_owned(),
        machine: machine.clone(),
        run,
        outcome,
        elapsed_ns: u64::try_from(ended.elapsed.as_nanos()).unwrap_or(u64::MAX),
        boot_online_ns: bringup.and_then(|bringup| bringup.online_ns),
        load: *load,
        host: None,
        samples,
    }
}

/// The warm rounds among a boot's records, by the contenders' names.
///
/// # Errors
///
/// A record is broken.
pub fn samples(records: &Records) -> Result<BTreeMap<String, Samples>> {
    let mut all: BTreeMap<String, Samples> = BTreeMap::new();
    for record in records.parse()? {
        match record {
            Record::Bringup(bringup) if bringup.round > 0 => {
                let samples = all.entry(bringup.strategy).or_default();
                samples.online_ns.extend(bringup.online_ns);
                samples.alive_ns.extend(bringup.alive_ns);
                samples.kick_ns.extend(bringup.kick_ns);
                samples.total_ns.push(bringup.total_ns);
                samples.polls.push(bringup.polls.into());
            }
            Record::Bare(bare) => {
                let samples = all.entry(Contender::Bare.to_string()).or_default();
                samples.online_ns.extend(bare.online_ns);
                samples.alive_ns.extend(bare.alive_ns);
            }
            Record::Floor(floor) => {
                let samples = all.entry(Contender::Floor.to_string()).or_default();
                samples.total_ns.push(floor.total_ns);
            }
            _ => {}
        }
    }
    Ok(all)
}

/// Whether each contender has a headline for each round.
fn are_whole(
    samples: &BTreeMap<String, Samples>,
    contenders: Contenders,
    rounds: u32,
) -> Result<()> {
    for contender in contenders.iter() {
        let of_it = samples.get(contender.name());
        let of_it = of_it.with_context(|| format!("the kernel told of no round of {contender}"))?;
        let there = of_it.headline_ns().len();
        ensure!(
            u32::try_from(there) == Ok(rounds),
            "the kernel told of {there} rounds of {contender}, and {rounds} were asked for"
        );
    }
    Ok(())
}
