//! Which Linux, and how it is told to bring up its CPUs: its name in results, and its command line.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result};

/// The series from which on Linux can bring up CPUs in parallel.
const PARALLEL_SINCE: Series = Series { major: 6, minor: 5 };

/// Debian's kernels have 250 timer interrupts a second (`CONFIG_HZ`).
const DEBIAN_HZ: u64 = 250;

/// A series of Linux, such as 6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    major: u32,
    minor: u32,
}

impl Series {
    /// Whether a version of Debian's, such as `6.12.95-1~bpo12+1`, is of this series.
    pub fn has(self, version: &str) -> bool {
        let mut parts = version.split(|it: char| !it.is_ascii_digit());
        let mut next = || parts.next()?.parse().ok();
        (next(), next()) == (Some(self.major), Some(self.minor))
    }

    /// How its CPUs can be brought up, the way that it takes by itself first.
    pub fn modes(self) -> &'static [Mode] {
        if self >= PARALLEL_SINCE {
            &[Mode::Parallel, Mode::Serial]
        } else {
            &[Mode::Serial]
        }
    }
}

impl FromStr for Series {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('.');
        let number = |part: &str| part.parse().ok();
        parts
            .and_then(|(major, minor)| {
                Some(Self {
                    major: number(major)?,
                    minor: number(minor)?,
                })
            })
            .with_context(|| format!("`{text}` is no series of Linux such as 6.12"))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// How Linux brings up its CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Kicks all, then takes them online one after the other.
    Parallel,
    /// Takes one online before it kicks the next.
    Serial,
}

/// A Linux that is measured beside us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Of which series.
    pub series: Series,
    /// Debian's version of it.
    pub version: String,
    /// How it brings up its CPUs.
    pub mode: Mode,
}

/// As in results, such as `linux-6.12.95 parallel`.
impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Parallel => "parallel",
            Mode::Serial => "serial",
        };
        // What follows is Debian's own part (deb-version(7)).
        let version = self.version.split('-').next().unwrap_or_default();
        write!(f, "linux-{version} {mode}")
    }
}

impl System {
    /// Which has this name in results.
    pub fn named(name: &str) -> Option<Self> {
        let (version, mode) = name.strip_prefix("linux-")?.rsplit_once(' ')?;
        let mode = match mode {
            "parallel" => Mode::Parallel,
            "serial" => Mode::Serial,
            _ => return None,
        };
        let series: Vec<&str> = version.splitn(3, '.').take(2).collect();
        Some(Self {
            series: series.join(".").parse().ok()?,
            version: version.to_owned(),
            mode,
        })
    }

    /// The words for a boot whose clock runs at `tsc_hz`.
    ///
    /// QEMU's `-cpu max` calls itself an AMD processor of family 6. Linux takes that for one of the
    /// nineties, waits 10 ms behind each INIT, and measures its delay loop for 90 ms on each CPU. That
    /// would be no fair comparison, and so it is told both; and the TSC's frequency, which all CPUs
    /// have from one clock of the host.
    pub fn command_line(&self, tsc_hz: u64) -> String {
        let khz = tsc_hz / 1000;
        let loops_per_jiffy = khz * 1000 / DEBIAN_HZ;
        // No word: parallel is what it does by itself, where it can.
        let mode = match self.mode {
            Mode::Serial if self.series >= PARALLEL_SINCE => " cpuhp.parallel=0",
            Mode::Serial | Mode::Parallel => "",
        };
        format!(
            "console=ttyS0 panic=-1 tsc=reliable tsc_early_khz={khz} lpj={loops_per_jiffy} \
             cpu_init_udelay=0 no_timer_check{mode}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(text: &str) -> Series {
        text.parse().expect("it is one")
    }

    #[test]
    fn a_version_is_of_one_series() {
        assert!(series("6.12").has("6.12.95-1~bpo12+1"));
        assert!(series("6.1").has("6.1.176-1"));
        assert!(series("6.12").has("6.12~rc3-1"));
        assert!(!series("6.1").has("6.12.95-1~bpo12+1"));
        assert!(!series("6.12").has("6.1.176-1"));
        assert!(!series("6.1").has("6"));
        for wrong in ["6", "6.", "6.x", "6.1.0", ""] {
            assert!(wrong.parse::<Series>().is_err(), "{wrong}");
        }
    }

    fn system(version: &str, mode: Mode) -> System {
        let series = version.rsplit_once('.').expect("it has three parts").0;
        System {
            series: self::series(series),
            version: format!("{version}-1~bpo12+1"),
            mode,
        }
    }

    #[test]
    fn parallel_is_what_newer_ones_do_and_can_be_told_not_to() {
        assert_eq!(series("6.1").modes(), [Mode::Serial]);
        assert_eq!(series("6.12").modes(), [Mode::Parallel, Mode::Serial]);
        assert_eq!(series("6.5").modes().len(), 2);
        let newer = system("6.12.95", Mode::Parallel).to_string();
        assert_eq!(newer, "linux-6.12.95 parallel");
        let line = |version, mode| system(version, mode).command_line(2_300_000_000);
        assert!(line("6.12.95", Mode::Serial).ends_with(" cpuhp.parallel=0"));
        // It does not know the word.
        assert!(!line("6.1.176", Mode::Serial).contains("cpuhp"));
        assert!(!line("6.12.95", Mode::Parallel).contains("cpuhp"));
    }

    #[test]
    fn the_clock_and_the_delay_loop_are_told_for_the_hosts_frequency() {
        let line = system("6.12.95", Mode::Parallel).command_line(2_300_000_123);
        assert!(
            line.contains(" tsc_early_khz=2300000 lpj=9200000 "),
            "{line}"
        );
    }
}
