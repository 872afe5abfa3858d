//! `cargo xtask soak`: many boots of one machine, and how many came up whole.

use std::{
    fs,
    io::{self, ErrorKind, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use reveille_smp::look::{Hue, Look};

use super::Soak;
use crate::{
    guest::{Ended, Guest},
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::Outcome,
    setup,
    spread::Spread,
    terminal::look::{self, When, fit},
};

impl Soak {
    pub(super) fn execute(self) -> Result<ExitCode> {
        setup::ensure(false)?;
        let kernel = Kernel::ready()?;
        let machine = self.machine.machine(&kernel)?;
        let interrupts = Interrupts::listen()?;
        let folder = kernel.scratch().join("soak");
        clear(&folder)?;
        let mut tally = Tally::default();
        while tally.boots < self.boots && interrupts.received().is_none() {
            let (whole, boots) = (tally.online.len(), tally.boots);
            show_progress(&format!(
                "{whole} of {boots} whole, {} to go",
                self.boots - boots
            ));
            let ended = Guest::start(&kernel, &machine)?
                .until_interrupted(&interrupts)
                .run(self.timeout)?;
            tally.boots += 1;
            match wholeness(&ended) {
                Ok(online) => tally.whole(online, ended.elapsed),
                // The boot that was under way proves nothing.
                Err(_) if interrupts.received().is_some() => tally.boots -= 1,
                Err(reason) => {
                    let log = keep(&folder, tally.boots, &ended)?;
                    show_progress("");
                    println!("boot {}: {reason} (see {log})", tally.boots);
                }
            }
        }
        show_progress("");
        println!("{}", tally.told(look::of_this_process(When::Auto)));
        Ok(match interrupts.received() {
            Some(signal) => ExitCode::from(Outcome::Interrupted(signal).exit_code()),
            None if tally.is_whole() => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        })
    }
}

/// Writes over the line that the cursor is in; a pipe gets nothing.
fn show_progress(text: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        // CR and "erase to the end of the line" (ECMA-48, EL).
        let _unseen = write!(stderr, "\r\x1b[K{text}");
    }
}

/// Removes what an earlier soak kept.
fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot empty {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The time to the last CPU online, or what was not whole.
fn wholeness(ended: &Ended) -> Result<Duration> {
    if ended.outcome != Outcome::Ok {
        anyhow::bail!("{}", ended.outcome);
    }
    let bringup = ended.records.bringup()?;
    if bringup.online != bringup.aps {
        anyhow::bail!("{} of {} APs online", bringup.online, bringup.aps);
    }
    Ok(Duration::from_nanos(bringup.online_ns.unwrap_or_default()))
}

/// Keeps what a failed boot showed, for a look afterwards.
fn keep(folder: &Path, boot: u32, ended: &Ended) -> Result<String> {
    let path = folder.join(format!("boot-{boot}.log"));
    let records = ended.records.lines().join("\n");
    let text = format!("{}\n\n{}\n\n{records}\n", ended.explain(), ended.console);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.display().to_string())
}

/// The boots so far.
#[derive(Debug, Default)]
struct Tally {
    boots: u32,
    /// From the first INIT to the last CPU online, for each boot that came up whole.
    online: Vec<Duration>,
    /// From the start of QEMU to its end, for the same boots.
    elapsed: Vec<Duration>,
}

impl Tally {
    fn whole(&mut self, online: Duration, elapsed: Duration) {
        self.online.push(online);
        self.elapsed.push(elapsed);
    }

    fn is_whole(&self) -> bool {
        self.online.len() == usize::try_from(self.boots).unwrap_or(usize::MAX)
    }

    /// In words, and how the times spread.
    fn told(&self, look: Look) -> String {
        let hue = if self.is_whole() { Hue::Good } else { Hue::Bad };
        let whole = look.paint(hue, self.online.len());
        let mut text = format!("{whole} of {} boots came up whole\n", self.boots);
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(["", "min", "median", "p99", "max"]);
        for (name, times) in [
            ("all CPUs online", &self.online),
            ("whole boot", &self.elapsed),
        ] {
            let Some(spread) = Spread::of(times) else {
                continue;
            };
            let times = [spread.min, spread.median, spread.p99, spread.max].map(milliseconds);
            table.add_row([name].into_iter().map(str::to_owned).chain(times));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        fit(&mut table, look);
        if !table.is_empty() {
            text += &table.trim_fmt();
        }
        text
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use reveille_smp::look::Columns;

    use super::*;

    #[test]
    fn a_soak_says_how_many_came_up_whole_and_how_the_times_spread() {
        let mut tally = Tally {
            boots: 3,
            ..Tally::default()
        };
        tally.whole(Duration::from_micros(1500), Duration::from_millis(300));
        tally.whole(Duration::from_micros(2500), Duration::from_millis(400));
        let text = tally.told(Look::default());
        assert!(text.starts_with("2 of 3 boots came up whole\n"), "{text}");
        assert!(
            text.contains("1.50 ms") && text.contains("400.00 ms"),
            "{text}"
        );
        assert!(!tally.is_whole());
        let narrow = Look {
            columns: Some(Columns::nearest(40)),
            ..Look::default()
        };
        let text = tally.told(narrow);
        assert!(text.lines().all(|line| line.len() <= 40), "{text}");
        assert!(text.contains("400.00"), "{text}");
    }

    #[test]
    fn a_soak_of_no_boots_has_no_times() {
        let text = Tally::default().told(Look::default());
        assert_eq!(text, "0 of 0 boots came up whole\n");
    }
}
