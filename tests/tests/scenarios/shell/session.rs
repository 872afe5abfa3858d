//! Somebody at the serial socket of a kernel that gives a shell, line by line and without escape sequences.

use reveille_tests::{
    guest::{Ended, Guest},
    qemu::{machine::Machine, slots::Slot},
};

use crate::boot::{LIMIT, kernel, patient, slot};

pub(super) const PROMPT: &str = "reveille> ";
pub(super) const CTRL_C: &[u8] = b"\x03";

/// A shell that waits for a line.
pub(super) struct Session {
    pub(super) guest: Guest<'static>,
    /// What was shown before the first prompt.
    pub(super) before: String,
    _slot: Slot,
}

impl Session {
    /// Boots `machine`, and waits for the prompt.
    pub(super) fn start(machine: Machine) -> Self {
        Self::typed_at_once(machine, b"")
    }

    /// The same, of somebody who types these bytes before the kernel runs.
    pub(super) fn typed_at_once(machine: Machine, bytes: &[u8]) -> Self {
        let machine = patient(machine.append("after=shell terminal=plain"));
        let slot = slot(&machine);
        let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
        guest.type_bytes(bytes);
        let mut session = Self {
            guest,
            before: String::new(),
            _slot: slot,
        };
        session.before = session.sees(PROMPT);
        session
    }

    pub(super) fn types(&mut self, bytes: &[u8]) {
        self.guest.type_bytes(bytes);
    }

    /// Waits for `text` behind what was seen the last time; gives all since then, `text` last.
    pub(super) fn sees(&mut self, text: &str) -> String {
        let seen = self.guest.expect(text, LIMIT);
        seen.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Runs a line, and gives what the shell says until it waits for the next one.
    pub(super) fn asks(&mut self, line: &str) -> String {
        self.types(format!("{line}\r").as_bytes());
        self.answer_to(line)
    }

    /// The answer to a line that was typed, or that waits, when it is its turn.
    pub(super) fn answer_to(&mut self, line: &str) -> String {
        let echo = self.sees(&format!("{line}\n"));
        let before = echo.strip_suffix(&format!("{line}\n"));
        assert!(
            matches!(before, Some("" | PROMPT)),
            "something stands before `{line}`: {echo}"
        );
        let answer = self.sees(PROMPT);
        let answer = answer.strip_suffix(PROMPT).expect("it ends so");
        println!("{PROMPT}{line}\n{answer}");
        answer.to_owned()
    }

    /// Leaves by `exit`, and waits for the end of the run.
    pub(super) fn exits(self) -> Ended {
        self.leaves_by("exit")
    }

    pub(super) fn leaves_by(mut self, line: &str) -> Ended {
        self.types(format!("{line}\r").as_bytes());
        let ended = self.guest.run(LIMIT).expect("QEMU can be followed");
        println!("{}", ended.explain());
        ended
    }
}
