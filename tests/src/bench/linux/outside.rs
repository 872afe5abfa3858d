//! A bring-up as QEMU sees it: each interrupt command and each APIC that is enabled, with QEMU's own
//! time. It needs nothing of the kernel, so it measures any two in the same way.
//!
//! QEMU writes a line for each write to an APIC ([`trace`](super::trace)), with the thread that made it,
//! which is the vCPU's. The firmware starts all APs too, by one command to all but itself; a kernel's first
//! INIT is its first one to a single CPU.
//!
//! The lines add up where hundreds of CPUs write them, so these boots are apart from those that are timed by
//! themselves.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};

use super::trace::{Event, Write};

/// APIC registers as QEMU numbers them: the offset in the page by 16, or the MSR less 0x800 (SDM
/// volume 3, "Local APIC Register Address Map").
mod register {
    pub(super) const SPURIOUS_VECTOR: u32 = 0x0f;
    pub(super) const COMMAND: u32 = 0x30;
    pub(super) const COMMAND_DESTINATION: u32 = 0x31;
}

/// The spurious-interrupt vector register's bit that enables the APIC.
const ENABLED: u64 = 1 << 8;

/// A bring-up, in times from the kernel's first INIT on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// To the last AP's first SIPI.
    pub kicked: Duration,
    /// To the moment when the last AP has enabled its own APIC.
    pub enabled: Duration,
    /// From an AP's INIT to that, for each of them in order of their APIC ids.
    pub each: Vec<Duration>,
}

impl Outside {
    /// Of the trace of a machine with so many CPUs.
    ///
    /// # Errors
    ///
    /// Not all APs were sent INIT and SIPI, or enabled their APIC.
    pub fn parse(trace: &str, cpus: u32) -> Result<Self> {
        let mut watch = Watched::default();
        for event in trace.lines().filter_map(Event::parse) {
            if let Write::Apic { register, value } = event.write {
                watch.apic(&event, register, value);
            }
        }
        watch.bringup(cpus)
    }
}

/// An interrupt command to a single CPU.
enum Command {
    Init,
    Sipi,
}

impl Command {
    /// Of the command register's lower half (SDM volume 3, "Interrupt Command Register").
    fn of(value: u64) -> Option<Self> {
        let (mode, asserted, shorthand) =
            ((value >> 8) & 7, value & (1 << 14) != 0, value >> 18 & 3);
        match (mode, asserted, shorthand) {
            (5, true, 0) => Some(Self::Init),
            (6, _, 0) => Some(Self::Sipi),
            _ => None,
        }
    }
}

/// What the APICs did so far.
#[derive(Debug, Default)]
struct Watched {
    /// The thread of the vCPU that sends the commands.
    bsp: Option<u32>,
    /// The destination that it has written, where that is a register of its own (xAPIC).
    destination: u64,
    /// When each CPU was sent its first INIT, and SIPI, by its APIC id.
    inits: BTreeMap<u64, Duration>,
    sipis: BTreeMap<u64, Duration>,
    /// When each vCPU enabled its APIC behind the first INIT, by its thread. QEMU starts the threads in
    /// the order of the APIC ids.
    enabled: BTreeMap<u32, Duration>,
}

impl Watched {
    fn apic(&mut self, event: &Event, register: u32, value: u64) {
        match register {
            register::COMMAND_DESTINATION => self.destination = value >> 24,
            register::COMMAND => {
                let destination = match value >> 32 {
                    0 => self.destination,
                    x2apic => x2apic,
                };
                match Command::of(value) {
                    Some(Command::Init) => {
                        self.bsp.get_or_insert(event.thread);
                        self.inits.entry(destination).or_insert(event.at);
                    }
                    Some(Command::Sipi) => {
                        self.sipis.entry(destination).or_insert(event.at);
                    }
                    None => {}
                }
            }
            register::SPURIOUS_VECTOR
                if value & ENABLED != 0 && self.bsp.is_some_and(|bsp| bsp != event.thread) =>
            {
                self.enabled.entry(event.thread).or_insert(event.at);
            }
            _ => {}
        }
    }

