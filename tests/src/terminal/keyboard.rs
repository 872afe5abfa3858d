//! From the standard input to the guest's console, byte by byte, and no faster than the guest reads.
//!
//! One thread a guest waits for three things at once: input, room in the console, and word from the
//! thread that owns the guest. So nothing is read that finds no room, and the thread ends with the guest
//! even while nobody types. It reads no more while it holds 64 KiB.

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fd::AsFd,
    io::{Errno, read},
    net::{SendFlags, send},
    stdio::stdin,
};
use signal_hook::consts::{SIGHUP, SIGINT};

use super::{Ends, keys, typed::Typed};

/// Bytes that are read before the guest takes them: beyond a terminal's own buffer, so that Ctrl-] is
/// heard whatever was typed at a guest that does not read.
const ROOM: usize = 64 * 1024;

/// Types at a guest what comes from the standard input, until it is dropped.
#[derive(Debug)]
pub struct Keyboard {
    control: UnixStream,
    thread: Option<JoinHandle<Typed>>,
}

impl Keyboard {
    /// Begins to read; the guest gets what waits in `typed` before that. `interrupt` is called from another thread with the signal that what is typed
    /// stands for: that of a Ctrl-C, or of a terminal that is gone. It may be called again.
    pub fn start(
        typed: Typed,
        console: UnixStream,
        interrupt: impl Fn(i32) + Send + 'static,
    ) -> io::Result<Self> {
        let (control, word) = UnixStream::pair()?;
        let typist = Typist {
            typed,
            interrupt: Box::new(interrupt),
            console,
            word,
            has_prompt: false,
            has_console: true,
        };
        let thread = thread::spawn(move || typist.run());
        Ok(Self {
            control,
            thread: Some(thread),
        })
    }

    /// The guest has shown its prompt, and may be typed at.
    pub fn begin(&mut self) {
        // Should the thread have ended, it said so by a signal.
        let _ended = self.control.write_all(&[1]);
    }

    /// Ends the thread, and gives what the guest did not get. `None` if the thread has panicked.
    pub fn end(mut self) -> Option<Typed> {
        self.join()
    }

    fn join(&mut self) -> Option<Typed> {
        let _ended = self.control.shutdown(std::net::Shutdown::Both);
        self.thread.take()?.join().ok()
    }
}

impl Drop for Keyboard {
    /// Ends the thread. What it has not typed is gone.
    fn drop(&mut self) {
        // It neither panics nor is there anything to be done if it did.
        let _typed = self.join();
    }
}

/// The thread's part.
struct Typist {
    typed: Typed,
    interrupt: Box<dyn Fn(i32) + Send>,
    console: UnixStream,
    word: UnixStream,
    has_prompt: bool,
    /// The guest has not ended, as far as we know.
    has_console: bool,
}

/// What [`Typist::wait`] found.
struct Ready {
    word: bool,
    input: bool,
    room: bool,
}

impl Typist {
    fn run(mut self) -> Typed {
        if self.until_the_guest_ends().is_err() {
            (self.interrupt)(SIGHUP);
        }
        self.typed
    }

    fn until_the_guest_ends(&mut self) -> rustix::io::Result<()> {
        loop {
            let ready = self.wait()?;
            if ready.word {
                if read(&self.word, &mut [0; 8])? == 0 {
                    return Ok(());
                }
                self.has_prompt = true;
            }
            if ready.input {
                self.take();
            }
            if ready.room {
                self.give();
            }
        }
    }

    fn wait(&self) -> rustix::io::Result<Ready> {
        let stdin = stdin();
        let mut polled = vec![PollFd::new(&self.word, PollFlags::IN)];
        let wants_input = self.typed.is_open() && self.typed.waiting() < ROOM;
        if wants_input {
            polled.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let wants_room = self.has_prompt && self.has_console && !self.typed.next().is_empty();
        if wants_room {
            polled.push(PollFd::new(&self.console, PollFlags::OUT));
        }
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let mut ready = polled.iter().map(|it| !it.revents().is_empty());
        Ok(Ready {
            word: ready.next().unwrap_or_default(),
            input: wants_input && ready.next().unwrap_or_default(),
            room: wants_room && ready.next().unwrap_or_default(),
        })
    }

    /// Reads what is there.
    fn take(&mut self) {
        let mut buffer = [0; 4096];
        let typed = match read(stdin(), &mut buffer) {
            Ok(0) => None,
            Ok(length) => Some(&buffer[..length]),
            Err(Errno::INTR | Errno::AGAIN) => return,
            // So ends a terminal of which the other side has closed.
            Err(_gone) => None,
        };
        match (typed, self.typed.ends()) {
            (Some(bytes), Ends::Plain) => self.typed.push(bytes),
            (Some(bytes), Ends::Terminal) => {
                let asked = keys::sort(bytes, self.has_prompt);
                self.typed.push(asked.typed);
                if asked.end {
                    (self.interrupt)(SIGINT);
                }
            }
            (None, ends) => {
                self.typed.end();
                if ends == Ends::Terminal {
                    (self.interrupt)(SIGHUP);
                }
            }
        }
    }

    /// Gives the guest what it has room for.
    fn give(&mut self) {
        match send(
            self.console.as_fd(),
            self.typed.next(),
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        ) {
            Ok(length) => self.typed.given(length),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // The guest has ended, and who owns it will say so.
            Err(_gone) => self.has_console = false,
        }
    }
}
