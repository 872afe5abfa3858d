//! What a boot ended as, and the exit status that `cargo xtask run` makes of it.

use std::{fmt, time::Duration};

use reveille_smp::record::exit_code;
use signal_hook::low_level::signal_name;

use crate::terminal::text;

/// How the line begins in which a firmware of the tests says why it cannot go on.
pub const FIRMWARE_LINE: &str = "firmware: ";

/// What the kernel says last when it is to reset the machine.
pub const REBOOT_LINE: &str = "reveille: reboot";

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel did all that was asked for.
    Ok,
    /// The kernel says that it did not, and why; or a firmware of ours that it could not start the
    /// kernel, in a line that begins with [`FIRMWARE_LINE`].
    Failed(String),
    /// A CPU panicked or took an exception; the kernel's line about it.
    Panicked(String),
    /// The guest was reset, as it had said that it would.
    Rebooted,
    /// The guest was reset without a word: a CPU met an exception that it could not even begin to
    /// handle.
    TripleFault,
    /// Nothing had ended the run by its time limit.
    Hung(Duration),
    /// The accelerator gave up on the guest, in QEMU's words for the state.
    Stopped(String),
    /// QEMU ended on its own account.
    Died {
        /// Its exit status.
        status: String,
        /// What it last said.
        words: String,
    },
    /// We were asked to end, by this signal.
    Interrupted(i32),
}

impl Outcome {
    /// Judges a QEMU that has ended: its exit status, whether the monitor reported a reset, what
    /// the console last said, and what QEMU itself said.
    pub fn judge(status: Option<i32>, reset: bool, console: &str, complaints: &[String]) -> Self {
        let console = &*text::plain(console);
        let verdict = |code: u8| Some(i32::from(code) << 1 | 1);
        if status == verdict(exit_code::OK) {
            Self::Ok
        } else if status == verdict(exit_code::FAILED) {
            let reason = last_with(console, "reveille: failed: ").or_else(|| {
                let lines = console.lines().rev().map(str::trim_end);
                lines.into_iter().find(|it| it.starts_with(FIRMWARE_LINE))
            });
            Self::Failed(reason.unwrap_or("no reason given").to_owned())
        } else if status == verdict(exit_code::PANICKED) {
            let line = ["panic on ", "exception on "].iter().find_map(|start| {
                console
                    .lines()
                    .find(|line| line.trim_end().starts_with(start))
            });
            Self::Panicked(
                line.unwrap_or("without a word on the console")
                    .trim_end()
                    .to_owned(),
            )
        } else if reset && last_line(console) == Some(REBOOT_LINE) {
            Self::Rebooted
        } else if reset {
            Self::TripleFault
        } else {
            let status = match status {
                Some(status) => format!("status {status}"),
                None => "a signal".to_owned(),
            };
            let words = complaints.last().map_or("no complaint", String::as_str);
            Self::Died {
                status,
                words: words.to_owned(),
            }
        }
    }

    /// The exit status of `cargo xtask run`; its help lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Died { .. } => 1,
            // 2 is a wrong use of the command line.
            Self::Failed(_) => 3,
            Self::Panicked(_) => 4,
            Self::TripleFault => 5,
            Self::Stopped(_) => 6,
            Self::Rebooted => 7,
            // As timeout(1) has it.
            Self::Hung(_) => 124,
            // As shells have it.
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Failed(reason) if reason.starts_with(FIRMWARE_LINE) => f.write_str(reason),
            Self::Failed(reason) => write!(f, "the kernel reports failure: {reason}"),
            Self::Panicked(line) => write!(f, "the kernel crashed: {line}"),
            Self::Rebooted => f.write_str("the guest rebooted, as it was asked to"),
            Self::TripleFault => f.write_str(
                "triple fault: a CPU met an exception that it could not begin to handle",
            ),
            Self::Hung(limit) => {
                write!(
                    f,
                    "no end after {} s: the guest hangs, or needs more than --timeout",
                    limit.as_secs_f64()
                )
            }
            Self::Stopped(state) => write!(f, "the accelerator gave up on the guest ({state})"),
            Self::Died { status, words } => {
                write!(
                    f,
                    "QEMU ended without the kernel's verdict: {status}, {words}"
                )
            }
            Self::Interrupted(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "interrupted by {name}"),
                None => write!(f, "interrupted by signal {signal}"),
            },
        }
    }
}

