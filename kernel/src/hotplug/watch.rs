//! The task that watches the registers, for as long as the kernel runs.

use core::fmt;

use reveille_smp::{
    hotplug::{Controller, Event, Flaw, scan, survey},
    machine::Way,
};

use super::{
    batch::Batch, chipset, chipset::Chipset, notices::Notices, ports::IoPorts, registers::Registers,
};
use crate::{
    consistency::Settled,
    operations::{Operations, in_use},
    println,
    sci::{Sci, SciError},
};

/// No machine of QEMU's has more bays (q35).
const BAYS: usize = 4_096;

/// Hot-plug that works: its task runs.
#[derive(Clone, Debug)]
pub struct Hotplug {
    chipset: Chipset,
    /// Why it looks by itself, if it does.
    polls: Option<WhyPoll>,
}

/// Why the chipset does not tell that there is something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyPoll {
    /// A test wants it so.
    Asked,
    /// It has no interrupt for that.
    Sci(SciError),
}

impl fmt::Display for WhyPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("test=hotplug-poll"),
            Self::Sci(error) => error.fmt(f),
        }
    }
}

impl Hotplug {
    /// Starts the task, on the BSP behind the bring-up. It ends only where the machine's registers say what
    /// cannot be.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where this machine has none.
    pub fn start(
        operations: &'static Operations<'static>,
        settled: &'static Settled,
        sci: Result<Sci, WhyPoll>,
    ) -> Result<Self, Unavailable> {
        let bench = operations.bench;
        if bench.cpus.machine.way() == Way::Mailbox {
            return Err(Unavailable::Mailbox);
        }
        let chipset = chipset::of_this_machine().ok_or(Unavailable::Chipset)?;
        let ports = IoPorts::of(chipset);
        let registers = Registers::find(ports).ok_or(Unavailable::Registers(chipset))?;
        let events = sci.and_then(|sci| sci.events(chipset.event()).map_err(WhyPoll::Sci));
        let polls = events.as_ref().err().copied();
        let watch = Watch {
            operations,
            settled,
            registers,
            notices: match events {
                Ok(events) => Notices::Sci(events),
                Err(_) => Notices::Poll,
            },
        };
        let spawned = bench.spawner.spawn(watch.run());
        spawned.map_err(|_| Unavailable::NoTask)?;
        Ok(Self { chipset, polls })
    }
}

impl fmt::Display for Hotplug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chipset, polls } = self;
        match polls {
            None => write!(f, "hotplug: {chipset}, told by its interrupt"),
            Some(why) => write!(f, "hotplug: {chipset}, looked at every second: {why}"),
        }
    }
}

/// Why there is no hot-plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// The firmware keeps the CPUs, and it has none that are added.
    Mailbox,
    /// Neither of the two chipsets that are known is there.
    Chipset,
    /// The chipset does not have the registers.
    Registers(Chipset),
    /// The executor has no task left for it.
    NoTask,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hotplug: none: ")?;
        match self {
            Self::Mailbox => {
                f.write_str("CPUs are woken by the firmware's mailbox, which knows no others")
            }
            Self::Chipset => f.write_str("this machine has neither QEMU's ICH9 nor its PIIX4"),
            Self::Registers(chipset) => write!(f, "the {chipset} shows no registers for it"),
            Self::NoTask => f.write_str("the executor has no task left for it"),
        }
    }
}

impl core::error::Error for Unavailable {}

/// What the task works on.
struct Watch {
    operations: &'static Operations<'static>,
    settled: &'static Settled,
    registers: Registers<IoPorts>,
    notices: Notices,
}

impl Watch {
    async fn run(mut self) {
        let timer = &self.operations.bench.timer;
        let mut is_first = true;
        loop {
            let is_pending = || self.registers.find_pending().is_some();
            if (is_first || is_pending())
                && let Err(flaw) = self.serve(is_first).await
            {
                println!("hotplug: off: {flaw}");
                return;
            }
            is_first = false;
            self.notices.next(timer).await;
        }
    }

    /// Does what is asked for, in one turn: what comes until that has begun is done along with it. The first
    /// time that is also what has come before anybody looked.
    ///
    /// To see whether there is anything to do costs no memory and no turn, so that whoever measures does not
    /// notice; this does.
    async fn serve(&self, is_first: bool) -> Result<(), Flaw> {
        // To wait for the turn takes some memory.
        in_use::disturb();
        let turn = self.operations.turn().await;
        in_use::disturb();
        let mut scan = scan(&self.registers, BAYS);
        if is_first {
            let is_news = |event: Event| scan.found.iter().all(|found| found.event != event);
            let awaited = |id| self.operations.awaits(id) && is_news(Event::Added(id));
            let missed = survey(&self.registers, BAYS, awaited);
            scan.found.extend(missed);
        }
        let source = self.notices.source();
        let batch = Batch {
            operations: self.operations,
            turn: &turn,
            controller: &self.registers,
            settled: self.settled,
            source,
        };
        batch.serve(&scan.found).await;
        in_use::disturb();
        drop(turn);
        scan.flaw.map_or(Ok(()), Err)
    }
}
