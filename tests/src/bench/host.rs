//! The machine under QEMU, and what else it did while a guest ran.
//!
//! Other load on the host inflates times several-fold, so each boot records it: all CPU time that the
//! host gave to anybody, less what QEMU and this process took. Time that a hypervisor below took away
//! from the host (steal) counts as others' too.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};

use crate::qemu::process::Usage;

/// Of the host's CPU time, what others may take until a boot is called busy.
pub const BUSY_SHARE: f64 = 0.05;

/// The machine under QEMU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// What its CPUs call themselves.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// Its memory.
    pub memory_bytes: u64,
    /// Distribution and kernel.
    pub system: String,
}

impl Host {
    /// The one that this runs on. What it does not tell is `unknown` or 0.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (cpuinfo, meminfo) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let release = read("/etc/os-release");
        let unknown = || "unknown".to_owned();
        let kernel = rustix::system::uname();
        let memory = field(&meminfo, "MemTotal", ':').and_then(kibibytes);
        let distribution = field(&release, "PRETTY_NAME", '=');
        Self {
            cpu: field(&cpuinfo, "model name", ':').map_or_else(unknown, str::to_owned),
            cpus: thread::available_parallelism().map_or(1, |it| it.get() as u32),
            memory_bytes: memory.unwrap_or_default(),
            system: format!(
                "{}, {} {}",
                distribution.unwrap_or("unknown").trim_matches('"'),
                kernel.sysname().to_string_lossy(),
                kernel.release().to_string_lossy()
            ),
        }
    }
}

/// What stands behind a name and its separator, in the first line that has it.
fn field<'a>(text: &'a str, name: &str, separator: char) -> Option<&'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(separator));
    let mut named = pairs.filter(|(key, _)| key.trim() == name);
    named.next().map(|(_, value)| value.trim())
}

/// The bytes of a value such as `16384 kB`, which stands for KiB (proc_meminfo(5)).
fn kibibytes(value: &str) -> Option<u64> {
    let number = value.split_ascii_whitespace().next()?;
    Some(number.parse::<u64>().ok()? * 1024)
}

/// What a boot cost the host, and what else the host did meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// CPU time that others took, of all CPUs together, in steps of the host's clock ticks (10 ms as
    /// a rule).
    pub other_cpu_ns: u64,
    /// CPU time of QEMU, user and system.
    pub own_cpu_ns: u64,
    /// Others took more than [`BUSY_SHARE`] of the host: the times are not to be trusted.
    pub busy: bool,
    /// The most memory that QEMU had resident.
    pub peak_rss_bytes: u64,
}

impl Load {
    /// From what all took on a host of so many CPUs in so long, and of that this process, and QEMU.
    fn of(all: Duration, ourselves: Duration, qemu: &Usage, elapsed: Duration, cpus: u32) -> Self {
        let other = all.saturating_sub(ourselves).saturating_sub(qemu.cpu);
        let tolerated = elapsed.mul_f64(BUSY_SHARE * f64::from(cpus));
        Self {
            other_cpu_ns: nanoseconds(other),
            own_cpu_ns: nanoseconds(qemu.cpu),
            busy: other > tolerated,
            peak_rss_bytes: qemu.peak_rss_bytes,
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What the host has done so far, for a boot that begins now.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    started: Instant,
    all: HostTime,
    ourselves: Duration,
}

impl Meter {
    /// Begins, before QEMU starts.
    ///
    /// # Errors
    ///
    /// `/proc` does not tell.
    pub fn start() -> Result<Self> {
        Ok(Self {
            started: Instant::now(),
            all: HostTime::now()?,
            ourselves: own_time()?,
        })
    }

    /// What has come together since then, behind the end of a QEMU that took so much.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn stop(self, qemu: &Usage) -> Result<Load> {
        let (all, ourselves) = (HostTime::now()?, own_time()?);
        Ok(Load::of(
            all.given.saturating_sub(self.all.given),
            ourselves.saturating_sub(self.ourselves),
            qemu,
            self.started.elapsed(),
            all.cpus,
        ))
    }
}

/// CPU time that the host has given to anybody since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HostTime {
    given: Duration,
    cpus: u32,
}