/// What follows `start` in the last line that begins so.
fn last_with<'a>(console: &'a str, start: &str) -> Option<&'a str> {
    console
        .lines()
        .rev()
        .find_map(|line| line.trim_end().strip_prefix(start))
}

/// The last line that is not empty.
fn last_line(console: &str) -> Option<&str> {
    let mut lines = console.lines().rev().map(str::trim_end);
    lines.find(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn died(status: &str, words: &str) -> Outcome {
        Outcome::Died {
            status: status.to_owned(),
            words: words.to_owned(),
        }
    }

    #[test]
    fn a_signal_is_named() {
        assert_eq!(Outcome::Interrupted(2).to_string(), "interrupted by SIGINT");
    }

    #[test]
    fn the_kernels_verdict_is_the_outcome() {
        let console = "reveille: hello\r\npanic on CPU 3 (APIC 3): no\r\nreveille: failed: x\r\n";
        assert_eq!(Outcome::judge(Some(0x21), false, console, &[]), Outcome::Ok);
        assert_eq!(
            Outcome::judge(Some(0x23), false, console, &[]),
            Outcome::Failed("x".into())
        );
        let panic = Outcome::Panicked("panic on CPU 3 (APIC 3): no".into());
        assert_eq!(Outcome::judge(Some(0x25), false, console, &[]), panic);
    }

    #[test]
    fn what_a_firmware_says_last_is_the_reason_where_the_kernel_says_none() {
        let firmware = "firmware: no module\r\n";
        let failed = Outcome::judge(Some(0x23), false, firmware, &[]);
        assert_eq!(failed, Outcome::Failed("firmware: no module".into()));
        assert_eq!(failed.to_string(), "firmware: no module");
        let both = format!("{firmware}reveille: failed: x\r\n");
        let failed = Outcome::judge(Some(0x23), false, &both, &[]);
        assert_eq!(failed, Outcome::Failed("x".into()));
    }

    #[test]
    fn status_0_is_never_success() {
        assert_eq!(
            Outcome::judge(Some(0), true, "reveille: ok\n", &[]),
            Outcome::TripleFault
        );
        let died = Outcome::judge(Some(0), false, "reveille: ok\n", &[]);
        assert_eq!(died, self::died("status 0", "no complaint"));
    }

    #[test]
    fn a_reset_that_was_announced_last_is_a_reboot() {
        let judge = |console| Outcome::judge(Some(0), true, console, &[]);
        assert_eq!(judge("reveille: reboot\n"), Outcome::Rebooted);
        assert_eq!(
            judge("reveille> \r\x1b[Kreveille: reboot\n"),
            Outcome::Rebooted
        );
        // The machine went on after it: what reset it was something else.
        assert_eq!(
            judge("reveille: reboot\nreveille> \n"),
            Outcome::TripleFault
        );
        let died = Outcome::judge(Some(0), false, "reveille: reboot\n", &[]);
        assert_eq!(died, self::died("status 0", "no complaint"));
    }

    #[test]
    fn the_verdict_is_found_behind_a_row_that_was_drawn() {
        let console = "reveille> \r\x1b[K\x1b[?1049lpanic on CPU 3 (APIC 3): no\n";
        let panic = Outcome::Panicked("panic on CPU 3 (APIC 3): no".into());
        assert_eq!(Outcome::judge(Some(0x25), false, console, &[]), panic);
    }

    #[test]
    fn a_qemu_that_dies_is_quoted() {
        let complaints = ["first".to_owned(), "qemu: no such CPU model".to_owned()];
        let died = Outcome::judge(Some(1), false, "", &complaints);
        assert_eq!(died, self::died("status 1", "qemu: no such CPU model"));
        let killed = Outcome::judge(None, false, "", &[]);
        assert_eq!(killed, self::died("a signal", "no complaint"));
    }

    #[test]
    fn every_outcome_has_its_own_exit_status() {
        let all = [
            Outcome::Ok,
            died("", ""),
            Outcome::Failed(String::new()),
            Outcome::Panicked(String::new()),
            Outcome::TripleFault,
            Outcome::Rebooted,
            Outcome::Stopped(String::new()),
            Outcome::Hung(Duration::ZERO),
            Outcome::Interrupted(2),
            Outcome::Interrupted(15),
        ];
        let mut codes: Vec<u8> = all.iter().map(Outcome::exit_code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
        assert!(!codes.contains(&2), "2 is clap's");
    }
}
