//! The shell's own task: reads what is typed, starts commands, and hears of their end.
//!
//! It waits for three things at once, and does what there is to do in one poll: so between two waits nothing
//! else runs on this CPU, and what it shows is of one moment.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, mem, pin::pin, time::Duration};

use futures_util::future::{Either, pending, select};
use reveille_executor::{Instant, Timer};
use reveille_smp::{cpu::CpuIndex, round::next_round};

use super::{
    Leave,
    command::{Command, Invocation, JobNumber, overview, parse},
    commands::{self, Errand},
    completion::{Completions, Names},
    context::Context,
    failures::Failures,
    jobs::{Finished, Jobs, Place},
    line::{Key, Keys, LONGEST_LINE},
    prompt::{Asked, Dropped, Front, Prompt},
    terminal::{PROMPT, Terminal, WIDTH},
    typed_keys::TypedKeys,
};
use crate::{console::input::Input, operations::in_use};

/// How long a command that was interrupted keeps the prompt's lines waiting.
const GRACE: Duration = Duration::from_millis(300);

/// The bytes of one key come together; what may be a key as it is, such as ESC, is one if nothing comes for so long.
const KEY_REST: Duration = Duration::from_millis(50);

/// What is no key yet waits longer for the rest. A virtual UART takes some bytes at once, and its host may keep it
/// from taking the others; a rest that came too late would be typed.
const SEQUENCE_REST: Duration = Duration::from_secs(1);

/// How long the run waits at its end for commands to end.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Bytes that are read at once.
const READ: usize = 256;

/// A shell in the middle of its work.
pub(super) struct Session {
    context: &'static Context,
    input: Input,
    keys: Keys,
    prompt: Prompt,
    terminal: Terminal,
    jobs: Jobs,
    /// Since the shell began.
    failures: Option<Failures>,
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
    /// Nothing has followed what was begun of a key.
    Rested,
    /// The command in front has had its grace.
    Due,
}

