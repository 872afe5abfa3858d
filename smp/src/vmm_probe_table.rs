//! What a person sees of `probe=`: when the boot came to which station, how long the APs took for each
//! stage, and what the BSP pays for what a hypervisor has to see to. It fits 80 columns. Made from the
//! record, so that whoever has records can print it.

use core::fmt;

use alloc::{format, string::String};

use crate::{
    lines::Parts,
    record::{
        Probe,
        vmm_probe::{Cost, Deed, Mark, Stage, Wake},
    },
    spread::Spread,
    table::{Micros, Millis},
};

/// The lines, with the end of the last left out.
pub struct VmmProbeTable<'a>(pub &'a Probe);

/// Columns of what a row is about.
const WHAT: usize = 34;

impl fmt::Display for VmmProbeTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Probe {
            marks,
            boot_timer_ns,
            stages,
            costs,
            wakes,
            lost_sipis,
        } = self.0;
        write!(f, "{}", marks_line(marks))?;
        if let &Some(nanos) = boot_timer_ns {
            let at = Millis { nanos };
            write!(f, "\n       Firecracker's boot timer told at {at} ms")?;
        }
        write!(
            f,
            "\n{:WHAT$}{:>7}{:>9}{:>9}{:>9}{:>9}",
            "times in us", "samples", "min", "p50", "p99", "max"
        )?;
        for it in stages {
            row(f, of_stage(it.stage), it.aps, &it.took_ns)?;
        }
        for Cost {
            what,
            to,
            samples,
            took_ns,
            accepted_ns,
        } in costs
        {
            let text = match to {
                Some(to) => format!("{} CPU {to}", of_deed(*what)),
                None => String::from(of_deed(*what)),
            };
            row(f, &text, *samples, took_ns)?;
            if let Some(accepted) = accepted_ns {
                row(f, "  until the APIC has sent it", *samples, accepted)?;
            }
        }
        for wake in wakes {
            let Wake {
                to,
                rested_ns,
                samples,
                entries,
                to_entry_ns,
                round_trip_ns,
                ..
            } = wake;
            let rested = match rested_ns {
                0 => String::from("just asleep"),
                &nanos => format!("{} ms asleep", Millis { nanos }),
            };
            let text = format!("CPU {to} wakes, {rested}");
            match to_entry_ns {
                Some(spread) => row(f, &text, *entries, spread)?,
                None => write!(f, "\n{text:WHAT$}{samples:>7}  its clock is not comparable")?,
            }
            row(f, "  and has answered", *samples, round_trip_ns)?;
        }
        if *lost_sipis > 0 {
            let word = if *lost_sipis == 1 { "SIPI" } else { "SIPIs" };
            write!(f, "\n{lost_sipis} {word} started nobody")?;
        }
        Ok(())
    }
}

/// When the boot came where.
fn marks_line(marks: &[Mark]) -> Parts<'static> {
    let parts = marks.iter().map(|mark| {
        let Mark {
            code,
            station,
            at_ns,
        } = mark;
        match *at_ns {
            Some(nanos) => format!("{code:#04x} {station} {}", Millis { nanos }),
            None => format!("{code:#04x} {station} ?"),
        }
    });
    Parts::with_bars("probe: ms from entry to marks: ", parts)
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, samples: u32, spread: &Spread) -> fmt::Result {
    let &Spread { min, p50, p99, max } = spread;
    write!(f, "\n{what:WHAT$}{samples:>7}")?;
    for nanos in [min, p50, p99, max] {
        write!(f, " {:>8}", Micros { nanos })?;
    }
    Ok(())
}

const fn of_stage(stage: Stage) -> &'static str {
    match stage {
        Stage::InitToSipi => "AP: INIT to SIPI",
        Stage::SipiToReal => "AP: SIPI to real mode",
        Stage::SipiToLong => "AP: request to long mode",
        Stage::RealToLong => "AP: real mode to long mode",
        Stage::LongToAlive => "AP: long mode to alive",
        Stage::AliveToOnline => "AP: alive to online",
    }
}

