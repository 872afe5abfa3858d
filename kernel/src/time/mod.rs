//! Time: the time stamp counter (TSC), how fast it runs, and the clock made from it.
//!
//! [`calibrate`] finds the TSC's frequency once, on the BSP; [`TscClock`] turns counts into
//! instants from then on, for the counts of every CPU.
//!
//! Some sources are told a frequency, others measure the TSC against a counter whose rate is known:
//!
//! | source | told or measured | where it is |
//! |---|---|---|
//! | CPUID leaf 0x15 | told | new CPUs of Intel |
//! | CPUID leaf 0x4000_0010 | told | Cloud Hypervisor, QEMU with a fixed TSC rate |
//! | kvmclock | told | under KVM |
//! | HPET | measured | QEMU's pc and q35, most hardware |
//! | ACPI PM timer | measured | QEMU's pc and q35, hardware without reduced ACPI |
//! | PIT channel 0 | measured | QEMU's microvm under TCG has nothing else |
//!
//! The table's order is that of trust. A figure counts when a measured one below it agrees; where
//! no two agree, the first is taken and [`Calibration::check`] is `None`. No source waits for ever
//! for a device that is absent or stuck.

mod hpet;
mod measure;
mod pit;
mod pm_timer;
mod pvclock;
mod tsc;

use core::fmt;

pub(crate) use self::measure::{Counter, measure_tsc};
use self::pit::Pit;
pub use self::{
    hpet::Hpet,
    pm_timer::PmTimer,
    tsc::{TscClock, read_tsc},
};
use crate::cpuid::{Cpuid, Leaf};

/// What a TSC frequency was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum ClockSource {
    /// CPUID leaf 0x15.
    Cpuid,
    /// The hypervisor's CPUID leaf 0x4000_0010.
    HypervisorCpuid,
    /// The page that KVM shares with each guest CPU.
    #[strum(serialize = "kvmclock")]
    KvmClock,
    /// The high precision event timer.
    Hpet,
    /// The ACPI power management timer.
    PmTimer,
    /// The 8254 programmable interval timer.
    Pit,
}

impl ClockSource {
    fn is_measured(self) -> bool {
        matches!(self, Self::Hpet | Self::PmTimer | Self::Pit)
    }
}

/// A TSC frequency and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Who says so.
    pub source: ClockSource,
    /// Counts a second.
    pub tsc_hz: u64,
}

impl Figure {
    /// Two clocks agree when they differ by at most 1 %: several times more than a measurement is
    /// off under a loaded hypervisor, far less than a device that is not there.
    fn agrees_with(self, other: Self) -> bool {
        self.tsc_hz.abs_diff(other.tsc_hz) <= self.tsc_hz / 100
    }

    fn is_plausible(self) -> bool {
        tsc::PLAUSIBLE_HZ.contains(&self.tsc_hz)
    }
}

/// The TSC frequency to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// The figure that was chosen.
    pub chosen: Figure,
    /// The measured figure that agrees with it; `None` if there is no second clock that does.
    pub check: Option<Figure>,
}

impl Calibration {
    /// Walks the figures in the order of trust, no further than needed.
    fn choose(figures: impl Iterator<Item = Figure>) -> Option<Self> {
        let mut seen = [None; 6];
        for (place, figure) in figures.filter(|figure| figure.is_plausible()).enumerate() {
            let mut earlier = seen.iter().flatten().copied();
            if figure.source.is_measured()
                && let Some(chosen) = earlier.find(|earlier: &Figure| earlier.agrees_with(figure))
            {
                return Some(Self {
                    chosen,
                    check: Some(figure),
                });
            }
            *seen.get_mut(place)? = Some(figure);
        }
        seen[0].map(|chosen| Self {
            chosen,
            check: None,
        })
    }
}

/// Such as `2596 MHz by hpet, pm-timer agrees`.
impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure { source, tsc_hz } = self.chosen;
        write!(f, "{} MHz by {source}, ", tsc_hz / 1_000_000)?;
        match self.check {
            Some(check) => write!(f, "{} agrees", check.source),
            None => f.write_str("unconfirmed"),
        }
    }
}

/// The devices of this machine that ACPI has to name.
#[derive(Debug, Default)]
pub struct Devices {
    /// The HPET.
    pub hpet: Option<Hpet>,
    /// The PM timer.
    pub pm_timer: Option<PmTimer>,
}

/// Finds out how fast the TSC runs; `None` on a machine on which nothing tells.
///
/// Call it once, on the BSP, with interrupts off. It takes 3 to 9 ms for each measured source.
pub fn calibrate(cpu: &impl Cpuid, devices: Devices) -> Option<Calibration> {
    let Devices {
        mut hpet,
        mut pm_timer,
    } = devices;
    let sources: [(ClockSource, &mut dyn FnMut() -> Option<u64>); 6] = [
        (ClockSource::Cpuid, &mut || told_by_cpuid(cpu)),
        (ClockSource::HypervisorCpuid, &mut || {
            told_by_hypervisor(cpu)
        }),
        (ClockSource::KvmClock, &mut || pvclock::tsc_hz(cpu)),
        (ClockSource::Hpet, &mut || {
            measure_tsc(hpet.as_mut()?, read_tsc)
        }),
        (ClockSource::PmTimer, &mut || {
            measure_tsc(pm_timer.as_mut()?, read_tsc)
        }),
        (ClockSource::Pit, &mut || {
            measure_tsc(&mut Pit::start(), read_tsc)
        }),
    ];
    Calibration::choose(sources.into_iter().filter_map(|(source, ask)| {
        let tsc_hz = ask()?;
        Some(Figure { source, tsc_hz })
    }))
}

