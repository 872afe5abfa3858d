//! What QEMU writes of a guest while it runs (`-trace ... -msg timestamp=on`), with its own time of each
//! thing.
//!
//! A byte of the console that reaches us has waited until a host that is busy with the guest's CPUs lets us
//! run, for tens of milliseconds at times. The vCPU's own thread stamps it here, as it writes the byte. A
//! line of the trace costs that thread some microseconds.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::console::{Seen, Up, Watch};

/// Each write to a serial port.
pub const SERIAL: &str = "serial_write";

/// Each write to a register of a local APIC.
pub const APIC: &str = "apic_register_write";

/// What QEMU needs to write these events to `log`.
pub fn arguments(events: &[&str], log: &Path) -> Vec<String> {
    let log = log.display().to_string();
    let events = events.iter().flat_map(|event| ["-trace", *event]);
    let words = events.chain(["-msg", "timestamp=on", "-D", &log]);
    words.map(str::to_owned).collect()
}

/// The bring-up as Linux's console shows it, by QEMU's times of the bytes.
///
/// # Errors
///
/// The console does not show one.
pub fn console(trace: &str) -> Result<Up> {
    let mut console = Console::default();
    for event in trace.lines().filter_map(Event::parse) {
        console.take(&event);
    }
    match console.watch.seen() {
        Some(Seen::Up(up)) => Ok(*up),
        Some(Seen::Broken(why)) => bail!("{why}"),
        None => bail!("no bring-up in what QEMU wrote of the console"),
    }
}

/// A line of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The vCPU's thread.
    pub thread: u32,
    /// By the host's clock.
    pub at: Duration,
    /// What was written.
    pub write: Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
/// What was written where.
pub enum Write {
    /// To a register of the vCPU's local APIC.
    Apic {
        /// As QEMU numbers them: the offset in the page by 16, or the MSR less 0x800.
        register: u32,
        /// In x2APIC mode of 64 bits.
        value: u64,
    },
    /// A byte to the console.
    Serial(u8),
}

impl Event {
    /// Such as `7569@1795918252.127962:apic_register_write register 0x30 = 0x100004500`.
    pub fn parse(line: &str) -> Option<Self> {
        let (thread, rest) = line.split_once('@')?;
        let (at, rest) = rest.split_once(':')?;
        let (seconds, micros) = at.split_once('.')?;
        let at = Duration::from_secs(seconds.parse().ok()?)
            + Duration::from_micros(micros.parse().ok()?);
        let hexadecimal = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        let write = match words[..] {
            ["apic_register_write", "register", register, "=", value] => Write::Apic {
                register: hexadecimal(register)?.try_into().ok()?,
                value: hexadecimal(value)?,
            },
            // The register at 0 sends the byte, but for the few writes that set the rate.
            ["serial_write", "write", "addr", "0x00", "val", value] => {
                Write::Serial(hexadecimal(value)?.try_into().ok()?)
            }
            _ => return None,
        };
        Some(Self {
            thread: thread.parse().ok()?,
            at,
            write,
        })
    }
}

/// The serial line, by QEMU's times.
#[derive(Debug, Default)]
struct Console {
    /// When the first byte came, on both clocks: [`Watch`] wants one that does not jump.
    start: Option<(Duration, Instant)>,
    watch: Watch,
}

impl Console {
    fn take(&mut self, event: &Event) {
        if let Write::Serial(byte) = event.write {
            let now = || (event.at, Instant::now());
            let (first, instant) = *self.start.get_or_insert_with(now);
            self.watch
                .feed(&[byte], instant + event.at.saturating_sub(first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_timed_by_the_bytes_as_they_are_written() {
        let text = "smp: Bringing up secondary CPUs ...\r\nsmp: Brought up 1 node, 4 CPUs\r\n";
        let mut trace = String::new();
        for (index, byte) in (0..).zip(text.bytes()) {
            let at = 1_795_918_252_999_000_u64 + 100 * index;
            let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
            trace += &format!(
                "13323@{seconds}.{micros:06}:serial_write write addr 0x00 val {byte:#04x}\n\
                 13323@{seconds}.{micros:06}:serial_write write addr 0x01 val 0x0a\n"
            );
        }
        let up = Up {
            took: Duration::from_micros(100),
            cpus: 4,
        };
        assert_eq!(console(&trace).expect("it is whole"), up);
        let cut = trace.len() / 2;
        let error = console(&trace[..cut]).expect_err("it is not over");
        assert!(error.to_string().starts_with("no bring-up"), "{error}");
    }

    #[test]
    fn other_lines_of_qemus_are_not_of_the_trace() {
        let line = "7569@1795918252.127962:apic_register_write register 0x30 = 0x100004500";
        let event = Event {
            thread: 7569,
            at: Duration::from_micros(1_795_918_252_127_962),
            write: Write::Apic {
                register: 0x30,
                value: 0x1_0000_4500,
            },
        };
        assert_eq!(Event::parse(line), Some(event));
        for other in [
            "",
            "2026-11-29T02:14:32.137394Z qemu-system-x86_64: terminating on signal 15",
            "7569@1795918252.127962:apic_register_read register 0x30 = 0x0",
            "7569@1795918252.127962:apic_register_write register 0x30",
        ] {
            assert_eq!(Event::parse(other), None, "{other}");
        }
    }

    #[test]
    fn qemu_is_told_what_to_write_and_where_to() {
        let arguments = arguments(&[SERIAL, APIC], Path::new("/tmp/a.log")).join(" ");
        let expected =
            "-trace serial_write -trace apic_register_write -msg timestamp=on -D /tmp/a.log";
        assert_eq!(arguments, expected);
    }
}
