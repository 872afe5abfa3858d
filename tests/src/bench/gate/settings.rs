//! Which machines are booted, and how.
//!
//! **No time slice of QEMU's ends where it would matter.** In virtual time a CPU runs until it halts, or until
//! its slice ends: the time to the nearest timer of the machine, divided by the number of CPUs (QEMU,
//! `icount_percpu_budget`). Were that among the kicks, APs would run that come up behind the last kick
//! elsewhere, and a change of one instruction before could move the end there. So
//!
//! - the BSP rests before the first INIT. All CPUs halt then, and behind that its slice begins;
//! - there is no PIT where nobody needs it, whose counter would end slices all the time. Microvm has no other
//!   clock, and there the kernel lets it count once.
//!
//! Then the nearest timer is that of the second SIPI, 50 ms away. Each of n CPUs that is reset is charged an
//! nth of what is left of that, so more than a third is left for the slices in which the APs come online: 1.1 ms at
//! 16 CPUs, where the BSP runs for 0.1 at once; 0.3 ms at 64, where it runs for 0.3. So at 64 CPUs who runs when may
//! turn on single instructions, and only what does not depend on it is a figure there: see
//! [`Setting::slices_last`].

use reveille_smp::strategy::Strategy;

use crate::qemu::machine::{Accel, Chipset, Machine};

/// Up to so many CPUs slices last for what the CPUs have to do.
const SLICES_LAST: u32 = 16;

/// A machine, and how its CPUs are brought up.
#[derive(Clone, Debug)]
pub struct Setting {
    name: String,
    machine: Machine,
    strategy: Strategy,
}

impl Setting {
    /// A machine on which CPUs are brought up by this strategy.
    pub fn new(chipset: Chipset, cpus: u32, strategy: Strategy) -> Self {
        let mut machine = Machine::new(cpus).chipset(chipset).accel(Accel::Icount);
        if chipset != Chipset::Microvm {
            machine.further = ["-machine", "pit=off"].map(str::to_owned).into();
        }
        let name: &str = strategy.into();
        Self {
            name: format!("{chipset}, {}, {name}", of_cpus(cpus)),
            machine: machine.append(&format!("bringup={name} test=rest-first")),
            strategy,
        }
    }

    /// The same in xAPIC mode.
    fn in_xapic_mode(mut self) -> Self {
        self.name.push_str(", xAPIC");
        self.machine = self.machine.cpu("max,-x2apic");
        self
    }

    /// The same with further words for the kernel. It keeps its name.
    pub fn append(mut self, words: &str) -> Self {
        self.machine = self.machine.append(words);
        self
    }

    /// What it is called among the figures.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All CPUs of the machine.
    pub fn cpus(&self) -> u32 {
        self.machine.smp.cpus()
    }

    /// Whether nothing that is counted turns on where a time slice ends.
    pub fn slices_last(&self) -> bool {
        self.cpus() <= SLICES_LAST
    }

    /// Whether the BSP kicks one AP behind the other, and waits for none.
    pub fn kicks_in_a_row(&self) -> bool {
        matches!(self.strategy, Strategy::Parallel | Strategy::TwoPass)
    }

    /// Whether it is one of those that differ in the number of CPUs alone.
    pub(super) fn is_plain(&self) -> bool {
        let Machine { chipset, cpu, .. } = &self.machine;
        (self.strategy, *chipset, cpu.is_none()) == (Strategy::Parallel, Chipset::Q35, true)
    }

    /// The boot of which stamps and counts are read. Behind it a cycle tells what memory is in use.
    pub(super) fn untraced(&self) -> Machine {
        self.machine.clone().append("cycle=1")
    }

    /// The boot that tells what each CPU did when. Events take instructions too.
    pub(super) fn traced(&self) -> Machine {
        self.machine.clone().append("trace=on")
    }
}

fn of_cpus(cpus: u32) -> String {
    match cpus {
        1 => "1 CPU".to_owned(),
        _ => format!("{cpus} CPUs"),
    }
}

/// What the gate boots, in the order of the file.
pub fn all() -> Vec<Setting> {
    use Chipset::{Microvm, Pc, Q35};
    use Strategy::{Broadcast, Legacy, Parallel, Serial, TwoPass};
    vec![
        Setting::new(Q35, 1, Parallel),
        Setting::new(Q35, 2, Parallel),
        Setting::new(Q35, 8, Parallel),
        Setting::new(Q35, 8, Broadcast),
        Setting::new(Q35, 8, TwoPass),
        Setting::new(Q35, 8, Serial),
        Setting::new(Q35, 8, Legacy),
        Setting::new(Q35, 8, Parallel).in_xapic_mode(),
        Setting::new(Q35, 16, Parallel),
        Setting::new(Q35, 64, Parallel),
        Setting::new(Pc, 8, Parallel),
        Setting::new(Microvm, 8, Parallel),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_setting_has_a_name_of_its_own_and_boots_in_virtual_time() {
        let all = all();
        let names: HashSet<_> = all.iter().map(Setting::name).collect();
        assert_eq!(names.len(), all.len());
        for setting in &all {
            for machine in [setting.untraced(), setting.traced()] {
                assert_eq!(machine.accel, Accel::Icount);
                assert!(machine.command_line.contains("test=rest-first"));
                let has_pit = machine.further.is_empty();
                assert_eq!(has_pit, machine.chipset == Chipset::Microvm);
            }
        }
    }

    #[test]
    fn further_words_change_no_name() {
        let setting = Setting::new(Chipset::Q35, 8, Strategy::Parallel);
        let other = setting.clone().append("test=needless-poll");
        assert_eq!(other.name(), "q35, 8 CPUs, parallel");
        assert!(other.traced().command_line.contains("needless-poll"));
        assert!(setting.is_plain() && !setting.in_xapic_mode().is_plain());
    }
}
