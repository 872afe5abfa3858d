//! Linux's bring-up as its serial line shows it: from the line that says that it begins to the one that
//! says that it is over, by times that come with the bytes ([`trace`](super::trace)).
//!
//! Linux writes a line before it goes on, so the bring-up begins when the last byte of the first line is
//! there, and is over before the first byte of the other. What it writes between them (a number for each
//! CPU, where it brings up one after the other) is in its time. QEMU's serial port has no rate; a byte costs
//! what an access to a port costs.

use std::time::{Duration, Instant};

/// What it writes before the first AP is prepared.
pub const BEGINS: &str = "smp: Bringing up secondary CPUs";

/// What it writes behind the last, and how many are online: `smp: Brought up 1 node, 8 CPUs`.
pub const ENDS: &str = "smp: Brought up ";

/// How it begins to say that it cannot go on.
const PANIC: &str = "Kernel panic - ";

/// What the console has shown so far.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The line that is not over yet, and when it began.
    line: Vec<u8>,
    line_began: Option<Instant>,
    began: Option<Instant>,
    /// What came of it. The first that is seen stays.
    seen: Option<Seen>,
}

/// How a bring-up ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All that Linux brings up are.
    Up(Up),
    /// It will not come to its end.
    Broken(String),
}

/// A bring-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Up {
    /// From the end of the one line to the beginning of the other.
    pub took: Duration,
    /// CPUs that are online, the BSP included.
    pub cpus: u32,
}

impl Watch {
    /// Takes bytes that were read `at` a time, and tells what came of the bring-up once that is known.
    pub fn feed(&mut self, bytes: &[u8], at: Instant) -> Option<&Seen> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                let line_began = self.line_began.unwrap_or(at);
                self.line_is_over(&line, line_began, at);
                self.line.clear();
                self.line_began = None;
            } else {
                self.line_began.get_or_insert(at);
                self.line.push(byte);
            }
        }
        self.seen()
    }

    /// What came of the bring-up, if that is known.
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// Whether the bring-up has begun.
    pub fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    fn line_is_over(&mut self, line: &str, line_began: Instant, at: Instant) {
        if self.seen.is_some() {
            return;
        }
        if line.contains(BEGINS) {
            self.began = Some(at);
        } else if let Some((_, words)) = line.split_once(ENDS) {
            self.seen = Some(match (self.began, cpus(words)) {
                (Some(began), Some(cpus)) => Seen::Up(Up {
                    took: line_began.saturating_duration_since(began),
                    cpus,
                }),
                (None, _) => Seen::Broken(format!("`{ENDS}` came without `{BEGINS}`")),
                (_, None) => Seen::Broken(format!("no number of CPUs in `{}`", line.trim_end())),
            });
        } else if let Some(at) = line.find(PANIC) {
            self.seen = Some(Seen::Broken(line[at..].trim_end().to_owned()));
        }
    }
}

/// 8 in `1 node, 8 CPUs`.
fn cpus(words: &str) -> Option<u32> {
    let (_, words) = words.split_once(',')?;
    words.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.1 wrote with 3 CPUs.
    const SERIAL: &str = "\
[    1.202156] smpboot: CPU0: AMD QEMU TCG CPU version 2.5+ (family: 0x6, model: 0x6, stepping: 0x3)\r
[    1.269581] smp: Bringing up secondary CPUs ...\r
[    1.274117] x86: Booting SMP configuration:\r
[    1.278984] .... node  #0, CPUs:      #1 #2\r
[    1.323350] smp: Brought up 1 node, 3 CPUs\r
[    1.323781] smpboot: Max logical packages: 1\r
";

    const MS: Duration = Duration::from_millis(1);

    /// Feeds one byte a millisecond.
    fn byte_by_byte(text: &str) -> (Watch, Option<Seen>) {
        let start = Instant::now();
        let mut watch = Watch::default();
        let mut seen = None;
        for (ms, byte) in (0..).zip(text.bytes()) {
            seen = watch.feed(&[byte], start + MS * ms).cloned();
        }
        (watch, seen)
    }

    #[test]
    fn a_bringup_lasts_from_the_last_byte_of_one_line_to_the_first_of_another() {
        let (_, seen) = byte_by_byte(SERIAL);
        let begin = SERIAL.find(BEGINS).expect("it is there");
        let begin = begin + SERIAL[begin..].find('\n').expect("its end");
        let end = SERIAL.find("[    1.323350]").expect("it is there");
        let took = MS * u32::try_from(end - begin).expect("few bytes");
        assert_eq!(seen, Some(Seen::Up(Up { took, cpus: 3 })));
    }

    #[test]
    fn bytes_that_are_read_together_have_one_time() {
        let start = Instant::now();
        let mut watch = Watch::default();
        let cut = SERIAL.find("[    1.278984]").expect("it is there") + 20;
        assert_eq!(watch.feed(&SERIAL.as_bytes()[..cut], start), None);
        assert!(watch.has_begun());
        let seen = watch.feed(&SERIAL.as_bytes()[cut..], start + MS * 7);
        let up = Up {
            took: MS * 7,
            cpus: 3,
        };
        assert_eq!(seen, Some(&Seen::Up(up)));
        // What comes behind it changes nothing.
        let seen = watch.feed(b"[    9.0] Kernel panic - not syncing: VFS\r\n", start);
        assert_eq!(seen, Some(&Seen::Up(up)));
    }

    #[test]
    fn a_panic_before_the_end_and_an_end_without_a_beginning_are_told() {
        let broken = |text| match byte_by_byte(text).1 {
            Some(Seen::Broken(why)) => why,
            other => panic!("{other:?}"),
        };
        let panic = "[    0.1] smp: Bringing up secondary CPUs ...\r\n\
                     [    0.2] Kernel panic - not syncing: out of memory\r\n";
        assert_eq!(broken(panic), "Kernel panic - not syncing: out of memory");
        assert!(broken("[    1.3] smp: Brought up 1 node, 3 CPUs\r\n").contains("without"));
        let odd = "smp: Bringing up secondary CPUs ...\r\nsmp: Brought up all\r\n";
        assert!(broken(odd).contains("no number"));
        let (watch, seen) = byte_by_byte("[    0.1] Linux version 6.1\r\nsmp: Brought up");
        assert_eq!((watch.has_begun(), seen), (false, None));
    }
}
