//! One boot of the kernel, from the start of QEMU to what it ended as.

use std::{
    fmt, io,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    backtrace,
    interrupt::Interrupts,
    kernel::Kernel,
    line_ends::LineEnds,
    outcome::Outcome,
    qemu::{
        machine::Machine,
        process::{Event, Qemu, Usage},
        vcpu::{self, Group, Vcpu},
    },
    records::Records,
    terminal::text,
};

/// Something that the guest showed, as it happens.
#[derive(Clone, Copy, Debug)]
pub enum Sight<'a> {
    /// Bytes of the console, as the guest wrote them: its lines end in CR LF.
    Console(&'a [u8]),
    /// A record, without its line end.
    Record(&'a str),
    /// QEMU itself has something to say.
    Complaint(&'a str),
}

/// A kernel that runs.
pub struct Guest<'a> {
    kernel: &'a Kernel,
    qemu: Qemu,
    started: Instant,
    /// Its lines end in LF alone.
    console: Vec<u8>,
    line_ends: LineEnds,
    /// How much of the console [`Guest::expect`] has found already.
    found: usize,
    records: Records,
    complaints: Vec<String>,
    /// What the monitor has told, and nobody has waited for.
    told: Vec<Value>,
    reset: bool,
    watch: Box<dyn FnMut(Sight<'_>) + 'a>,
    kept: Kept,
}

/// How much is kept of what a guest shows. Its end is told from the tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// All of it: the run has a limit, or a test looks.
    #[default]
    All,
    /// All records, and a tail of the rest.
    Records,
    /// A tail.
    Tail,
}

/// Bytes of the console in a tail, at least: more than a kernel says of its own crash.
const TAIL: usize = 256 * 1024;

/// What a boot ended as, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// What the guest wrote to its console, as far as it was [kept](Guest::keep).
    pub console: String,
    /// Its records, likewise.
    pub records: Records,
    /// Where the CPUs were when the guest was stopped, or the frames of the CPU that crashed;
    /// empty when it ended in another way.
    pub whereabouts: Vec<String>,
    /// From the start of QEMU to the end.
    pub elapsed: Duration,
    /// What QEMU took of the host.
    pub usage: Usage,
}

impl<'a> Guest<'a> {
    /// Starts `machine`. It runs until it ends by itself or this value is dropped.
    pub fn start(kernel: &'a Kernel, machine: &Machine) -> Result<Self> {
        Ok(Self {
            kernel,
            qemu: Qemu::start(machine, kernel.image())?,
            started: Instant::now(),
            console: Vec::new(),
            line_ends: LineEnds::default(),
            found: 0,
            records: Records::default(),
            complaints: Vec::new(),
            told: Vec::new(),
            reset: false,
            watch: Box::new(|_| {}),
            kept: Kept::default(),
        })
    }

    /// Keeps less than all: for a guest that may run for days.
    pub fn keep(mut self, kept: Kept) -> Self {
        self.kept = kept;
        self
    }

    /// Shows everything to `watch` as it comes.
    pub fn watch(mut self, watch: impl FnMut(Sight<'_>) + 'a) -> Self {
        self.watch = Box::new(watch);
        self
    }

    /// Ends early when one of `interrupts` comes.
    pub fn until_interrupted(self, interrupts: &Interrupts) -> Self {
        interrupts.tell(self.qemu.interrupter());
        self
    }

    /// Waits until it ends, or stops it `limit` after its start, if there is one.
    pub fn run(mut self, limit: impl Into<Option<Duration>>) -> Result<Ended> {
        let limit = limit.into();
        let deadline = limit.map(|limit| self.started + limit);
        let outcome = loop {
            match self.qemu.next(deadline)? {
                Some(event) => {
                    if let Some(outcome) = self.take(event)? {
                        break outcome;
                    }
                }
                None => break Outcome::Hung(limit.unwrap_or_default()),
            }
        };
        self.end(outcome)
    }

    /// Waits until the console shows a whole line that begins with `start`.
    pub fn wait_for_line(&mut self, start: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !self.shows_line(start) {
            let Some(event) = self.qemu.next(deadline)? else {
                bail!(
                    "no line `{start}` within {limit:?}; the console:\n{}",
                    self.console()
                );
            };
            if let Some(outcome) = self.take(event)? {
                bail!(
                    "{outcome} before a line `{start}`; the console:\n{}",
                    self.console()
                );
            }
        }
        Ok(())
    }

    /// Our end of its console, for a [`Keyboard`](crate::terminal::keyboard::Keyboard).
    pub fn console_end(&self) -> io::Result<UnixStream> {
        self.qemu.console()
    }

    /// Types `bytes` at its console. Returns at once: the guest gets them as it reads them.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        self.qemu.type_bytes(bytes);
    }

