//! `cargo xtask run`: one boot, live.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};

use super::{
    Run, mistake,
    output::{Destination, Output},
    seat::{Seat, shell_keys},
};
use crate::{
    guest::{Guest, Kept},
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::{FIRMWARE_LINE, Outcome},
    records::Records,
    setup,
    terminal::Ends,
    trace::Drawing,
};

/// How long a guest may run where nobody types at it and nobody says otherwise; the help of
/// `--timeout` names it.
const LIMIT: Duration = Duration::from_secs(60);

impl Run {
    pub(super) fn execute(self) -> Result<ExitCode> {
        // First, as it costs nothing: all that follows may take minutes.
        let mut options = self.machine;
        if self.trace.is_some() {
            match trace_key(&options.append) {
                Ok(key) => options.append.extend(key),
                Err(wrong) => return Ok(mistake(&wrong)),
            }
        }
        let ends = self.shell.then(Ends::of_this_process);
        if let Some(ends) = ends {
            match shell_keys(&options.append, ends) {
                Ok(keys) => options.append.extend(keys),
                Err(wrong) => return Ok(mistake(&wrong)),
            }
        }
        let limit = limit(self.timeout, self.shell && io::stdin().is_terminal());
        let destination = |path: Option<PathBuf>| path.map(Destination::new).transpose();
        let (json, trace) = (destination(self.json)?, destination(self.trace)?);
        if let (Some(json), Some(trace)) = (&json, &trace)
            && json.is(trace)
        {
            return Ok(mistake(&anyhow!(
                "--json and --trace cannot both be written to {}",
                trace.path().display()
            )));
        }
        setup::ensure(false)?;
        let kernel = Kernel::ready()?;
        let machine = options.machine(&kernel)?;

        let interrupts = Interrupts::listen()?;
        // Only now: whoever is ended by a signal before this leaves its temporary files behind.
        let mut json = json.map(RecordsFile::open).transpose()?;
        let mut seat = match ends {
            Some(ends) => Seat::at_the_shell(&interrupts, ends)?,
            None => Seat::to_look_on(&interrupts),
        };
        let kept = match (limit, &trace) {
            (Some(_), _) => Kept::All,
            // They are drawn at the end.
            (None, Some(_)) => Kept::Records,
            (None, None) => Kept::Tail,
        };
        let ended = loop {
            let guest = Guest::start(&kernel, &machine)?.keep(kept);
            let ended = seat.follow(guest, limit, |line| {
                if let Some(json) = &mut json {
                    json.write(line);
                }
            })?;
            if !(self.shell && ended.outcome == Outcome::Rebooted) {
                break ended;
            }
            if let Err(lost) = seat.begin_again() {
                seat.say(&format!("xtask: {lost}"));
                break ended;
            }
            seat.say("xtask: the machine starts again");
        };
        // What follows is for a terminal as it was.
        drop(seat);

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
        if let Some(json) = json {
            json.keep()?;
        }
        if let Some(trace) = trace
            && let Err(error) = draw(&trace, &ended.records)
        {
            // Where the run failed, that is what its status says.
            if ended.outcome == Outcome::Ok {
                return Err(error);
            }
            eprintln!("xtask: {error:#}");
        }
        Ok(ExitCode::from(ended.outcome.exit_code()))
    }
}

/// How long each guest may run. A person at a shell takes the time that it takes; a script has nobody who
/// would end what hangs.
fn limit(asked: Option<Duration>, somebody_types: bool) -> Option<Duration> {
    asked.or((!somebody_types).then_some(LIMIT))
}

/// The file of `--json`.
struct RecordsFile {
    path: PathBuf,
    output: Output,
    lines: u64,
    /// The first that went wrong.
    error: Option<io::Error>,
}

impl RecordsFile {
    fn open(destination: Destination) -> Result<Self> {
        Ok(Self {
            path: destination.path().to_owned(),
            output: destination.open()?,
            lines: 0,
            error: None,
        })
    }

    fn write(&mut self, line: &str) {
        self.lines += 1;
        if let Err(error) = writeln!(self.output, "{line}") {
            self.error.get_or_insert(error);
        }
    }

    /// Gives the file its name if there is anything in it, however the run ended.
    fn keep(self) -> Result<()> {
        let path = self.path.display();
        if self.lines == 0 {
            eprintln!("xtask: {path} was not written: the kernel wrote no records");
            return Ok(());
        }
        self.error
            .map_or_else(|| self.output.keep(), Err)
            .with_context(|| format!("cannot write {path}"))
    }
}

/// Draws what the kernel wrote of its trace, and says what there is to see.
fn draw(destination: &Destination, records: &Records) -> Result<()> {
    let path = destination.path().display();
    let drawing = Drawing::of(records).with_context(|| format!("{path} was not written"))?;
    let mut output = destination.open()?;
    let written = drawing.write(&mut output);
    written
        .and_then(|()| Ok(output.keep()?))
        .with_context(|| format!("cannot write {path}"))?;
    eprintln!("xtask: trace: {drawing}");
    eprintln!("xtask: to see it, open {path} at https://ui.perfetto.dev");
    Ok(())
}

/// What makes the kernel note what it does, where its words do not say so.
fn trace_key(words: &[String]) -> Result<Option<String>> {
    let values = words
        .iter()
        .flat_map(|words| words.split_ascii_whitespace());
    let last = values
        .filter_map(|word| word.strip_prefix("trace="))
        .next_back();
    ensure!(
        last != Some("off"),
        "--trace has nothing to write with trace=off"
    );
    Ok(last.is_none().then(|| "trace=on".to_owned()))
}

/// Whether this line of the console is the kernel's verdict that all is well.
fn is_success(line: &str) -> bool {
    line == "reveille: ok" || line.starts_with("reveille: ok: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_person_at_a_shell_has_no_limit_unless_one_is_given() {
        let given = Some(Duration::from_secs(5));
        assert_eq!(limit(None, true), None);
        assert_eq!(limit(None, false), Some(LIMIT));
        assert_eq!((limit(given, true), limit(given, false)), (given, given));
    }

    #[test]
    fn the_kernel_is_told_to_trace_unless_its_words_say_how() {
        let key = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|it| (*it).to_owned()).collect();
            trace_key(&words)
        };
        let on = Some("trace=on".to_owned());
        assert_eq!(key(&[]).expect("nothing is wrong"), on);
        assert_eq!(
            key(&["cycle=1", "do=states"]).expect("nothing is wrong"),
            on
        );
        assert_eq!(key(&["cycle=1 trace=64"]).expect("nothing is wrong"), None);
        assert_eq!(
            key(&["trace=off trace=on"]).expect("the last one counts"),
            None
        );
        let error = key(&["trace=on", "trace=off"]).expect_err("they contradict each other");
        assert!(error.to_string().contains("trace=off"), "{error}");
    }
}
