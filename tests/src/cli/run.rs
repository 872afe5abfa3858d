//! `cargo xtask run`: one boot, live.

use std::{
    fs::File,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::Run;
use crate::{
    guest::{Guest, Sight},
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::{FIRMWARE_LINE, Outcome},
    setup,
};

impl Run {
    pub(super) fn execute(self) -> Result<ExitCode> {
        // First, as it costs nothing: all that follows may take minutes.
        let mut json = self
            .json
            .map(|path| {
                File::create(&path).with_context(|| format!("cannot write {}", path.display()))
            })
            .transpose()?;
        let mut json_error = None;
        setup::ensure(false)?;
        let kernel = Kernel::ready()?;
        let machine = self.machine.machine(&kernel)?;

        let interrupts = Interrupts::listen()?;
        let ended = Guest::start(&kernel, &machine)?
            .until_interrupted(&interrupts)
            .watch(|sight| match sight {
                // A reader that has gone away is no reason to end the run early.
                Sight::Console(bytes) => drop(show(bytes)),
                Sight::Record(line) => {
                    if let Some(file) = &mut json
                        && let Err(error) = writeln!(file, "{line}")
                    {
                        json_error.get_or_insert(error);
                    }
                }
                Sight::Complaint(line) => eprintln!("qemu: {line}"),
            })
            .run(self.timeout)?;

        match &ended.outcome {
            Outcome::Ok => ended
                .whereabouts
                .iter()
                .for_each(|place| eprintln!("xtask: {place}")),
            // The last words, just above, say why.
            Outcome::Failed(reason) if reason.starts_with(FIRMWARE_LINE) => {
                eprintln!("xtask: the firmware did not start the kernel");
            }
            Outcome::Failed(_) => eprintln!("xtask: the kernel reports that it failed"),
            // QEMU's own words are just above.
            Outcome::Died { status, .. } if ended.console.is_empty() => {
                eprintln!("xtask: QEMU did not start ({status})");
            }
            Outcome::Hung(limit) if ended.console.lines().any(is_success) => {
                let limit = limit.as_secs_f64();
                eprintln!("xtask: stopped after {limit} s; the kernel idles, as asked");
            }
            _ => ended
                .explain()
                .lines()
                .for_each(|line| eprintln!("xtask: {line}")),
        }
        if let Some(error) = json_error {
            return Err(error).context("cannot write the records");
        }
        Ok(ExitCode::from(ended.outcome.exit_code()))
    }
}

/// Whether this line of the console is the kernel's verdict that all is well.
fn is_success(line: &str) -> bool {
    line == "reveille: ok" || line.starts_with("reveille: ok: ")
}

fn show(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