impl Session {
    pub(super) fn new(context: &'static Context, input: Input) -> Self {
        let terminal = Terminal::new(context.options.terminal);
        Self {
            context,
            input,
            keys: Keys::default(),
            prompt: Prompt::new(PROMPT, WIDTH, terminal.is_plain()),
            terminal,
            jobs: Jobs::default(),
            failures: None,
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
                Event::Ended(finished) => {
                    let was_front = finished.place == Place::Front;
                    self.ended(finished);
                    let leave = self.go_on();
                    // The window may be another one by now. Whoever leaves gets no answer that nobody reads.
                    if was_front && leave.is_none() && self.prompt.is_idle() {
                        self.terminal.ask_for_size();
                    }
                    leave
                }
                Event::Rested => self.rested(),
                Event::Due => self.due(),
            };
            if let Some(leave) = leave {
                return self.end(leave).await;
            }
            // Whoever types without an end leaves time for others all the same.
            next_round().await;
        }
    }

    /// Waits. What ends, and a grace, come before what is typed: whoever types without an end holds up
    /// neither. What was begun of a key comes behind it, for the rest of the key may be there.
    async fn next(&mut self, buffer: &mut [u8]) -> Event {
        let timer = self.context.timer();
        let due = pin!(until(self.grace, timer));
        let rested = pin!(until(self.key_rest, timer));
        let ended = pin!(self.jobs.ended());
        let room = self.prompt.room().min(buffer.len());
        let input = &mut self.input;
        let read = pin!(async {
            match room {
                0 => pending().await,
                _ => input.read(&mut buffer[..room]).await,
            }
        });
        match select(select(ended, due), select(read, rested)).await {
            Either::Left((Either::Left((finished, _)), _)) => Event::Ended(finished),
            Either::Left((Either::Right(_), _)) => Event::Due,
            Either::Right((Either::Left((count, _)), _)) => Event::Bytes(count),
            Either::Right((Either::Right(_), _)) => Event::Rested,
        }
    }

    fn show(&mut self) {
        let is_idle = !self.jobs.has_front();
        self.terminal.show(&self.prompt.row(), is_idle);
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
        let rest = match self.keys.may_be_whole() {
            true => KEY_REST,
            false => SEQUENCE_REST,
        };
        let has_begun = self.keys.has_begun();
        self.key_rest = has_begun.then(|| self.context.timer().now() + rest);
        None
    }

    fn rested(&mut self) -> Option<Leave> {
        self.key_rest = None;
        let key = self.keys.rest()?;
        self.key(key)
    }

    fn due(&mut self) -> Option<Leave> {
        self.grace = None;
        // A view moves no CPUs. It ends as soon as it is its turn, and keeps the screen until then.
        if self.prompt.has_view() {
            return None;
        }
        let (JobNumber(number), text) = self.jobs.send_behind()?;
        self.prompt.is_free();
        self.terminal.say(format_args!(
            "[{number}] {text}: CPUs are on their way, and it ends behind when they are there"
        ));
        self.go_on()
    }

    fn key(&mut self, key: Key) -> Option<Leave> {
        match self.prompt.key(key) {
            Some(dropped) => {
                self.interrupt(&dropped);
                None
            }
            None => self.go_on(),
        }
    }

    /// Does what is to be done by now.
    fn go_on(&mut self) -> Option<Leave> {
        loop {
            let names = Known {
                context: self.context,
                jobs: &self.jobs,
            };
            let leave = match self.prompt.next(&Completions(names))? {
                Asked::Run(line) => self.run_line(&line),
                Asked::TooLong { bytes } => {
                    self.fail(
                        "a line that is too long",
                        format_args!(
                            "a line of {bytes} bytes was entered, of which nothing is run: a line has at most {LONGEST_LINE}"
                        ),
                    );
                    None
                }
                Asked::Full(full) => {
                    self.terminal.say(format_args!("{full}"));
                    None
                }
                Asked::Candidates(candidates) => {
                    self.terminal.candidates(&candidates, self.prompt.width());
                    None
                }
                Asked::Clear => {
                    self.terminal.clear();
                    None
                }
            };
            if leave.is_some() {
                return leave;
            }
        }
    }

    /// Ctrl-C: tells what is dropped, and the command in front to end.
    fn interrupt(&mut self, Dropped { typed, lines }: &Dropped) {
        if self.jobs.has_front() {
            if self.jobs.interrupt_front() {
                // A view is gone at once, and needs no word.
                if !self.prompt.has_view() {
                    self.terminal.say(format_args!("^C"));
                }
                self.grace = Some(self.context.timer().now() + GRACE);
            }
        } else if self.terminal.is_plain() {
            self.terminal.say(format_args!("^C"));
        } else {
            self.terminal.say(format_args!("{PROMPT}{typed}^C"));
        }
        match lines {
            0 => {}
            1 => self
                .terminal
                .say(format_args!("1 line that waited is dropped")),
            lines => self
                .terminal
                .say(format_args!("{lines} lines that waited are dropped")),
        }
    }

    fn run_line(&mut self, line: &str) -> Option<Leave> {
        self.terminal.echo(line);
        match parse(line) {
            Ok(None) => None,
            Ok(Some(invocation)) => self.invoke(invocation),
            Err(error) => {
                self.fail(line, format_args!("{error}"));
                None
            }
        }
    }

    /// Tells what went wrong, and remembers it for the verdict.
    fn fail(&mut self, asked: &str, error: fmt::Arguments<'_>) {
        Failures::add(&mut self.failures, asked);
        self.terminal.say(error);
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
                Err(error) => self.fail("kill", format_args!("kill: {error}")),
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
            Ok(Place::Front) => self.prompt.started(match takes_keys {
                true => Front::View(keys),
                false => Front::Command,
            }),
            Ok(Place::Behind(JobNumber(number))) => {
                self.terminal.say(format_args!("[{number}] {text}"));
            }
            Err(error) => {
                self.fail(&text, format_args!("`{text}` is not started: {error}"));
            }
        }
    }

    fn ended(&mut self, finished: Finished) {
        let Finished {
            text,
            place,
            outcome,
            was_interrupted,
        } = finished;
        let name = match place {
            Place::Front => {
                self.grace = None;
                self.prompt.is_free();
                String::new()
            }
            Place::Behind(JobNumber(number)) => format!("[{number}] {text}: "),
        };
        match (outcome, place) {
            (Err(error), _) => self.fail(&text, format_args!("{name}{error}")),
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

    /// Lets what still runs come to an end, for as long as somebody may want to wait, and leaves the terminal. Says
    /// how the shell is left then.
    async fn end(&mut self, leave: Leave) -> Leave {
        let running = self.jobs.interrupt_all();
        if running > 0 {
            let noun = if running == 1 { "command" } else { "commands" };
            self.terminal
                .say(format_args!("{running} {noun} to end first"));
            let timer = self.context.timer();
            let all = async {
                while !self.jobs.is_empty() {
                    let Finished { text, outcome, .. } = self.jobs.ended().await;
                    match outcome {
                        Ok(()) => self.terminal.say(format_args!("{text}: ended")),
                        Err(error) => self.fail(&text, format_args!("{text}: {error}")),
                    }
                }
            };
            if timer.timeout(LAST_GRACE, all).await.is_err() {
                self.terminal
                    .say(format_args!("not all of them have ended"));
            }
        }
        self.tell_of_loss();
        self.terminal.leave();
        match (leave, self.failures.take()) {
            // Nobody sat there who would have seen it.
            (Leave::Exit(None), Some(failures)) if self.terminal.is_plain() => {
                Leave::Failed(failures)
            }
            (leave, _) => leave,
        }
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
