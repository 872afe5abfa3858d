//! One boot, live: `cargo xtask run`, and `cargo xtask timeline`.

mod files;
pub(super) mod pictures;

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, ensure};
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};

use self::{files::RecordsFile, pictures::Pictures};
use super::{
    machine_options::MachineOptions,
    mistake,
    output::{Destination, path},
    seat::{Seat, shell_keys},
    seconds,
};
use crate::{
    guest::{Guest, Kept},
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::{FIRMWARE_LINE, Outcome},
    setup,
    terminal::{
        Ends,
        look::{self, When},
        text,
    },
};

/// How long a guest may run where nobody types at it and nobody says otherwise; the help of
/// `--timeout` names it.
const LIMIT: Duration = Duration::from_secs(60);

/// What is booted, and what is kept of it.
#[derive(Debug, Args)]
pub(super) struct Boot {
    #[command(flatten)]
    pub(super) machine: MachineOptions,

    /// Write the kernel's records to FILE, one JSON object a line
    ///
    /// What stands in FILE is replaced when the run has ended, however it did, if there were records.
    /// A pipe or a device gets them as they come.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(path))]
    pub(super) json: Option<PathBuf>,

    /// Write to FILE what every CPU did and when, as a picture for https://ui.perfetto.dev
    ///
    /// The kernel notes it with `trace=on`, which is added where no `trace=` is among its words; with
    /// `trace=N` it keeps the last N events of each AP, and more of the boot processor. It writes that
    /// at its end, so a run that crashes or hangs before leaves FILE as it was. With --shell it is the boot
    /// until the first prompt: in the shell `trace show` tells what came later.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(path))]
    pub(super) trace: Option<PathBuf>,

    /// Sit at the kernel's shell, on this terminal or at the end of a pipe
    ///
    /// Adds after=shell to the kernel's words, and terminal=plain unless both standard input and output
    /// are a terminal. Every key goes to the shell but Ctrl-], which ends the run; the end of a pipe is
    /// Ctrl-D, so `echo cpus | cargo xtask run --shell` ends by itself. A reboot starts the machine
    /// again, and what a pipe says behind a line `reboot` is for the shell that comes next.
    #[arg(long)]
    pub(super) shell: bool,

    /// Whether the table is coloured
    ///
    /// At a terminal it is as wide as that, and has a bar of each CPU's way up too. What goes to a pipe or a
    /// file has 80 columns, no bars and no colours, unless `always` or CLICOLOR_FORCE=1 asks for colours:
    /// then it has bars too.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(super) color: When,

    /// Stop a guest that has not ended by then [default: 60; none with --shell at a terminal]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
}

impl Boot {
    /// Boots, and draws these pictures of it when it has ended, however that was.
    pub(super) fn execute(self, pictures: Pictures) -> Result<ExitCode> {
        // First, as it costs nothing: all that follows may take minutes.
        let mut options = self.machine;
        if self.trace.is_some() || pictures.want_a_trace() {
            match trace_key(&options.append, self.trace.is_some()) {
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
        let look = look::keys(look::of_this_process(self.color), &options.append);
        options.append.extend(look);
        let limit = limit(self.timeout, self.shell && io::stdin().is_terminal());
        let json = self.json.map(Destination::new).transpose()?;
        let pictures = pictures.with_trace(self.trace).destinations()?;
        if let Err(wrong) = pictures.are_apart(json.as_ref()) {
            return Ok(mistake(&wrong));
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
        let kept = match limit {
            Some(_) => Kept::All,
            // They are drawn at the end.
            None if pictures.are_any() => Kept::Records,
            None => Kept::Tail,
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
            Outcome::Ok => ended.whereabouts.iter().for_each(say),
            // The last words, just above, say why.
            Outcome::Failed(reason) if reason.starts_with(FIRMWARE_LINE) => {
                say("the firmware did not start the kernel");
            }
            Outcome::Failed(_) => say("the kernel reports that it failed"),
            // QEMU's own words are just above.
            Outcome::Died { status, .. } if ended.console.is_empty() => {
                say(format_args!("QEMU did not start ({status})"));
            }
            Outcome::Hung(limit) if text::plain(&ended.console).lines().any(is_success) => {
                let limit = limit.as_secs_f64();
                say(format_args!(
                    "stopped after {limit} s; the kernel idles, as asked"
                ));
            }
            _ => ended.explain().lines().for_each(say),
        }
        if let Some(json) = json {
            json.keep()?;
        }
        if let Err(error) = pictures.draw(&ended.records) {
            // Where the run failed, that is what its status says.
            if ended.outcome == Outcome::Ok {
                return Err(error);
            }
            say(format_args!("{error:#}"));
        }
        Ok(ExitCode::from(ended.outcome.exit_code()))
    }
}

/// How long each guest may run. A person at a shell takes the time that it takes; a script has nobody who
/// would end what hangs.
fn limit(asked: Option<Duration>, somebody_types: bool) -> Option<Duration> {
    asked.or((!somebody_types).then_some(LIMIT))
}

/// What makes the kernel note what it does, where its words do not say so.
fn trace_key(words: &[String], must_trace: bool) -> Result<Option<String>> {
    let values = words
        .iter()
        .flat_map(|words| words.split_ascii_whitespace());
    let last = values
        .filter_map(|word| word.strip_prefix("trace="))
        .next_back();
    ensure!(
        !must_trace || last != Some("off"),
        "--trace has nothing to write with trace=off"
    );
    Ok(last.is_none().then(|| "trace=on".to_owned()))
}

/// Whether this line of the console is the kernel's verdict that all is well.
fn is_success(line: &str) -> bool {
    line == "reveille: ok" || line.starts_with("reveille: ok: ")
}

/// Says something of ours. A terminal that has hung up hears nothing, and that does not change how the run ended.
fn say(words: impl fmt::Display) {
    let _gone = writeln!(io::stderr(), "xtask: {words}");
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
            trace_key(&words, true)
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
        // A chart can do without.
        let off = ["trace=off".to_owned()];
        assert_eq!(trace_key(&off, false).expect("nothing is wrong"), None);
    }
}
