//! What the BSP pays for what a hypervisor may have to see to, without anybody else: the yardsticks beside which
//! an IPI's cost says something.

use reveille_smp::{
    cpu::CpuIndex,
    record::vmm_probe::{Cost, Deed},
};
use x86_64::instructions::{interrupts::without_interrupts, port::PortReadOnly};

use alloc::vec::Vec;

use super::run::{Unprobed, samples};
use crate::{
    apic::{Ipi, LocalApic, SendTime},
    console,
    cpuid::{Cpuid, ThisCpu},
    interrupts::vectors::Vector,
    percpu::PerCpu,
    time::{TscClock, read_tsc},
};

/// Samples of each.
pub(super) const EXITS: u32 = 1_000;

/// The samples of one deed, in counts of the TSC.
pub(super) struct Samples {
    what: Deed,
    to: Option<CpuIndex>,
    took: Vec<u64>,
    accepted: Vec<u64>,
}

impl Samples {
    pub(super) fn with_room(
        what: Deed,
        to: Option<CpuIndex>,
        asked: u32,
    ) -> Result<Self, Unprobed> {
        Ok(Self {
            what,
            to,
            took: samples(asked)?,
            accepted: samples(asked)?,
        })
    }

    pub(super) fn push(&mut self, took: u64) {
        self.took.push(took);
    }

    pub(super) fn sent(&mut self, time: SendTime) {
        self.took.push(time.written);
        self.accepted.extend(time.accepted);
    }

    pub(super) fn told(mut self, clock: TscClock) -> Option<Cost> {
        for counts in self.took.iter_mut().chain(&mut self.accepted) {
            *counts = clock.nanos_of(*counts);
        }
        Cost::of(self.what, self.to, &mut self.took, &mut self.accepted)
    }
}

/// What is measured on the BSP alone.
pub(super) struct Exits {
    apic: LocalApic,
    port: Option<u16>,
    clock: Samples,
    cpuid: Samples,
    read: Samples,
    to_itself: Samples,
}

impl Exits {
    pub(super) fn with_room(apic: LocalApic) -> Result<Self, Unprobed> {
        let room = |what| Samples::with_room(what, None, EXITS);
        Ok(Self {
            apic,
            port: console::idle_port(),
            clock: room(Deed::Clock)?,
            cpuid: room(Deed::Cpuid)?,
            read: room(Deed::Port)?,
            to_itself: room(Deed::SelfIpi)?,
        })
    }

    /// So many samples of each.
    pub(super) fn turn(&mut self, turn: u32) -> Result<(), Unprobed> {
        let own = PerCpu::current().apic_id();
        for _ in 0..turn {
            self.clock.push(time(|| ()));
            self.cpuid.push(time(|| ThisCpu.leaf(0, 0)));
            if let Some(port) = self.port {
                // SAFETY: the port is one of which the console says that reading it does nothing.
                let read = || unsafe { PortReadOnly::<u8>::new(port).read() };
                self.read.push(time(read));
            }
            // It comes as soon as interrupts are on again, and its handler has nothing to do.
            let sent = self.apic.time_send(own, Ipi::Fixed(Vector::DOORBELL));
            self.to_itself.sent(sent.map_err(Unprobed::NotSent)?);
        }
        Ok(())
    }

    pub(super) fn told(self, clock: TscClock) -> impl Iterator<Item = Cost> {
        let all = [self.clock, self.cpuid, self.read, self.to_itself];
        all.into_iter()
            .filter_map(move |samples| samples.told(clock))
    }
}

/// How long something takes with interrupts off, in counts of the TSC.
fn time<T>(deed: impl FnOnce() -> T) -> u64 {
    without_interrupts(|| {
        let begun = read_tsc();
        core::hint::black_box(deed());
        read_tsc().saturating_sub(begun)
    })
}