/// What was done; where it was sent to a CPU, that follows.
const fn of_deed(deed: Deed) -> &'static str {
    match deed {
        Deed::Clock => "reading the clock",
        Deed::Cpuid => "CPUID",
        Deed::Port => "port of the UART, read",
        Deed::SelfIpi => "ICR: self-IPI",
        Deed::Ipi => "ICR: IPI to halted",
        Deed::Nmi => "ICR: NMI to halted",
        Deed::Init => "ICR: INIT to",
        Deed::Sipi => "ICR: SIPI to",
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{string::ToString, vec, vec::Vec};

    use super::*;
    use crate::{cpu::CpuIndex, record::vmm_probe::StageTimes};

    fn spread(nanos: u64) -> Spread {
        Spread::of(&mut [nanos, 2 * nanos, 3 * nanos]).unwrap()
    }

    fn mark(code: u8, station: &str, at_ns: Option<u64>) -> Mark {
        Mark {
            code,
            station: station.into(),
            at_ns,
        }
    }

    fn probe() -> Probe {
        Probe {
            marks: vec![
                mark(0x40, "entry", Some(410_000)),
                mark(0x41, "kick", Some(88_200_000)),
                mark(0x42, "alive", None),
                mark(0x43, "online", Some(91_000_000)),
            ],
            boot_timer_ns: None,
            stages: vec![StageTimes {
                stage: Stage::SipiToReal,
                aps: 7,
                took_ns: spread(14_000),
            }],
            costs: vec![
                Cost {
                    what: Deed::Cpuid,
                    to: None,
                    samples: 1_000,
                    took_ns: spread(1_100),
                    accepted_ns: None,
                },
                Cost {
                    what: Deed::Init,
                    to: Some(CpuIndex(1)),
                    samples: 100,
                    took_ns: spread(2_200),
                    accepted_ns: Some(spread(900)),
                },
            ],
            wakes: vec![Wake {
                to: CpuIndex(1),
                rested_ns: 1_000_000,
                samples: 200,
                entries: 199,
                to_entry_ns: Some(spread(9_000)),
                uncertainty_ns: Some(400),
                round_trip_ns: spread(15_000),
            }],
            lost_sipis: 0,
        }
    }

    #[test]
    fn every_figure_has_a_row_below_its_column() {
        let told = VmmProbeTable(&probe()).to_string();
        let expected = [
            "probe: ms from entry to marks: 0x40 entry 0.41 | 0x41 kick 88.2 | 0x42 alive ?",
            "                               0x43 online 91.0",
            "times in us                       samples      min      p50      p99      max",
            "AP: SIPI to real mode                   7     14.0     28.0     42.0     42.0",
            "CPUID                                1000     1.10     2.20     3.30     3.30",
            "ICR: INIT to CPU 1                    100     2.20     4.40     6.60     6.60",
            "  until the APIC has sent it          100     0.90     1.80     2.70     2.70",
            "CPU 1 wakes, 1.00 ms asleep           199     9.00     18.0     27.0     27.0",
            "  and has answered                    200     15.0     30.0     45.0     45.0",
        ];
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_lines_fit_a_terminal_whatever_the_figures() {
        let mut probe = probe();
        let long = Spread::of(&mut [99_900_000_000]).unwrap();
        probe.boot_timer_ns = Some(999_999_999_999);
        probe.lost_sipis = 12;
        probe.costs[1].to = Some(CpuIndex(16_383));
        probe.costs[1].took_ns = long;
        probe.wakes[0].to = CpuIndex(16_383);
        probe.wakes.push(Wake {
            rested_ns: 0,
            entries: 0,
            to_entry_ns: None,
            ..probe.wakes[0].clone()
        });
        let told = VmmProbeTable(&probe).to_string();
        assert!(told.lines().all(|line| line.len() <= 80), "{told}");
        assert!(told.contains("its clock is not comparable"), "{told}");
        assert!(told.ends_with("\n12 SIPIs started nobody"), "{told}");
    }
}
