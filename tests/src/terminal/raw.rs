//! The terminal's settings: raw while the guest runs, and always put back.
//!
//! [`Raw`] puts them back when it is dropped: at the end of a run, on an error, in a panic that unwinds.
//! What ends the process without unwinding calls [`restore_for_good`] first (see [`crate::interrupt`]); only a
//! `kill -9` cannot be caught. Who stops the process from outside finds them put back too, and what the guest
//! shows is left; both are as they were when it goes on.

use std::{
    io,
    marker::PhantomData,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::{
    stdio::stdin,
    termios::{OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr},
};
use signal_hook::{
    consts::{SIGCONT, SIGTSTP},
    iterator::Signals,
    low_level::emulate_default_handler,
};

use super::screen::{self, Left};

/// The settings of before, while they are raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The standard input is a terminal in raw mode. There is one at a time.
#[derive(Debug)]
pub struct Raw {
    /// Made by [`Raw::enter`] alone.
    made: PhantomData<()>,
}

impl Raw {
    /// Changes the terminal's settings. A key is read as it is pressed and not shown, and none of them
    /// sends a signal. Lines that are written still end in LF alone for whoever writes them.
    ///
    /// # Errors
    ///
    /// The standard input is no terminal, or it is gone.
    pub fn enter() -> io::Result<Self> {
        follow_stops()?;
        let mut before = before();
        let settings = tcgetattr(stdin())?;
        set(&raw(&settings), OptionalActions::Now)?;
        *before = Some(settings);
        Ok(Self { made: PhantomData })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal's settings back if they are raw. What was typed and not read goes too: an answer of
/// the terminal's that the guest asked for is no command for the shell of the person who sits there.
pub fn restore() {
    if let Some(settings) = before().take() {
        // Whoever hung up has no terminal to be mended.
        let _gone = set(&settings, OptionalActions::Flush);
    }
}

/// Before the process ends in the middle of anything: leaves what the guest shows, and then does the same.
pub fn restore_for_good() {
    screen::leave_for_good();
    restore();
}

/// `settings`, raw. Output is still processed: the guest's CR LF passes unharmed, and what we and QEMU
/// say ourselves needs it.
fn raw(settings: &Termios) -> Termios {
    let mut raw = settings.clone();
    raw.make_raw();
    raw.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    raw
}

fn set(settings: &Termios, when: OptionalActions) -> io::Result<()> {
    Ok(tcsetattr(stdin(), when, settings)?)
}

/// A process that is stopped leaves the terminal to others.
fn follow_stops() -> io::Result<()> {
    let mut signals = Signals::new([SIGTSTP, SIGCONT])?;
    thread::spawn(move || {
        // It went on, and SIGCONT tells so once more.
        let mut is_back = false;
        for signal in signals.forever() {
            if signal == SIGTSTP {
                // Nothing is shown until it goes on.
                let left = Left::now();
                if let Some(settings) = &*before() {
                    let _gone = set(settings, OptionalActions::Now);
                }
                // It fails only for a signal that does not exist.
                let _stopped = emulate_default_handler(signal);
                is_back = is_raw_again();
                left.come_back();
            } else if !mem::take(&mut is_back) && is_raw_again() {
                // Who ends the process holds the screen, and waits for the settings: they are not held here.
                Left::unseen().come_back();
            }
        }
    });
    Ok(())
}

/// Makes the settings raw again if they are to be.
fn is_raw_again() -> bool {
    match &*before() {
        Some(settings) => set(&raw(settings), OptionalActions::Now).is_ok(),
        None => false,
    }
}

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        process::{Command, Stdio},
    };

    use rustix::{
        fd::OwnedFd,
        pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
        termios::{InputModes, LocalModes},
    };

    use super::*;

    /// Set in the process that is to panic.
    const PANICS: &str = "REVEILLE_TEST_PANICS_IN_RAW_MODE";

    fn settings(terminal: &OwnedFd) -> String {
        format!("{:?}", tcgetattr(terminal).expect("it is a terminal"))
    }

    #[test]
    fn a_panic_puts_the_settings_back() {
        if env::var_os(PANICS).is_some() {
            let _raw = Raw::enter().expect("the standard input is a terminal");
            let modes = tcgetattr(stdin()).expect("it is a terminal").local_modes;
            assert!(!modes.intersects(LocalModes::ICANON | LocalModes::ISIG));
            panic!("in raw mode");
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = openpt(flags).expect("the system has pseudo-terminals");
        grantpt(&person).expect("it is ours");
        unlockpt(&person).expect("it is ours");
        let terminal = ioctl_tiocgptpeer(&person, flags).expect("its other side");
        let mut unusual = tcgetattr(&terminal).expect("it is a terminal");
        unusual.input_modes.toggle(InputModes::IXANY);
        tcsetattr(&terminal, OptionalActions::Now, &unusual).expect("it is a terminal");
        let before = settings(&terminal);

        let itself = env::current_exe().expect("the test runs");
        let panicked = Command::new(itself)
            .args([
                "--exact",
                "terminal::raw::tests::a_panic_puts_the_settings_back",
            ])
            .env(PANICS, "1")
            .stdin(terminal.try_clone().expect("a descriptor is left"))
            .stderr(Stdio::null())
            .output()
            .expect("it starts");
        let told = String::from_utf8_lossy(&panicked.stdout);
        assert!(
            told.contains("in raw mode"),
            "it did not come so far: {told}"
        );
        assert_eq!(settings(&terminal), before);
    }
}
