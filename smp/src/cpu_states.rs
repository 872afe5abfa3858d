//! What a person sees of the CPUs by `report=cpu`: where each sits and whether it is as the BSP, one
//! line a CPU. Made from the records, so that whoever has records can print it.

use core::fmt;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    deviations::is_in_step,
    record::{Clock, CpuState, Difference, Features, Registers, Remedy, Topology},
};

/// One line a CPU, and below them what holds for all, with the end of the last line left out.
pub struct CpuStatesTable<'a>(pub &'a [CpuState]);

impl fmt::Display for CpuStatesTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            " cpu   apic pkg/die/core/thr node registers   features    TSC, ns"
        )?;
        for (index, state) in self.0.iter().enumerate() {
            let is_bsp = index == 0;
            writeln!(
                f,
                "{:>4} {:>6} {:<16} {:>4} {:<11} {:<11} {}",
                state.cpu,
                state.apic_id,
                place(&state.topology),
                part(state.topology.node),
                registers(&state.registers, is_bsp),
                features(&state.features, is_bsp),
                clock(&state.clock, is_bsp),
            )?;
        }
        let looked_at = || self.0.iter().filter(|state| state.registers.checked);
        let mut protections: Vec<&[String]> = looked_at()
            .map(|state| state.registers.protection.as_slice())
            .collect();
        protections.dedup();
        f.write_str("protection: ")?;
        match protections.as_slice() {
            [] => f.write_str("not looked at")?,
            [alike] => f.write_str(&alike.join(" "))?,
            _ => f.write_str("not the same on all CPUs")?,
        }
        let (all, taking) = (
            looked_at().count(),
            looked_at().filter(|state| state.registers.machine_checks),
        );
        write!(f, "; machine checks on {} of {all} CPUs", taking.count())
    }
}

/// Package, die, core and thread, with a dash for what nobody tells.
fn place(topology: &Topology) -> String {
    let parts = [
        topology.package,
        topology.die,
        topology.core,
        topology.thread,
    ];
    parts.map(part).join("/")
}

fn part(number: Option<u32>) -> String {
    number.map_or_else(|| "-".into(), |number| number.to_string())
}

/// The BSP is what the others are compared with.
const REFERENCE: &str = "reference";
const IN_LINE: &str = "in line";
const UNKNOWN: &str = "-";

/// Clocks that may be further apart than this are not said to agree: a crowded host holds readings up,
/// and then they show little.
const CLOSE_NS: u64 = 20_000;

fn registers(registers: &Registers, is_bsp: bool) -> String {
    if !registers.checked {
        return UNKNOWN.into();
    }
    if is_bsp {
        return REFERENCE.into();
    }
    let differences = &registers.differences;
    let differ = |it: &&Difference| it.remedy == Remedy::Reported;
    match (differences.len(), differences.iter().filter(differ).count()) {
        (0, _) => IN_LINE.into(),
        (all, 0) => format!("{all} set right"),
        (_, left) => format!("{left} differ"),
    }
}

fn features(features: &Features, is_bsp: bool) -> String {
    if !features.compared {
        return UNKNOWN.into();
    }
    if is_bsp {
        return REFERENCE.into();
    }
    match (features.missing.len(), features.surplus.len()) {
        (0, 0) => IN_LINE.into(),
        (0, surplus) => format!("{surplus} more"),
        (missing, _) => format!("lacks {missing}"),
    }
}

fn clock(clock: &Clock, is_bsp: bool) -> String {
    if is_bsp {
        return REFERENCE.into();
    }
    match (clock.offset_ns, clock.uncertainty_ns) {
        (Some(_), Some(uncertainty)) if is_in_step(clock) => match uncertainty {
            ..=CLOSE_NS => format!("in step +-{uncertainty}"),
            _ => format!("unknown +-{uncertainty}"),
        },
        (Some(offset), Some(uncertainty)) => format!("{offset:+} +-{uncertainty}"),
        _ => UNKNOWN.into(),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cpu::{ApicId, CpuIndex};

    fn state(cpu: u32) -> CpuState {
        CpuState {
            cpu: CpuIndex(cpu),
            apic_id: ApicId(2 * cpu),
            topology: Topology {
                source: Some("b".into()),
                package: Some(0),
                die: None,
                core: Some(cpu),
                thread: Some(0),
                node: Some(1),
                contradictions: Vec::new(),
            },
            registers: Registers {
                checked: true,
                differences: Vec::new(),
                protection: ["nx", "wp"].map(String::from).into(),
                machine_checks: true,
            },
            features: Features {
                compared: true,
                ..Features::default()
            },
            clock: Clock {
                offset_ns: Some(40),
                uncertainty_ns: Some(500),
                exchanges: 8,
                ..Clock::default()
            },
        }
    }

    fn difference(remedy: Remedy) -> Difference {
        Difference {
            register: "cr4".into(),
            bsp: "0x20".into(),
            found: "0x28".into(),
            now: "0x20".into(),
            remedy,
            reason: None,
        }
    }

    #[test]
    fn each_cpu_has_a_line_that_fits_80_columns() {
        let mut states: Vec<_> = (0..5).map(state).collect();
        states[2].registers.differences = [Remedy::SetRight].map(difference).into();
        states[2].clock.offset_ns = Some(-10_000);
        states[3].registers.differences =
            [Remedy::SetRight, Remedy::Reported].map(difference).into();
        states[3].features.missing = Vec::from(["smep".into()]);
        states[1].clock.uncertainty_ns = Some(2_636_925);
        states[4] = CpuState {
            topology: Topology::default(),
            registers: Registers::default(),
            features: Features::default(),
            clock: Clock::default(),
            ..state(4)
        };
        let table = CpuStatesTable(&states).to_string();
        let expected = [
            " cpu   apic pkg/die/core/thr node registers   features    TSC, ns",
            "   0      0 0/-/0/0             1 reference   reference   reference",
            "   1      2 0/-/1/0             1 in line     in line     unknown +-2636925",
            "   2      4 0/-/2/0             1 1 set right in line     -10000 +-500",
            "   3      6 0/-/3/0             1 1 differ    lacks 1     in step +-500",
            "   4      8 -/-/-/-             - -           -           -",
            "protection: nx wp; machine checks on 4 of 4 CPUs",
        ];
        assert!(table.lines().eq(expected), "{table}");
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    }

    #[test]
    fn protections_that_differ_are_not_told_as_one() {
        let mut states = [state(0), state(1)];
        states[1].registers.protection.pop();
        states[1].registers.machine_checks = false;
        let table = CpuStatesTable(&states).to_string();
        let end = "protection: not the same on all CPUs; machine checks on 1 of 2 CPUs";
        assert!(table.ends_with(end), "{table}");
    }
}