    /// Waits until the console shows `text` behind what was found the last time, and gives all that it
    /// showed since then, `text` last. A line ends in LF. What is not found leaves the place as it was.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        let mut looked_at = self.found;
        loop {
            if let Some(at) = find(&self.console[looked_at..], text.as_bytes()) {
                let end = looked_at + at + text.len();
                let shown = String::from_utf8_lossy(&self.console[self.found..end]).into_owned();
                self.found = end;
                return Ok(shown);
            }
            // The text may begin at the end of what is there.
            let rest = self.console.len().saturating_sub(text.len());
            looked_at = looked_at.max(rest);
            let Some(event) = self.qemu.next(deadline)? else {
                bail!(
                    "no `{text}` within {limit:?} behind:\n{}",
                    self.since_found()
                );
            };
            if let Some(outcome) = self.take(event)? {
                bail!("{outcome} before `{text}`, behind:\n{}", self.since_found());
            }
        }
    }

    /// The CPUs' registers as they are now.
    pub fn vcpus(&mut self) -> Result<Vec<Vcpu>> {
        vcpu::parse(&self.monitor("info registers -a")?)
    }

    /// The operating system's numbers of the threads that run the vCPUs, by the vCPUs' numbers.
    pub fn vcpu_threads(&mut self) -> Result<Vec<u32>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Answer {
            cpu_index: u32,
            thread_id: u32,
        }
        let answer = self.qemu.execute("query-cpus-fast", json!({}))?;
        let mut vcpus: Vec<Answer> = serde_json::from_value(answer).context("the vCPUs")?;
        vcpus.sort_unstable_by_key(|vcpu| vcpu.cpu_index);
        Ok(vcpus.iter().map(|vcpu| vcpu.thread_id).collect())
    }

    /// Its records so far.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Waits until its records are such that `look` finds something in them, and gives that.
    pub fn wait_for_records<T>(
        &mut self,
        limit: Duration,
        look: impl Fn(&Records) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = look(&self.records) {
                return Ok(found);
            }
            self.go_on(deadline)?;
        }
    }

    /// What QEMU's machine protocol (QMP) returns to a command.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        self.qemu.execute(command, arguments)
    }

    /// Waits until QEMU tells of an event that nobody has waited for yet and that is meant, and gives it.
    pub fn wait_for_event(
        &mut self,
        limit: Duration,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(at) = self.told.iter().position(&is_meant) {
                return Ok(self.told.remove(at));
            }
            self.go_on(deadline)?;
        }
    }

    /// Takes one event more, for somebody who waits for something until then.
    fn go_on(&mut self, deadline: Instant) -> Result<()> {
        let Some(event) = self.qemu.next(deadline)? else {
            bail!(
                "what was waited for has not come; the monitor told {:?}; the console:\n{}",
                self.told,
                self.console()
            );
        };
        if let Some(outcome) = self.take(event)? {
            bail!(
                "{outcome} before what was waited for; the console:\n{}",
                self.console()
            );
        }
        Ok(())
    }

    /// What QEMU's monitor answers to a command.
    pub fn monitor(&mut self, command: &str) -> Result<String> {
        let arguments = json!({ "command-line": command });
        let answer = self.qemu.execute("human-monitor-command", arguments)?;
        let text = answer.as_str().context("the monitor's answer is no text")?;
        Ok(text.to_owned())
    }

    /// The operating system's number of the QEMU process.
    pub fn process_id(&self) -> u32 {
        self.qemu.id()
    }

    fn shows_line(&self, start: &str) -> bool {
        let console = self.console();
        let mut lines = console.split('\n');
        // What follows the last line end is not a line yet.
        lines.next_back();
        lines.any(|line| line.starts_with(start))
    }

    /// What the console shows behind what was found last.
    fn since_found(&self) -> String {
        String::from_utf8_lossy(&self.console[self.found..]).into_owned()
    }

    fn console(&self) -> String {
        String::from_utf8_lossy(&self.console).into_owned()
    }

    /// Keeps what an event tells; returns the outcome if it is the last one.
    fn take(&mut self, event: Event) -> Result<Option<Outcome>> {
        match event {
            Event::Console { bytes, .. } => {
                (self.watch)(Sight::Console(&bytes));
                self.console.extend(self.line_ends.plain(&bytes));
                if self.kept != Kept::All {
                    let cut = cut_to_tail(&mut self.console);
                    self.found = self.found.saturating_sub(cut);
                }
            }
            Event::Record(line) => {
                (self.watch)(Sight::Record(&line));
                if self.kept == Kept::Tail {
                    self.records = Records::default();
                }
                self.records.push(line);
            }
            Event::Complaint(line) => {
                (self.watch)(Sight::Complaint(&line));
                if self.kept != Kept::All {
                    self.complaints.clear();
                }
                self.complaints.push(line);
            }
            Event::Monitor(event) => {
                let name = event["event"].as_str();
                if name == Some("SHUTDOWN") {
                    self.reset |= event["data"]["reason"] == "guest-reset";
                } else if name == Some("STOP") {
                    return self.stopped();
                }
                // Who keeps a tail waits for none of them.
                if self.kept == Kept::All {
                    self.told.push(event);
                }
            }
            Event::Interrupt(signal) => return Ok(Some(Outcome::Interrupted(signal))),
            Event::Ended(status) => {
                let (console, complaints) = (self.console(), &self.complaints);
                let outcome = Outcome::judge(status.code(), self.reset, &console, complaints);
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    /// QEMU stops a guest before it ends, which is of no interest, and when the accelerator fails.
    fn stopped(&mut self) -> Result<Option<Outcome>> {
        let Ok(state) = self.qemu.execute("query-status", json!({})) else {
            // It has ended meanwhile, and `Event::Ended` is on its way.
            return Ok(None);
        };
        let state = state["status"].as_str().unwrap_or_default();
        Ok((state == "internal-error").then(|| {
            let words = self
                .complaints
                .last()
                .map_or("no complaint", String::as_str);
            Outcome::Stopped(format!("{state}, {words}"))
        }))
    }

    fn end(mut self, outcome: Outcome) -> Result<Ended> {
        let stopped_by_us = matches!(
            outcome,
            Outcome::Hung(_) | Outcome::Stopped(_) | Outcome::Interrupted(_)
        );
        let whereabouts = if stopped_by_us {
            self.whereabouts()
        } else {
            // Of a crash, or of a CPU that was asked what it does.
            backtrace::named(&self.console(), self.kernel)
        };
        let (console, elapsed) = (self.console(), self.started.elapsed());
        Ok(Ended {
            outcome,
            console,
            records: self.records,
            whereabouts,
            elapsed,
            usage: self.qemu.end().context("QEMU's end")?,
        })
    }

    /// Best effort: a QEMU that does not answer leaves the list empty.
    fn whereabouts(&mut self) -> Vec<String> {
        Group::all(self.vcpus().unwrap_or_default())
            .into_iter()
            .map(|group| format!("{group} at {}", self.kernel.place(group.vcpu.rip)))
            .collect()
    }
}

/// Drops the lines before the last [`TAIL`] bytes, where there are as many. Says how many bytes they were.
fn cut_to_tail(console: &mut Vec<u8>) -> usize {
    // Seldom, as it moves the tail.
    if console.len() < 2 * TAIL {
        return 0;
    }
    let tail = console.len() - TAIL;
    // A row that is drawn again and again is one line, however long.
    let line = console[tail..].iter().position(|&byte| byte == b'\n');
    let cut = line.map_or(tail, |at| tail + at + 1);
    drop(console.drain(..cut));
    cut
}

/// Where `text` begins in `bytes`, for the first time.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len().max(1)).position(|it| it == text)
}

impl fmt::Debug for Guest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("process_id", &self.process_id())
            .field("console", &self.console())
            .finish_non_exhaustive()
    }
}