/// Leaf 0x15: the crystal's frequency and the TSC's ratio to it (SDM volume 2, CPUID).
fn told_by_cpuid(cpu: &impl Cpuid) -> Option<u64> {
    let Leaf {
        eax: denominator,
        ebx: numerator,
        ecx: crystal_hz,
        ..
    } = cpu.basic(0x15, 0);
    // Some CPUs leave the crystal's frequency out.
    if crystal_hz == 0 || numerator == 0 {
        return None;
    }
    (u64::from(crystal_hz) * u64::from(numerator)).checked_div(u64::from(denominator))
}

/// Leaf 0x4000_0010: the TSC's frequency in kHz in EAX, as VMware defined it and others took over.
fn told_by_hypervisor(cpu: &impl Cpuid) -> Option<u64> {
    let tsc_khz = cpu.hypervisor(0x4000_0010).eax;
    (tsc_khz != 0).then(|| u64::from(tsc_khz) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::Recorded;

    fn figure(source: ClockSource, mhz: u64) -> Figure {
        Figure {
            source,
            tsc_hz: mhz * 1_000_000,
        }
    }

    fn choose(figures: &[Figure]) -> Option<Calibration> {
        Calibration::choose(figures.iter().copied())
    }

    #[test]
    fn a_told_figure_that_a_measured_one_confirms_is_taken() {
        let told = figure(ClockSource::KvmClock, 2596);
        let measured = figure(ClockSource::Pit, 2590);
        let expected = Calibration {
            chosen: told,
            check: Some(measured),
        };
        assert_eq!(choose(&[told, measured]), Some(expected));
        assert_eq!(expected.to_string(), "2596 MHz by kvmclock, pit agrees");
    }

    #[test]
    fn two_measured_figures_outvote_a_told_one() {
        let hpet = figure(ClockSource::Hpet, 2600);
        let pm_timer = figure(ClockSource::PmTimer, 2601);
        let chosen = choose(&[figure(ClockSource::HypervisorCpuid, 5000), hpet, pm_timer]);
        assert_eq!(
            chosen,
            Some(Calibration {
                chosen: hpet,
                check: Some(pm_timer)
            })
        );
    }

    #[test]
    fn what_two_leaves_of_one_hypervisor_say_is_no_check() {
        let cpuid = figure(ClockSource::HypervisorCpuid, 2600);
        let expected = Calibration {
            chosen: cpuid,
            check: None,
        };
        assert_eq!(
            choose(&[cpuid, figure(ClockSource::KvmClock, 2600)]),
            Some(expected)
        );
        assert_eq!(
            expected.to_string(),
            "2600 MHz by hypervisor-cpuid, unconfirmed"
        );
    }

    #[test]
    fn no_source_is_asked_after_two_agree() {
        let agreeing = [ClockSource::Hpet, ClockSource::PmTimer].map(|s| figure(s, 2600));
        let mut asked = 0;
        Calibration::choose(
            agreeing
                .into_iter()
                .chain([figure(ClockSource::Pit, 2600)])
                .inspect(|_| asked += 1),
        );
        assert_eq!(asked, 2);
    }

    #[test]
    fn an_impossible_frequency_is_no_figure() {
        // 13 MHz is what the PIT's gate at port 0x61 gives on microvm, which has none.
        assert_eq!(choose(&[figure(ClockSource::Pit, 13)]), None);
        let pit = figure(ClockSource::Pit, 1000);
        let chosen = choose(&[figure(ClockSource::Hpet, 13), pit]);
        assert_eq!(
            chosen,
            Some(Calibration {
                chosen: pit,
                check: None
            })
        );
    }

    #[test]
    fn leaf_15_counts_only_when_it_is_complete() {
        let full = Recorded(&[(0, 0, [0x16, 0, 0, 0]), (0x15, 0, [2, 216, 24_000_000, 0])]);
        assert_eq!(told_by_cpuid(&full), Some(2_592_000_000));
        let no_crystal = Recorded(&[(0, 0, [0x16, 0, 0, 0]), (0x15, 0, [2, 216, 0, 0])]);
        assert_eq!(told_by_cpuid(&no_crystal), None);
        // Beyond the last leaf, Intel CPUs repeat the last one.
        let beyond = Recorded(&[(0, 0, [0x14, 0, 0, 0]), (0x15, 0, [2, 216, 24_000_000, 0])]);
        assert_eq!(told_by_cpuid(&beyond), None);
    }

    #[test]
    fn the_hypervisor_is_believed_only_when_there_is_one() {
        const BASE: u32 = 0x4000_0000;
        const KVM: [u32; 4] = [BASE + 0x10, 0x4b4d_564b, 0x564b_4d56, 0x4d];
        const HZ: (u32, u32, [u32; 4]) = (BASE + 0x10, 0, [2_596_122, 0, 0, 0]);
        let present = (1, 0, [0, 0, 1 << 31, 0]);
        let under_kvm = Recorded(&[present, (BASE, 0, KVM), HZ]);
        assert_eq!(told_by_hypervisor(&under_kvm), Some(2_596_122_000));
        assert_eq!(
            told_by_hypervisor(&Recorded(&[(BASE, 0, KVM), HZ])),
            None,
            "bit 31 is clear"
        );
        let garbage = Recorded(&[
            (1, 0, [0, 0, 1 << 31, 0]),
            (BASE, 0, [u32::MAX, 0x0000_0001, 0xdead_beef, 0]),
            (BASE + 0x10, 0, [7, 0, 0, 0]),
        ]);
        assert_eq!(
            told_by_hypervisor(&garbage),
            None,
            "the signature is no text"
        );
    }
}
