//! What is left once the outcome of every AP is known: what takes several CPUs at once, and the
//! account of what was found.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use reveille_smp::{
    cpu::CpuIndex,
    cpu_states::CpuStatesTable,
    deviations::Deviations,
    record::{self, CpuState, Record, Remedy},
    srat::Srat,
};

use super::{Consistency, account, clock, registers, registers::Settling};
use crate::{
    bench::Bench,
    command_line::{Options, Report, TestHook},
    console::print_lines,
    cpus::rendezvous,
    percpu::{self, PerCpu},
    print, println, report,
    time::TscClock,
};

/// The account: one record a CPU that has an area, the BSP first. Tasks of the BSP have it.
///
/// A CPU that is added before it is written is found in it as that one; one that is added later is told of at
/// once.
pub struct Settled {
    consistency: Consistency,
    srat: Option<&'static Srat>,
    states: RefCell<Vec<CpuState>>,
    is_written: Cell<bool>,
}

/// Brings in line what takes several CPUs at once, and tells what was found of each.
pub fn settle(options: &Options, bench: &Bench<'_>, srat: Option<&'static Srat>) -> Settled {
    let settled = Settled {
        consistency: options.consistency,
        srat,
        states: RefCell::default(),
        is_written: Cell::new(false),
    };
    if options.consistency == Consistency::Off {
        return settled;
    }
    if options.tests.contains(&TestHook::LateRendezvous)
        && let Some(ap) = bench.cpus.online_aps().max()
    {
        rendezvous::make_late(ap);
    }
    if options.tests.contains(&TestHook::PanicRendezvous) {
        registers::panic_at_work();
    }
    let all: Vec<_> = percpu::all().iter().map(|area| area.index()).collect();
    settled.states.replace(settled.account(bench, &all));
    settled
}

/// What these CPUs have said of themselves, and what was left to be set right of them.
fn states_of(cpus: &[CpuIndex], settling: &Settling, srat: Option<&Srat>) -> Vec<CpuState> {
    let areas = percpu::all();
    let features = account::features(areas);
    let topologies = account::topologies(areas, srat);
    let parts = features.into_iter().zip(topologies);
    let states = areas.iter().zip(parts);
    let states = states.filter(|(area, _)| cpus.contains(&area.index()));
    let states = states.map(|(area, (features, topology))| CpuState {
        cpu: area.index(),
        apic_id: area.apic_id(),
        topology,
        registers: match area.index() {
            CpuIndex::BSP => registers::of_bsp(),
            _ => settling.account(area),
        },
        features,
        clock: record::Clock::default(),
    });
    states.collect()
}

/// As late as can be: a CPU that comes behind the account looked at its registers again, what was left may
/// have been set right, and its clock was compared.
fn as_it_is_now(state: &CpuState) -> CpuState {
    let mut state = state.clone();
    if let Some(area) = PerCpu::of(state.cpu) {
        let differences = &mut state.registers.differences;
        let right = registers::set_right_now(area);
        for told in differences
            .iter_mut()
            .filter(|it| right.contains(&it.register))
        {
            // What was left then, a later rendezvous has set right.
            told.now = told.bsp.clone();
            told.remedy = Remedy::SetRight;
            told.reason = None;
        }
        for again in registers::again(area) {
            match differences
                .iter_mut()
                .find(|it| it.register == again.register)
            {
                // What it came back with counts, and not what it had before.
                Some(told) => *told = again,
                None => differences.push(again),
            }
        }
        if let Some(clock) = TscClock::get() {
            state.clock = clock::record_of(area, clock);
        }
    }
    state
}

impl Settled {
    /// Brings CPUs in line that have come up, and gives the account of them.
    pub fn account(&self, bench: &Bench<'_>, cpus: &[CpuIndex]) -> Vec<CpuState> {
        let settling = Settling::settle(bench);
        if self.consistency == Consistency::Off {
            return Vec::new();
        }
        states_of(cpus, &settling, self.srat)
    }

    /// Takes in the account of CPUs that were added, or writes it, if the whole is written already.
    pub fn add(&self, account: Vec<CpuState>) {
        if self.is_written.get() {
            let states: Vec<_> = account.iter().map(as_it_is_now).collect();
            print!("{}", Deviations::left(&states));
            return write(states);
        }
        for state in account {
            let mut states = self.states.borrow_mut();
            let before = states.iter_mut().find(|it| it.cpu == state.cpu);
            if let Some(before) = before {
                *before = state;
            }
        }
    }

    /// Writes the account, on both channels: on the console what still deviates, and the whole where it
    /// was asked for.
    pub fn write(&self, asked_for: Report) {
        self.is_written.set(true);
        let states: Vec<_> = self.states.take().iter().map(as_it_is_now).collect();
        match (asked_for, states.is_empty()) {
            (Report::None, _) => print!("{}", Deviations::left(&states)),
            (Report::Cpu, true) => {
                println!("{:10}the CPUs were not looked at: consistency=off", "");
            }
            (Report::Cpu, false) => {
                print_lines(CpuStatesTable(&states));
                print!("{}", Deviations::found(&states));
            }
        }
        write(states);
    }
}

fn write(states: Vec<CpuState>) {
    for state in states {
        report::write(&Record::CpuState(state));
    }
}
