//! The shell's own task: reads what is typed, starts commands, and hears of their end.
//!
//! It waits for three things at once, and does what there is to do in one poll: so between two waits nothing
//! else runs on this CPU, and what it shows is of one moment.

use alloc::{format, string::String, vec::Vec};
use core::{mem, pin::pin, time::Duration};

use futures_util::future::{Either, pending, select};
use reveille_executor::{Instant, Timer};
use reveille_smp::{cpu::CpuIndex, round::next_round};

use super::{
    Leave,
    command::{Command, Invocation, JobNumber, overview, parse},
    commands::{self, Errand},
    completion::{Completions, Names},
    context::Context,
    jobs::{Finished, Jobs, Place},
    line::{Editor, Key, Keys, Reaction},
    terminal::{PROMPT, Terminal, WIDTH},
    type_ahead::TypeAhead,
    typed_keys::TypedKeys,
};
use crate::{console::input::Input, operations::in_use};

/// How long a command that was interrupted keeps the prompt's lines waiting.
const GRACE: Duration = Duration::from_millis(300);

/// The bytes of one key come together; what was begun and does not go on for so long is a key by itself.
const KEY_REST: Duration = Duration::from_millis(50);

/// How long the run waits at its end for commands to end.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Bytes that are read at once.
const READ: usize = 256;

/// A shell in the middle of its work.
pub(super) struct Session {
    context: &'static Context,
    input: Input,
    keys: Keys,
    editor: Editor,
    terminal: Terminal,
    width: usize,
    jobs: Jobs,
    lines: TypeAhead,
    /// Where keys go, while the command in front takes them.
    keys_of_front: Option<TypedKeys>,
    /// Until when lines wait for a command that was interrupted.
    grace: Option<Instant>,
    /// When what was begun of a key is one by itself.
    key_rest: Option<Instant>,
    /// How often the UART has lost something, as far as it was told.
    overruns: u32,
}

/// What a wait ended with.
enum Event {
    Bytes(usize),
    Ended(Finished),
    Due,
}

impl Session {
    pub(super) fn new(context: &'static Context, input: Input) -> Self {
        Self {
            context,
            input,
            keys: Keys::default(),
            editor: Editor::new(PROMPT, WIDTH),
            terminal: Terminal::new(context.options.terminal),
            width: WIDTH,
            jobs: Jobs::default(),
            lines: TypeAhead::default(),
            keys_of_front: None,
            grace: None,
            key_rest: None,
            overruns: 0,
        }
    }

    /// Runs until somebody leaves.
    pub(super) async fn run(mut self) -> Leave {
        self.terminal.ask_for_size();
        let mut buffer = [0; READ];
        loop {
            self.show();
            let event = self.next(&mut buffer).await;
            // What is typed takes memory, and so does what is told of it.
            in_use::disturb();
            let leave = match event {
                Event::Bytes(count) => self.bytes(&buffer[..count]),
                Event::Ended(finished) => self.ended(finished),
                Event::Due => self.due(),
            };
            if let Some(leave) = leave {
                self.end().await;
                return leave;
            }
            // Whoever types without an end leaves time for others all the same.
            next_round().await;
        }
    }

    async fn next(&mut self, buffer: &mut [u8]) -> Event {
        let due = [self.grace, self.key_rest].into_iter().flatten().min();
        let due = pin!(until(due, self.context.timer()));
        let ended = pin!(self.jobs.ended());
        let room = self.room().min(buffer.len());
        let input = &mut self.input;
        let read = pin!(async {
            match room {
                0 => pending().await,
                _ => input.read(&mut buffer[..room]).await,
            }
        });
        match select(read, select(ended, due)).await {
            Either::Left((count, _)) => Event::Bytes(count),
            Either::Right((Either::Left((finished, _)), _)) => Event::Ended(finished),
            Either::Right((Either::Right(_), _)) => Event::Due,
        }
    }

    /// As many bytes are read. A pipe waits while as many lines wait as can: it would lose them, and with
    /// them its end. A person is read on, for the sake of Ctrl-C.
    fn room(&self) -> usize {
        match self.terminal.is_plain() {
            // Each of them may be a line.
            true => self.lines.room(),
            false => READ,
        }
    }