    fn bringup(self, cpus: u32) -> Result<Outside> {
        let aps = cpus.saturating_sub(1);
        for (what, count) in [
            ("were sent INIT", self.inits.len()),
            ("were sent SIPI", self.sipis.len()),
            ("enabled their APIC", self.enabled.len()),
        ] {
            ensure!(
                u32::try_from(count) == Ok(aps),
                "{count} of {aps} APs {what}, by QEMU's trace"
            );
        }
        let first = self.inits.values().min().context("there is no AP")?;
        let last = |times: &mut dyn Iterator<Item = &Duration>| {
            times
                .max()
                .copied()
                .unwrap_or_default()
                .saturating_sub(*first)
        };
        let pairs = self.inits.values().zip(self.enabled.values());
        Ok(Outside {
            kicked: last(&mut self.sipis.values()),
            enabled: last(&mut self.enabled.values()),
            each: pairs
                .map(|(init, enabled)| enabled.saturating_sub(*init))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Reveille on 4 CPUs: the firmware's part, then in x2APIC mode.
    const X2APIC: &str = "\
7569@1795918251.855110:apic_register_write register 0x0f = 0x1ff
7569@1795918251.855228:apic_register_write register 0x30 = 0xc4500
7569@1795918251.855281:apic_register_write register 0x30 = 0xc4610
7569@1795918252.069268:apic_register_write register 0x0f = 0x1ff
7569@1795918252.127962:apic_register_write register 0x30 = 0x100004500
7569@1795918252.128671:apic_register_write register 0x30 = 0x10000469d
7569@1795918252.135546:apic_register_write register 0x30 = 0x200004500
7569@1795918252.135594:apic_register_write register 0x30 = 0x20000469d
7569@1795918252.135723:apic_register_write register 0x30 = 0x300004500
7569@1795918252.143538:apic_register_write register 0x30 = 0x30000469d
7570@1795918252.152999:apic_register_write register 0x0f = 0x1ff
7570@1795918252.153893:apic_register_write register 0x30 = 0x4041
7572@1795918252.162713:apic_register_write register 0x0f = 0x1ff
7571@1795918252.167670:apic_register_write register 0x0f = 0x1ff
7569@1795918252.169395:apic_register_write register 0x30 = 0x200004041
";

    /// Of Linux 6.12: in xAPIC mode, with a second SIPI, and an APIC that is disabled first.
    const XAPIC: &str = "\
29049@1795917952.511970:apic_register_write register 0x0f = 0x1ff
29049@1795917952.512067:apic_register_write register 0x30 = 0xc4500
29049@1795917952.514896:apic_register_write register 0x30 = 0xc4610
29049@1795917957.140736:apic_register_write register 0x31 = 0x1000000
29049@1795917957.140745:apic_register_write register 0x30 = 0xc500
29049@1795917957.140889:apic_register_write register 0x31 = 0x1000000
29049@1795917957.140892:apic_register_write register 0x30 = 0x8500
29049@1795917957.140938:apic_register_write register 0x31 = 0x1000000
29049@1795917957.140940:apic_register_write register 0x30 = 0x699
29049@1795917957.142061:apic_register_write register 0x31 = 0x1000000
29049@1795917957.142063:apic_register_write register 0x30 = 0x699
29049@1795917957.153739:apic_register_write register 0x31 = 0x2000000
29049@1795917957.153741:apic_register_write register 0x30 = 0xc500
29049@1795917957.155857:apic_register_write register 0x31 = 0x2000000
29049@1795917957.155858:apic_register_write register 0x30 = 0x699
29050@1795917957.277873:apic_register_write register 0x0f = 0xff
29050@1795917957.278033:apic_register_write register 0x0f = 0x1ff
29051@1795917957.383700:apic_register_write register 0x0f = 0x1ff
";

    fn micros(micros: &[u64]) -> Vec<Duration> {
        let times = micros.iter().copied();
        times.map(Duration::from_micros).collect()
    }

    #[test]
    fn a_bringup_begins_behind_the_firmwares_own_and_ends_with_the_last_apic() {
        let ours = Outside::parse(X2APIC, 4).expect("all came");
        assert_eq!(ours.kicked, Duration::from_micros(143_538 - 127_962));
        assert_eq!(ours.enabled, Duration::from_micros(167_670 - 127_962));
        assert_eq!(ours.each, micros(&[25_037, 32_124, 26_990]));
    }

    #[test]
    fn in_xapic_mode_the_destination_is_what_was_written_before() {
        let linux = Outside::parse(XAPIC, 3).expect("all came");
        assert_eq!(linux.kicked, Duration::from_micros(155_858 - 140_745));
        assert_eq!(linux.enabled, Duration::from_micros(383_700 - 140_745));
        assert_eq!(linux.each, micros(&[278_033 - 140_745, 383_700 - 153_741]));
    }

    #[test]
    fn who_does_not_come_is_missed() {
        let error = |trace: &str, cpus| {
            let error = Outside::parse(trace, cpus).expect_err("some are missing");
            error.to_string()
        };
        assert!(error(X2APIC, 5).starts_with("3 of 4 APs were sent INIT"));
        let cut = X2APIC.find("7571@").expect("the last AP");
        let two = "2 of 3 APs enabled their APIC, by QEMU's trace";
        assert_eq!(error(&X2APIC[..cut], 4), two);
        assert!(error("", 1).contains("no AP"));
    }
}