impl Ended {
    /// The outcome, and where it is not plain success, what was seen last.
    pub fn explain(&self) -> String {
        let mut text = self.outcome.to_string();
        if !matches!(
            self.outcome,
            Outcome::Ok | Outcome::Failed(_) | Outcome::Panicked(_)
        ) {
            text += &self.last_seen();
        }
        for place in &self.whereabouts {
            text += &format!("\n{place}");
        }
        text
    }

    fn last_seen(&self) -> String {
        let mut text = String::new();
        // What moves the cursor would do so again.
        let console = text::plain(&self.console);
        let mut lines = console.lines().rev().map(str::trim_end);
        if let Some(line) = lines.find(|line| !line.is_empty()) {
            text += &format!("\nlast line on the console: {line}");
        }
        if let Some(record) = self.records.lines().last() {
            text += &format!("\nlast record: {}", beginning(record));
        }
        text
    }
}

/// As much of a record as says which one it is: one of a trace has kilobytes.
fn beginning(record: &str) -> String {
    /// Characters.
    const SHOWN: usize = 100;
    match record.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &record[..end]),
        None => record.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_console_that_never_ends_the_last_lines_are_kept() {
        let line = |number: usize| format!("line {number}\n").into_bytes();
        let (mut console, mut dropped, mut shown) = (Vec::new(), 0, 0);
        for number in 0..200_000 {
            shown += line(number).len();
            console.extend(line(number));
            dropped += cut_to_tail(&mut console);
            assert!(console.len() < 2 * TAIL);
        }
        assert!(console.len() >= TAIL / 2 && console.starts_with(b"line "));
        assert!(console.ends_with(&[line(199_998), line(199_999)].concat()));
        assert_eq!(dropped + console.len(), shown);
        let mut row = vec![b'x'; 2 * TAIL];
        assert_eq!((cut_to_tail(&mut row), row.len()), (TAIL, TAIL));
    }

    #[test]
    fn of_a_long_record_only_the_beginning_is_shown() {
        let ended = |record: String| {
            let mut records = Records::default();
            records.push(record);
            Ended {
                outcome: Outcome::Hung(Duration::from_secs(1)),
                console: String::new(),
                records,
                whereabouts: Vec::new(),
                elapsed: Duration::ZERO,
                usage: Usage::default(),
            }
        };
        let last = |record: String| {
            let text = ended(record).explain();
            text.lines().last().expect("a line").to_owned()
        };
        assert_eq!(last("short".to_owned()), "last record: short");
        let exact = "ä".repeat(100);
        assert_eq!(last(exact.clone()), format!("last record: {exact}"));
        assert_eq!(last("ä".repeat(2500)), format!("last record: {exact}…"));
    }

    #[test]
    fn the_last_line_of_a_console_is_shown_without_what_moves_the_cursor() {
        let ended = Ended {
            outcome: Outcome::Interrupted(2),
            console: "\x1b[?1049h\x1b[7mview\r\x1b[Kreveille> ".to_owned(),
            records: Records::default(),
            whereabouts: Vec::new(),
            elapsed: Duration::ZERO,
            usage: Usage::default(),
        };
        let text = "interrupted by SIGINT\nlast line on the console: reveille>";
        assert_eq!(ended.explain(), text);
    }
}
