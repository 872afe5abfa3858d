//! What is typed and not given to the guest yet, across a reboot of the guest. Pure.
//!
//! A script that says `reboot` goes on in the guest that comes next. A guest may be given no byte that the
//! next one is to have, as what it has taken and not run goes with it: so nothing is given behind a line
//! `reboot`, but for the end of the input, which is told to each guest anew.

use std::{error::Error, fmt};

use super::Ends;

/// The end of the input, for a shell: Ctrl-D.
pub const END_OF_INPUT: u8 = 0x04;

/// The command behind which there is another guest.
const REBOOT: &[u8] = b"reboot";

/// So many bytes are looked at, and given, at once.
const PIECE: usize = 4096;

/// No longer line is one that the guest runs.
const LONGEST_LINE: usize = 1024;

/// What was typed, in its order.
#[derive(Debug)]
pub struct Typed {
    ends: Ends,
    waiting: Vec<u8>,
    end: End,
    /// What the guest was given of a line that has not ended.
    line: Vec<u8>,
    /// The guest was given a line that makes it reboot, and nothing behind it.
    reboots: bool,
}

/// The input's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// It has come, and the guest does not know.
    Told(bool),
}

/// A guest rebooted and was given more than it ran, nobody knows what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl Typed {
    /// Nothing, yet.
    pub fn new(ends: Ends) -> Self {
        Self {
            ends,
            waiting: Vec::new(),
            end: End::Open,
            line: Vec::new(),
            reboots: false,
        }
    }

    /// What types.
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// Adds what comes from the input.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
    }

    /// No more comes. A guest at a pipe is told so.
    pub fn end(&mut self) {
        self.end = End::Told(self.ends == Ends::Terminal);
    }

    /// Whether the input goes on.
    pub fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// So many bytes wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What the guest may be given now.
    pub fn next(&self) -> &[u8] {
        if self.waiting.is_empty() {
            let is_due = self.end == End::Told(false);
            return if is_due { &[END_OF_INPUT] } else { &[] };
        }
        if self.reboots {
            return &[];
        }
        let piece = &self.waiting[..self.waiting.len().min(PIECE)];
        if self.ends == Ends::Terminal {
            return piece;
        }
        let mut line = self.line.clone();
        let reboot = piece.iter().position(|&byte| ends_reboot(&mut line, byte));
        reboot.map_or(piece, |at| &piece[..=at])
    }

    /// The guest was given the first bytes of [`next`](Self::next).
    pub fn given(&mut self, count: usize) {
        if self.waiting.is_empty() {
            self.end = End::Told(true);
            self.reboots |= ends_reboot(&mut self.line, END_OF_INPUT);
            return;
        }
        let given = self.waiting.drain(..count);
        if self.ends == Ends::Plain {
            for byte in given {
                self.reboots |= ends_reboot(&mut self.line, byte);
            }
        }
    }

    /// The guest has rebooted, and another one begins. From a terminal it gets nothing that was meant for
    /// the one before, from a pipe what that one was not given.
    ///
    /// # Errors
    ///
    /// [`Lost`] where a line that did not look like `reboot` made the guest reboot: it was given what follows.
    pub fn begin_again(&mut self) -> Result<(), Lost> {
        if self.ends == Ends::Terminal {
            self.waiting.clear();
            return Ok(());
        }
        self.line.clear();
        if self.end == End::Told(true) {
            self.end = End::Told(false);
        }
        match std::mem::take(&mut self.reboots) {
            true => Ok(()),
            false => Err(Lost),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the machine rebooted behind a line that does not say just `reboot`, and what the input says \
             behind it is lost",
        )
    }
}

impl Error for Lost {}

/// Adds a byte to `line`. Says whether it ends one that makes a guest reboot.
fn ends_reboot(line: &mut Vec<u8>, byte: u8) -> bool {
    if !matches!(byte, b'\r' | b'\n' | END_OF_INPUT) {
        // What is longer is none, however it goes on.
        if line.len() <= LONGEST_LINE {
            line.push(byte);
        }
        return false;
    }
    let reboots = line.len() <= LONGEST_LINE && line.trim_ascii() == REBOOT;
    line.clear();
    reboots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Typed {
        let mut typed = Typed::new(Ends::Plain);
        typed.push(text.as_bytes());
        typed.end();
        typed
    }

    /// Gives all that may be given, `piece` bytes at once.
    fn give(typed: &mut Typed, piece: usize) -> String {
        let mut given = Vec::new();
        loop {
            let next = typed.next();
            let next = &next[..next.len().min(piece)];
            if next.is_empty() {
                return String::from_utf8(given).expect("a script is text");
            }
            given.extend(next);
            let count = next.len();
            typed.given(count);
        }
    }

    #[test]
    fn what_follows_a_reboot_is_for_the_next_guest() {
        for piece in [1, 3, 100] {
            let mut typed = script("cpus\n  reboot \r\nreboot\nexit failed\n");
            assert_eq!(give(&mut typed, piece), "cpus\n  reboot \r");
            assert_eq!(typed.begin_again(), Ok(()));
            assert_eq!(give(&mut typed, piece), "\nreboot\n");
            assert_eq!(typed.begin_again(), Ok(()));
            assert_eq!(give(&mut typed, piece), "exit failed\n\x04");
        }
    }

    #[test]
    fn each_guest_is_told_of_the_end() {
        for text in ["reboot\n", "reboot"] {
            let mut typed = script(text);
            assert_eq!(give(&mut typed, 100), format!("{text}\x04"));
            assert_eq!(typed.begin_again(), Ok(()));
            assert_eq!(give(&mut typed, 100), "\x04");
        }
    }

    #[test]
    fn a_reboot_that_was_not_foreseen_has_lost_what_follows() {
        for text in ["reb\t\ncpus\n", "cpus\n", ""] {
            let mut typed = script(text);
            assert_eq!(give(&mut typed, 100), format!("{text}\x04"));
            assert_eq!(typed.begin_again(), Err(Lost));
        }
    }

    #[test]
    fn no_other_line_holds_anything_back() {
        let long = "reboot".to_owned() + &" ".repeat(LONGEST_LINE);
        let text = format!("reboot now\nrebooted\nthe reboot\n{long}\n{long}cpus\n");
        let mut typed = script(&text);
        assert_eq!(give(&mut typed, 1000), text + "\x04");
    }

    #[test]
    fn a_person_is_held_back_by_nothing_and_told_no_end() {
        let mut typed = Typed::new(Ends::Terminal);
        typed.push(b"reboot\rcpus\r");
        assert_eq!(give(&mut typed, 7), "reboot\rcpus\r");
        typed.push(b"too late");
        assert_eq!(typed.begin_again(), Ok(()));
        typed.end();
        assert_eq!(give(&mut typed, 7), "");
    }
}
