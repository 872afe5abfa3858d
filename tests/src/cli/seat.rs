//! Where somebody sits while the kernel runs: at its shell, or only to look on.
//!
//! Whoever takes the seat leaves the terminal as it was, however the run ends: dropping it suffices.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    guest::{Ended, Guest, Sight},
    interrupt::Interrupts,
    terminal::{
        Ends,
        keyboard::Keyboard,
        raw::{self, Raw},
        screen::{self, Screen},
        typed::{Lost, Typed},
    },
};

/// What is typed and shown while a guest runs, and the next one if it reboots.
pub(super) struct Seat {
    interrupts: Interrupts,
    screen: Screen,
    /// At a shell, what is typed and no guest has got.
    typed: Option<Typed>,
    /// Put back last.
    _raw: Option<Raw>,
}

impl Seat {
    /// To look on.
    pub(super) fn to_look_on(interrupts: &Interrupts) -> Self {
        interrupts.before_exit(screen::leave_for_good);
        Self {
            interrupts: interrupts.clone(),
            screen: Screen::to_look_on(),
            typed: None,
            _raw: None,
        }
    }

    /// At the shell. A terminal is in raw mode from now on.
    pub(super) fn at_the_shell(interrupts: &Interrupts, ends: Ends) -> Result<Self> {
        let screen = Screen::new(ends);
        let raw = match ends {
            Ends::Terminal => {
                interrupts.before_exit(raw::restore_for_good);
                screen.say("xtask: Ctrl-] ends the run");
                Some(Raw::enter()?)
            }
            Ends::Plain => None,
        };
        Ok(Self {
            interrupts: interrupts.clone(),
            screen,
            typed: Some(Typed::new(ends)),
            _raw: raw,
        })
    }

    /// Follows `guest` to its end, and tells `record` each record.
    pub(super) fn follow(
        &mut self,
        guest: Guest<'_>,
        limit: Option<Duration>,
        mut record: impl FnMut(&str),
    ) -> Result<Ended> {
        let guest = guest.until_interrupted(&self.interrupts);
        let keyboard = |typed| {
            let interrupts = self.interrupts.clone();
            let interrupt = move |signal| interrupts.receive(signal);
            Keyboard::start(typed, guest.console_end()?, interrupt)
        };
        let mut keyboard = self.typed.take().map(keyboard).transpose()?;
        let screen = &mut self.screen;
        screen.begin();
        let ended = guest
            .watch(|sight| match sight {
                Sight::Console(bytes) => {
                    // A reader that has gone away is no reason to end the run early.
                    let (has_prompt, _shown) = screen.show(bytes);
                    if has_prompt && let Some(keyboard) = &mut keyboard {
                        keyboard.begin();
                    }
                }
                Sight::Record(line) => record(line),
                Sight::Complaint(line) => screen.say(&format!("qemu: {line}")),
            })
            .run(limit);
        self.typed = keyboard.and_then(Keyboard::end);
        ended
    }

    /// The guest has rebooted: whether the next one gets all that was typed for it.
    pub(super) fn begin_again(&mut self) -> Result<(), Lost> {
        self.typed.as_mut().map_or(Ok(()), Typed::begin_again)
    }

    /// Says something while the seat is taken.
    pub(super) fn say(&self, text: &str) {
        self.screen.say(text);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.screen.leave();
    }
}

/// What the kernel is told, beside `words`, so that it gives a shell.
pub(super) fn shell_keys(words: &[String], ends: Ends) -> Result<Vec<String>> {
    let last = |key: &str| {
        let words = words.iter().flat_map(|it| it.split_ascii_whitespace());
        words.filter_map(|word| word.strip_prefix(key)).next_back()
    };
    let mut keys = Vec::new();
    match last("after=") {
        None => keys.push("after=shell".to_owned()),
        Some("shell") => {}
        Some(other) => ensure!(false, "with --shell there is no after={other}"),
    }
    if last("terminal=").is_none() && ends == Ends::Plain {
        keys.push("terminal=plain".to_owned());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_to_give_a_shell_that_fits_its_ends() {
        let keys = |words: &str, ends| shell_keys(&[words.to_owned()], ends);
        let good = |words, ends| keys(words, ends).expect("nothing is wrong").join(" ");
        assert_eq!(good("", Ends::Terminal), "after=shell");
        assert_eq!(good("cycle=1", Ends::Plain), "after=shell terminal=plain");
        assert_eq!(good("terminal=ansi after=shell", Ends::Plain), "");
        let error = keys("after=shell after=halt", Ends::Terminal).expect_err("it ends in a halt");
        assert!(error.to_string().contains("after=halt"), "{error}");
    }
}