    fn show(&mut self) {
        let is_idle = !self.jobs.has_front();
        self.terminal.show(&self.editor.footer(), is_idle);
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<Leave> {
        self.tell_of_loss();
        for &byte in bytes {
            for key in self.keys.feed(byte) {
                if let Some(leave) = self.key(key) {
                    return Some(leave);
                }
            }
        }
        let has_begun = self.keys.has_begun();
        self.key_rest = has_begun.then(|| self.context.timer().now() + KEY_REST);
        None
    }

    fn due(&mut self) -> Option<Leave> {
        let now = self.context.timer().now();
        if self.key_rest.take_if(|due| *due <= now).is_some()
            && let Some(key) = self.keys.rest()
            && let Some(leave) = self.key(key)
        {
            return Some(leave);
        }
        if self.grace.take_if(|due| *due <= now).is_some()
            && let Some((JobNumber(number), text)) = self.jobs.send_behind()
        {
            self.keys_of_front = None;
            self.terminal.say(format_args!(
                "[{number}] {text}: CPUs are on their way, and it ends behind when they are there"
            ));
            return self.run_lines();
        }
        None
    }

    fn key(&mut self, key: Key) -> Option<Leave> {
        if key == Key::Ctrl(b'c') {
            return self.interrupt();
        }
        if let Some(keys) = &self.keys_of_front {
            keys.push(key);
            // The end of a pipe ends the view, and what was to follow it.
            let is_last = self.terminal.is_plain() && key == Key::Ctrl(b'd');
            return if is_last { self.end_of_input() } else { None };
        }
        if let Key::CursorReport { column, .. } = key {
            self.width = column.into();
            self.editor.set_width(self.width);
        }
        let names = Known {
            context: self.context,
            jobs: &self.jobs,
        };
        match self.editor.key(key, &Completions(names)) {
            Reaction::Line(line) => return self.line(line),
            Reaction::TooLong { bytes } => {
                let most = super::line::LONGEST_LINE;
                self.terminal.say(format_args!(
                    "a line of {bytes} bytes was entered, of which nothing is run: a line has at most {most}"
                ));
            }
            Reaction::EndOfInput => return self.end_of_input(),
            Reaction::Candidates(candidates) => self.terminal.candidates(&candidates, self.width),
            Reaction::Clear => self.terminal.clear(),
            Reaction::Interrupt | Reaction::Redraw | Reaction::Nothing | Reaction::Bell => {}
        }
        None
    }

    /// Ctrl-C: drops what is typed and what waits, and tells the command in front to end.
    fn interrupt(&mut self) -> Option<Leave> {
        let typed = String::from(self.editor.text());
        let names = Known {
            context: self.context,
            jobs: &self.jobs,
        };
        self.editor.key(Key::Ctrl(b'c'), &Completions(names));
        if self.jobs.has_front() {
            if self.jobs.interrupt_front() {
                // A view is gone at once, and needs no word.
                if self.keys_of_front.is_none() {
                    self.terminal.say(format_args!("^C"));
                }
                self.grace = Some(self.context.timer().now() + GRACE);
            }
        } else if self.terminal.is_plain() {
            self.terminal.say(format_args!("^C"));
        } else {
            self.terminal.say(format_args!("{PROMPT}{typed}^C"));
        }
        match self.lines.clear() {
            0 => {}
            1 => self
                .terminal
                .say(format_args!("1 line that waited is dropped")),
            lines => self
                .terminal
                .say(format_args!("{lines} lines that waited are dropped")),
        }
        None
    }

    /// Ctrl-D on an empty line.
    fn end_of_input(&mut self) -> Option<Leave> {
        self.line(String::from("exit"))
    }

    /// A line was entered: it runs at once, or when its turn comes.
    fn line(&mut self, line: String) -> Option<Leave> {
        if self.jobs.has_front() || !self.lines.is_empty() {
            if let Err(full) = self.lines.push(line) {
                self.terminal.say(format_args!("{full}"));
            }
            return None;
        }
        self.run_line(&line)
    }

    /// Runs the lines that wait, as far as nothing is in front of them.
    fn run_lines(&mut self) -> Option<Leave> {
        while !self.jobs.has_front() {
            let line = self.lines.pop()?;
            if let Some(leave) = self.run_line(&line) {
                return Some(leave);
            }
        }
        None
    }

    fn run_line(&mut self, line: &str) -> Option<Leave> {
        self.terminal.echo(line);
        match parse(line) {
            Ok(None) => None,
            Ok(Some(invocation)) => self.invoke(invocation),
            Err(error) => {
                self.terminal.say(format_args!("{error}"));
                None
            }
        }
    }

    fn invoke(&mut self, Invocation { command, behind }: Invocation) -> Option<Leave> {
        match command {
            Command::Help(None) => self.terminal.say(format_args!("{}", overview())),
            Command::Help(Some(entry)) => self.terminal.say(format_args!("{entry}")),
            Command::Jobs => self.terminal.say(format_args!("{}", self.jobs)),
            Command::Kill(number) => match self.jobs.kill(number) {
                Ok(JobNumber(number)) => {
                    self.terminal.say(format_args!("[{number}] is told to end"));
                }
                Err(error) => self.terminal.say(format_args!("kill: {error}")),
            },
            Command::Clear => self.terminal.clear(),
            Command::Reboot => return Some(Leave::Reboot),
            Command::Exit(verdict) => return Some(Leave::Exit(verdict)),
            command => self.start(command, behind),
        }
        None
    }

    /// Starts a task for a command.
    fn start(&mut self, command: Command, behind: bool) {
        let (context, jobs) = (self.context, self.jobs.clone());
        let text = format!("{command}");
        let keys = TypedKeys::default();
        let takes_keys = command == Command::Watch;
        let errand_keys = keys.clone();
        let started = self.jobs.start(
            context.spawner(),
            text.clone(),
            behind,
            move |id, interruption| {
                let errand = Errand {
                    id,
                    jobs,
                    interruption,
                    keys: errand_keys,
                };
                commands::run(command, context, errand)
            },
        );
        match started {
            Ok(Place::Front) => self.keys_of_front = takes_keys.then_some(keys),
            Ok(Place::Behind(JobNumber(number))) => {
                self.terminal.say(format_args!("[{number}] {text}"));
            }
            Err(error) => {
                self.terminal
                    .say(format_args!("`{text}` is not started: {error}"));
            }
        }
    }

    fn ended(&mut self, finished: Finished) -> Option<Leave> {
        let Finished {
            text,
            place,
            outcome,
            was_interrupted,
        } = finished;
        let mut keys = None;
        let name = match place {
            Place::Front => {
                keys = self.keys_of_front.take();
                self.grace = None;
                String::new()
            }
            Place::Behind(JobNumber(number)) => format!("[{number}] {text}: "),
        };
        match (outcome, place) {
            (Err(error), _) => self.terminal.say(format_args!("{name}{error}")),
            (Ok(()), Place::Front) => {}
            (Ok(()), Place::Behind(_)) => {
                let how = if was_interrupted {
                    "interrupted"
                } else {
                    "done"
                };
                self.terminal.say(format_args!("{name}{how}"));
            }
        }
        let leave = self.run_lines();
        if leave.is_some() {
            return leave;
        }
        // What came behind the key that ended it, before we heard of that.
        while let Some(key) = keys.as_ref().and_then(TypedKeys::left) {
            if let Some(leave) = self.key(key) {
                return Some(leave);
            }
        }
        None
    }

    /// Tells what the UART has lost since this was told last.
    fn tell_of_loss(&mut self) {
        let overruns = self.input.overruns();
        match overruns.wrapping_sub(mem::replace(&mut self.overruns, overruns)) {
            0 => {}
            times => self.terminal.say(format_args!(
                "what was typed came too fast for the UART: it lost some of it {times} times, where U+FFFD stands"
            )),
        }
    }

    /// Lets what still runs come to an end, for as long as somebody may want to wait, and leaves the terminal.
    async fn end(&mut self) {
        let running = self.jobs.interrupt_all();
        if running > 0 {
            let noun = if running == 1 { "command" } else { "commands" };
            self.terminal
                .say(format_args!("{running} {noun} to end first"));
            let all = async {
                while !self.jobs.is_empty() {
                    let Finished { text, outcome, .. } = self.jobs.ended().await;
                    match outcome {
                        Ok(()) => self.terminal.say(format_args!("{text}: ended")),
                        Err(error) => self.terminal.say(format_args!("{text}: {error}")),
                    }
                }
            };
            if self.context.timer().timeout(LAST_GRACE, all).await.is_err() {
                self.terminal
                    .say(format_args!("not all of them have ended"));
            }
        }
        self.tell_of_loss();
        self.terminal.leave();
    }
}

/// What there is to complete with.
struct Known<'a> {
    context: &'static Context,
    jobs: &'a Jobs,
}

impl Names for Known<'_> {
    fn cpus(&self) -> Vec<CpuIndex> {
        let aps = self.context.operations.members().into_iter();
        [CpuIndex::BSP]
            .into_iter()
            .chain(aps.map(|it| it.cpu))
            .collect()
    }

    fn states(&self) -> Vec<&'static str> {
        let ladder = self.context.operations.ladder();
        let rests = ladder.rungs().filter(|&rung| ladder.can_rest(rung));
        let mut names: Vec<_> = rests.map(|rung| ladder.name(rung)).collect();
        names.push("online");
        names
    }

    fn steps(&self) -> Vec<&'static str> {
        let steps = self.context.operations.ladder().steps().iter();
        steps.map(|step| step.name()).collect()
    }

    fn jobs(&self) -> Vec<JobNumber> {
        self.jobs.numbers()
    }
}

/// Waits until then; for good, if never.
async fn until(due: Option<Instant>, timer: &Timer) {
    match due {
        Some(due) => timer.sleep_until(due).await,
        None => pending().await,
    }
}