impl HostTime {
    fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Self::parse(&text).context("/proc/stat has no times")
    }

    /// Of the text of `/proc/stat` (proc_stat(5)). Guests' time is in `user` and `nice` already.
    fn parse(text: &str) -> Option<Self> {
        let of = |line: &str| -> Option<u64> {
            let ticks: Result<Vec<u64>, _> =
                line.split_ascii_whitespace().map(str::parse).collect();
            let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks.ok()?[..]
            else {
                return None;
            };
            Some(user + nice + system + irq + softirq + steal)
        };
        let mut lines = text.lines();
        let given = of(lines.next()?.strip_prefix("cpu ")?)?;
        let cpus = lines.take_while(|line| line.starts_with("cpu")).count();
        Some(Self {
            given: duration(given),
            cpus: u32::try_from(cpus).ok()?.max(1),
        })
    }
}

/// CPU time that this process has taken, without its children.
fn own_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    parse_own(&text).context("/proc/self/stat has no times")
}

/// Of the text of `/proc/PID/stat` (proc_pid_stat(5)): the fields `utime` and `stime`. The name before
/// them may contain anything.
fn parse_own(text: &str) -> Option<Duration> {
    let (_, behind_the_name) = text.rsplit_once(')')?;
    let mut times = behind_the_name.split_ascii_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(duration(next()? + next()?))
}

fn duration(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * 1_000_000_000 / clock_ticks_per_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_says_who_it_is_and_what_it_did() {
        let host = Host::here();
        assert!(host.cpus > 0 && host.memory_bytes > 0, "{host:?}");
        assert!(host.system.contains("Linux"), "{host:?}");
        let meter = Meter::start().expect("there is a /proc");
        let load = meter.stop(&Usage::default()).expect("there is a /proc");
        assert_eq!(load.own_cpu_ns, 0);
    }

    #[test]
    fn what_others_took_is_what_all_took_less_qemu_and_ourselves() {
        let ms = Duration::from_millis;
        let qemu = Usage {
            cpu: ms(1500),
            peak_rss_bytes: 5,
        };
        let quiet = Load::of(ms(1700), ms(120), &qemu, ms(1000), 2);
        assert_eq!(
            (quiet.other_cpu_ns, quiet.own_cpu_ns),
            (80_000_000, 1_500_000_000)
        );
        assert!(!quiet.busy, "80 ms of 2 s are less than one in 20");
        assert!(Load::of(ms(1750), ms(120), &qemu, ms(1000), 2).busy);
        // The ticks may lag behind.
        assert_eq!(
            Load::of(ms(1490), ms(0), &qemu, ms(1000), 2).other_cpu_ns,
            0
        );
    }

    #[test]
    fn the_hosts_times_are_all_but_idle_ones() {
        let text = "cpu  100 20 30 9000 800 4 5 6 70 0\ncpu0 50 10 15 0 0 0 0 0 0 0\n\
                    cpu1 50 10 15 0 0 0 0 0 0 0\nintr 5 0\n";
        let time = HostTime::parse(text).expect("it is whole");
        assert_eq!((time.given, time.cpus), (duration(165), 2));
        for wrong in ["", "cpu  1 2 3\n", "cpu0 1 2 3 4 5 6 7 8\n"] {
            assert_eq!(HostTime::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_with_brackets_and_blanks_hides_no_times() {
        let text = "7 (a) 1 (b) R 1 7 7 0 -1 4194304 120 0 0 0 42 8 0 0 20 0 1 0 5 6";
        assert_eq!(parse_own(text), Some(duration(50)));
        assert_eq!(parse_own("7 (a"), None);
    }
}
