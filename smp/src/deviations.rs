//! Sentences for what is not on a CPU as it is on the BSP: one for all CPUs that share it, however
//! many they are. Made from the records, so that whoever has records can print them.

use core::fmt;

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crate::{
    ranges::Ranges,
    record::{Clock, CpuState, Difference, Remedy},
};

/// A line for each deviation, with the end of the line, in the order of the first CPU of each;
/// nothing where all CPUs are as the BSP.
pub struct Deviations<'a> {
    states: &'a [CpuState],
    with_past: bool,
}

impl<'a> Deviations<'a> {
    /// All that was found, what has been set right since included.
    pub const fn found(states: &'a [CpuState]) -> Self {
        let with_past = true;
        Self { states, with_past }
    }

    /// What is left: a CPU is not as the BSP, and will not be.
    pub const fn left(states: &'a [CpuState]) -> Self {
        let with_past = false;
        Self { states, with_past }
    }
}

impl fmt::Display for Deviations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut position = BTreeMap::new();
        let mut lines: Vec<(String, Ranges)> = Vec::new();
        for state in self.states {
            for sentence in sentences(state, self.with_past) {
                let at = *position.entry(sentence.clone()).or_insert_with(|| {
                    lines.push((sentence, Ranges::default()));
                    lines.len() - 1
                });
                lines[at].1.push(state.cpu.0);
            }
        }
        for (sentence, cpus) in &lines {
            let word = if cpus.is_single() { "CPU" } else { "CPUs" };
            writeln!(f, "{word} {cpus}: {sentence}")?;
        }
        Ok(())
    }
}

/// What is to be said of one CPU; with what is past, if that is wanted.
fn sentences(state: &CpuState, with_past: bool) -> Vec<String> {
    let counts = |it: &&Difference| with_past || it.remedy == Remedy::Reported;
    let mut sentences = state.topology.contradictions.clone();
    let differences = state.registers.differences.iter().filter(counts);
    sentences.extend(differences.map(of_register));
    if state.registers.checked && !state.registers.machine_checks {
        sentences.push("no machine checks are taken".into());
    }
    let (missing, surplus) = (&state.features.missing, &state.features.surplus);
    if !missing.is_empty() {
        sentences.push(format!("without {}", missing.join(", ")));
    }
    if !surplus.is_empty() {
        sentences.push(format!("with {}, which the BSP lacks", surplus.join(", ")));
    }
    let adjust = state.clock.tsc_adjust.iter().filter(counts);
    sentences.extend(adjust.map(of_register));
    // Of a CPU that never came so far there are no times, and the bring-up has told of it.
    if state.registers.checked || state.features.compared {
        sentences.extend(of_clock(&state.clock));
    }
    sentences
}

fn of_register(difference: &Difference) -> String {
    let Difference {
        register,
        bsp,
        found,
        now,
        remedy,
        reason,
    } = difference;
    match remedy {
        Remedy::SetRight => format!("{register} was {found}, and is now {now} as on the BSP"),
        Remedy::Reported => {
            let reason = reason.as_deref().unwrap_or("it is left as it is");
            format!("{register} is {now} and not {bsp} as on the BSP: {reason}")
        }
    }
}

fn of_clock(clock: &Clock) -> Option<String> {
    if let Some(reason) = &clock.reason {
        return Some(format!("times not comparable with the BSP's: {reason}"));
    }
    let (offset, uncertainty) = (clock.offset_ns?, clock.uncertainty_ns?);
    (!is_in_step(clock)).then(|| {
        let way = if offset > 0 { "ahead of" } else { "behind" };
        format!(
            "TSC {} ns {way} the BSP's, give or take {uncertainty} ns; times are corrected",
            offset.unsigned_abs()
        )
    })
}

/// Whether the CPU's TSC may well show what the BSP's does.
pub(crate) fn is_in_step(clock: &Clock) -> bool {
    let offset = clock.offset_ns.map(i64::unsigned_abs);
    offset
        .zip(clock.uncertainty_ns)
        .is_some_and(|(offset, uncertainty)| offset <= uncertainty)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
        record::{Features, Registers, Topology},
    };

    fn in_line(cpu: u32) -> CpuState {
        CpuState {
            cpu: CpuIndex(cpu),
            apic_id: ApicId(cpu),
            topology: Topology::default(),
            registers: Registers {
                checked: true,
                machine_checks: true,
                ..Registers::default()
            },
            features: Features {
                compared: true,
                ..Features::default()
            },
            clock: Clock {
                offset_ns: Some(-300),
                uncertainty_ns: Some(300),
                ..Clock::default()
            },
        }
    }

    fn difference(remedy: Remedy) -> Difference {
        Difference {
            register: "pat".into(),
            bsp: "0x6".into(),
            found: "0x7".into(),
            now: match remedy {
                Remedy::SetRight => "0x6".into(),
                Remedy::Reported => "0x7".into(),
            },
            remedy,
            reason: None,
        }
    }

    #[test]
    fn of_cpus_that_are_as_the_bsp_nothing_is_said() {
        assert_eq!(Deviations::found(&[in_line(0), in_line(1)]).to_string(), "");
    }

    #[test]
    fn cpus_that_share_a_deviation_share_its_line() {
        let mut states: Vec<_> = (0..5).map(in_line).collect();
        for cpu in [1, 2, 4] {
            states[cpu].registers.differences = Vec::from([difference(Remedy::SetRight)]);
        }
        states[3].features.missing = Vec::from(["smep".into(), "smap".into()]);
        states[4].clock.offset_ns = Some(10_000);
        assert_eq!(
            Deviations::found(&states).to_string(),
            "CPUs 1-2,4: pat was 0x7, and is now 0x6 as on the BSP\n\
             CPU 3: without smep, smap\n\
             CPU 4: TSC 10000 ns ahead of the BSP's, give or take 300 ns; times are corrected\n"
        );
        assert_eq!(
            Deviations::left(&states).to_string(),
            "CPU 3: without smep, smap\n\
             CPU 4: TSC 10000 ns ahead of the BSP's, give or take 300 ns; times are corrected\n"
        );
    }

    #[test]
    fn what_was_not_set_right_is_told_with_its_reason() {
        let mut state = in_line(1);
        let reason = Some("a CPU did not come".into());
        state.registers.differences = Vec::from([Difference {
            reason,
            ..difference(Remedy::Reported)
        }]);
        state.registers.machine_checks = false;
        state.clock.reason = Some("it was not measured".into());
        assert_eq!(
            Deviations::left(&[state]).to_string(),
            "CPU 1: pat is 0x7 and not 0x6 as on the BSP: a CPU did not come\n\
             CPU 1: no machine checks are taken\n\
             CPU 1: times not comparable with the BSP's: it was not measured\n"
        );
    }

    #[test]
    fn a_clock_is_in_step_when_no_difference_is_among_what_is_possible() {
        let clock = |offset_ns, uncertainty_ns| Clock {
            offset_ns,
            uncertainty_ns,
            ..Clock::default()
        };
        assert!(is_in_step(&clock(Some(-300), Some(300))));
        assert!(!is_in_step(&clock(Some(301), Some(300))));
        assert!(!is_in_step(&clock(None, None)));
    }
}
