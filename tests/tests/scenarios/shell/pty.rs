//! `cargo xtask run` in a pseudo-terminal, with somebody who looks at the screen, and types at the shell.

use std::{
    fs,
    num::NonZeroU16,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use reveille_tests::{
    kernel::IMAGE_VARIABLE,
    qemu::{machine::Machine, slots::Slot, smp::Smp},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    io::{Errno, read, write},
    process::{Pid, Signal, ioctl_tiocsctty, kill_process, setsid},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{
        InputModes, LocalModes, OptionalActions, Termios, Winsize, tcgetattr, tcsetattr,
        tcsetwinsize,
    },
};

use crate::boot::{LIMIT, kernel, patience, slot};

/// Rows and columns of a terminal as most have it.
const SIZE: (u16, u16) = (24, 80);

/// A terminal on which xtask runs.
pub(crate) struct Terminal {
    /// The person's side. Without it, the terminal has hung up.
    person: Option<OwnedFd>,
    /// The side of xtask, to look at its settings.
    process: OwnedFd,
    xtask: Child,
    emulator: vt100::Parser<Answers>,
    /// All that was shown.
    shown: Vec<u8>,
    before: String,
    /// Nobody asks the terminal anything any more that it has the time to answer.
    is_to_end: bool,
    _slot: Slot,
}

/// What a terminal does by itself.
#[derive(Default)]
struct Answers {
    answers: Vec<u8>,
    /// Characters that stand for what is none: the emulator does not show them.
    replaced: usize,
}

impl vt100::Callbacks for Answers {
    fn unhandled_char(&mut self, _: &mut vt100::Screen, character: char) {
        self.replaced += usize::from(character == char::REPLACEMENT_CHARACTER);
    }

    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        first: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        action: char,
    ) {
        // Device status report: where is the cursor? (ECMA-48, DSR and CPR.)
        if (first, params, action) == (None, &[&[6]], 'n') {
            let (row, column) = screen.cursor_position();
            let report = format!("\x1b[{};{}R", row + 1, column + 1);
            self.answers.extend(report.into_bytes());
        }
    }
}

impl Terminal {
    /// Runs `cargo xtask run --shell` with these further words, for two CPUs.
    pub(super) fn run(words: &[&str]) -> Self {
        Self::of(SIZE, "2", words)
    }

    /// The same for other CPUs, in a terminal of so many rows and columns.
    pub(super) fn of(size: (u16, u16), smp: &str, words: &[&str]) -> Self {
        Self::start(size, smp, |command| {
            command.args(["--accel", "tcg", "--shell"]).args(words);
            let is_free = |word: &&str| !word.contains("fault=") && !word.contains("-timeout=");
            if words.iter().all(is_free) {
                command.args(["--append", &patience()]);
            }
        })
    }

