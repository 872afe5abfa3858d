//! The boots, some side by side: in virtual time what else the host does changes nothing.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    counts,
    figures::{Figures, MadeWith},
    per_ap,
    settings::Setting,
};
use crate::{
    guest::Guest,
    kernel::Kernel,
    outcome::Outcome,
    qemu::{machine::Machine, slots::Slot},
    records::Records,
    setup::qemu,
};

/// Many times what the largest machine takes on a busy host.
const LIMIT: Duration = Duration::from_secs(120);

/// Boots every setting, and gives the figures. `goes_on` is told before each boot how many are over, of how
/// many, and says whether to go on; when it does not, there are no figures.
///
/// # Errors
///
/// A boot did not come up whole, or did not tell what is counted: the figures of the others are worth nothing
/// without it.
pub fn measure(
    kernel: &Kernel,
    settings: &[Setting],
    goes_on: impl Fn(usize, usize) -> bool + Sync,
) -> Result<Option<Figures>> {
    let machines: Vec<Machine> = settings
        .iter()
        .flat_map(|setting| [setting.untraced(), setting.traced()])
        .collect();
    let Some(records) = boot_all(kernel, &machines, goes_on)? else {
        return Ok(None);
    };
    let boots: Vec<_> = settings.iter().zip(records.chunks_exact(2)).collect();
    let mut sections = Vec::new();
    for (setting, records) in &boots {
        let section = counts::section(setting, &records[0], &records[1]);
        sections.push(section.with_context(|| setting.name().to_owned())?);
    }
    let untraced = boots
        .iter()
        .map(|(setting, records)| (*setting, &records[0]));
    sections.extend(per_ap::an_ap_more(untraced)?);
    let qemu = qemu::version()?.context("there is no QEMU")?;
    Ok(Some(Figures {
        made_with: MadeWith {
            qemu: qemu.to_string(),
            rustc: kernel.compiler()?,
        },
        sections,
    }))
}

/// The records of each, in the order of the machines. The first error ends it.
fn boot_all(
    kernel: &Kernel,
    machines: &[Machine],
    goes_on: impl Fn(usize, usize) -> bool + Sync,
) -> Result<Option<Vec<Records>>> {
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (fails, is_left) = (AtomicBool::new(false), AtomicBool::new(false));
    let booted = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while !fails.load(Ordering::Relaxed) {
            // The largest machines come last in the list, and take longest.
            let Some(place) = machines
                .len()
                .checked_sub(next.fetch_add(1, Ordering::Relaxed) + 1)
            else {
                break;
            };
            if !goes_on(over.load(Ordering::Relaxed), machines.len()) {
                is_left.store(true, Ordering::Relaxed);
                break;
            }
            let records = boot(kernel, &machines[place])
                .inspect_err(|_| fails.store(true, Ordering::Relaxed))?;
            let mut booted = booted.lock().unwrap_or_else(PoisonError::into_inner);
            booted.push((place, records));
            over.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let side_by_side = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..side_by_side).map(|_| scope.spawn(work)).collect();
        let mut ends = threads.into_iter().map(|thread| thread.join());
        ends.try_for_each(|end| end.expect("a thread that boots does not panic"))
    })?;
    if is_left.into_inner() {
        return Ok(None);
    }
    let mut booted = booted.into_inner().unwrap_or_else(PoisonError::into_inner);
    booted.sort_by_key(|(place, _)| *place);
    Ok(Some(
        booted.into_iter().map(|(_, records)| records).collect(),
    ))
}

fn boot(kernel: &Kernel, machine: &Machine) -> Result<Records> {
    // It is one thread, however many CPUs it has.
    let _slot = Slot::wait(&kernel.scratch(), 1)?;
    let ended = Guest::start(kernel, machine)?.run(LIMIT)?;
    let what = || {
        let (smp, words) = (&machine.smp, &machine.command_line);
        format!("{}, -smp {smp}, {words}", machine.chipset)
    };
    ensure!(
        ended.outcome == Outcome::Ok,
        "{}: {}",
        what(),
        ended.explain()
    );
    let bringup = ended.records.bringup().with_context(what)?;
    ensure!(
        bringup.online == machine.smp.cpus() - 1,
        "{}: only {} of {} APs are online",
        what(),
        bringup.online,
        bringup.aps
    );
    Ok(ended.records)
}