    /// Runs `cargo xtask run` for so many CPUs with what `further` adds, in a terminal of so many rows and columns.
    pub(crate) fn start(
        (rows, columns): (u16, u16),
        smp: &str,
        further: impl FnOnce(&mut Command),
    ) -> Self {
        let cpus: Smp = smp.parse().expect("a good value");
        let slot = slot(&Machine::new(cpus));
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let person = person.expect("the system has pseudo-terminals");
        grantpt(&person).expect("it is ours");
        unlockpt(&person).expect("it is ours");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let process = ioctl_tiocgptpeer(&person, flags).expect("its other side");
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&process, size).expect("it is a terminal");
        let before = unusual_settings(&process);
        let dimension = |it| NonZeroU16::new(it).expect("it is not 0");
        Self {
            xtask: spawn(&process, smp, further),
            person: Some(person),
            process,
            emulator: vt100::Parser::new_with_callbacks(
                dimension(rows),
                dimension(columns),
                0,
                Answers::default(),
            ),
            shown: Vec::new(),
            before,
            is_to_end: false,
            _slot: slot,
        }
    }

    /// Runs it and waits for the shell's prompt.
    pub(super) fn at_the_prompt(words: &[&str]) -> Self {
        let mut terminal = Self::run(words);
        terminal.waits_for_a_line();
        terminal
    }

    /// Waits until the shell's row is there, and empty.
    pub(super) fn waits_for_a_line(&mut self) {
        self.sees("an empty prompt", |screen| {
            cursor_row(screen).trim_end() == "reveille>"
        });
    }

    pub(super) fn types(&mut self, keys: &str) {
        self.types_bytes(keys.as_bytes());
    }

    pub(super) fn types_bytes(&mut self, mut rest: &[u8]) {
        let person = self.person.as_ref().expect("it has not hung up");
        while !rest.is_empty() {
            let length = write(person, rest).expect("a terminal takes a few keys");
            rest = &rest[length..];
        }
    }

    /// Puts a text in as terminals do, at once.
    pub(super) fn pastes(&mut self, text: &str) {
        match self.emulator.screen().bracketed_paste() {
            true => self.types(&format!("\x1b[200~{text}\x1b[201~")),
            false => self.types(text),
        }
    }

    /// Waits until the screen shows it.
    pub(super) fn sees(&mut self, what: &str, shows: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !shows(self.emulator.screen()) {
            let is_open = self.looks(deadline);
            assert!(
                is_open,
                "{what} does not come; the screen:\n{}",
                self.contents()
            );
        }
    }

    /// Waits until xtask has ended, and all it showed was seen.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        self.ends_by_typing("")
    }

    /// The same, while somebody types these keys again and again.
    pub(super) fn ends_by_typing(&mut self, keys: &str) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        // An answer that comes behind the end would be typed at whatever runs next.
        self.is_to_end = true;
        loop {
            if let Some(status) = self.xtask.try_wait().expect("xtask is our child") {
                while self.looks(Instant::now()) {}
                println!("{status}; the screen:\n{}", self.contents());
                return status;
            }
            if !keys.is_empty() && !self.has_settings_of_before() {
                self.types(keys);
            }
            let soon = Instant::now() + Duration::from_millis(50);
            self.looks(soon);
            assert!(
                Instant::now() < deadline,
                "it does not end:\n{}",
                self.contents()
            );
        }
    }

    /// Waits until this holds, whatever the screen shows.
    pub(super) fn waits_for(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what} does not come");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until xtask is stopped, as who has stopped it is told (proc_pid_stat(5)).
    pub(super) fn waits_until_it_is_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.xtask().as_raw_nonzero());
        let is_stopped = || {
            let stat = fs::read_to_string(&stat).expect("xtask runs");
            let state = stat.rsplit_once(')').map(|(_, behind)| behind.trim_start());
            state.is_some_and(|it| it.starts_with('T'))
        };
        self.waits_for("that it is stopped", |_| is_stopped());
    }

    /// Checks that it is left as it was found, and as one wants it who goes on there.
    pub(super) fn is_as_before(&self) {
        self.is_put_back();
        let screen = self.emulator.screen();
        assert_eq!(
            screen.cursor_position().1,
            0,
            "the next prompt begins in a line"
        );
    }

    /// The same, where a key that came behind the end may have been shown.
    pub(super) fn is_put_back(&self) {
        assert_eq!(settings(&self.process), self.before);
        let screen = self.emulator.screen();
        assert!(!screen.alternate_screen(), "the view is still there");
        assert!(!screen.hide_cursor(), "no cursor");
        assert!(!screen.bracketed_paste(), "a paste comes with marks");
    }

    /// Checks that keys come as they are pressed, and that none of them means something to the
    /// terminal.
    pub(super) fn is_raw(&self) {
        let settings = tcgetattr(&self.process).expect("it is a terminal");
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        assert!(!settings.local_modes.intersects(cooked), "{settings:?}");
        assert!(
            !settings.input_modes.contains(InputModes::ICRNL),
            "{settings:?}"
        );
    }

    /// Whether its settings are those from before, whoever may change them again.
    pub(super) fn has_settings_of_before(&self) -> bool {
        settings(&self.process) == self.before
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.xtask(), signal).expect("xtask runs");
    }

    pub(super) fn xtask(&self) -> Pid {
        Pid::from_child(&self.xtask)
    }

    /// So many characters were shown that stand for what is none.
    pub(super) fn replaced(&self) -> usize {
        self.emulator.callbacks().replaced
    }

    /// The person goes away.
    pub(super) fn hangs_up(&mut self) {
        self.person = None;
    }

    pub(crate) fn contents(&self) -> String {
        self.emulator.screen().contents()
    }

    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    /// All that was shown, byte by byte.
    pub(crate) fn shown(&self) -> &[u8] {
        &self.shown
    }

    /// Takes in what xtask shows until `deadline`; `false` when nothing comes.
    fn looks(&mut self, deadline: Instant) -> bool {
        let wait = deadline.saturating_duration_since(Instant::now());
        let wait = Timespec::try_from(wait).expect("it is short");
        let Some(person) = &self.person else {
            thread::sleep(deadline.saturating_duration_since(Instant::now()));
            return false;
        };
        if poll(&mut [PollFd::new(person, PollFlags::IN)], Some(&wait)) != Ok(1) {
            return false;
        }
        let mut bytes = [0; 4096];
        match read(person, &mut bytes) {
            Ok(0) | Err(Errno::IO) => false,
            Ok(length) => {
                self.emulator.process(&bytes[..length]);
                self.shown.extend(&bytes[..length]);
                let answers = std::mem::take(&mut self.emulator.callbacks_mut().answers);
                if !self.is_to_end {
                    let _gone = write(person, &answers);
                }
                true
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for Terminal {
    /// A test that fails leaves nothing behind either.
    fn drop(&mut self) {
        let _ended = self.xtask.kill();
        let _ended = self.xtask.wait();
    }
}

/// The row that the cursor is in, as far as something is written there.
pub(super) fn cursor_row(screen: &vt100::Screen) -> String {
    let (row, _) = screen.cursor_position();
    let (_, columns) = screen.size();
    let mut rows = screen.rows(0, columns.get());
    rows.nth(row.into()).unwrap_or_default()
}

/// Gives a terminal settings that no program would think of, and tells them.
fn unusual_settings(terminal: &OwnedFd) -> String {
    let mut unusual = tcgetattr(terminal).expect("it is a terminal");
    unusual.input_modes.toggle(InputModes::IXANY);
    unusual.local_modes.toggle(LocalModes::ECHOKE);
    tcsetattr(terminal, OptionalActions::Now, &unusual).expect("it is a terminal");
    settings(terminal)
}

fn settings(terminal: &OwnedFd) -> String {
    let settings: Termios = tcgetattr(terminal).expect("it is a terminal");
    format!("{settings:?}")
}

/// Starts xtask in a session of its own, of which `terminal` is the terminal, as a login has it.
fn spawn(terminal: &OwnedFd, smp: &str, further: impl FnOnce(&mut Command)) -> Child {
    let end = || terminal.try_clone().expect("a descriptor is left");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["run", "--smp", smp])
        .env(IMAGE_VARIABLE, kernel().image())
        // As most terminals are, wherever the tests run.
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .stdin(end())
        .stdout(end())
        .stderr(end());
    further(&mut command);
    let prepare = || {
        setsid()?;
        Ok(ioctl_tiocsctty(rustix::stdio::stdin())?)
    };
    // SAFETY: `prepare` runs between fork and exec, and makes two system calls and nothing else: it
    // takes no lock and no memory.
    unsafe { command.pre_exec(prepare) };
    command.spawn().expect("xtask starts")
}
