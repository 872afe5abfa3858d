//! What becomes of what is typed while commands run: what waits, what is dropped, and what runs.
//!
//! The bytes are those of [`shell`](crate::shell); with a second NUL what is in front ends too.

use reveille_kernel::shell::{
    command::{self, Command},
    completion::Completions,
    line::{Key, Keys},
    prompt::{Asked, Dropped, Front, Prompt},
    typed_keys::TypedKeys,
};

use crate::shell::{Machine, WIDTH};

/// Types them at a terminal, and at a pipe, which they then come to the end of.
pub(crate) fn check(bytes: &[u8]) {
    for is_plain in [false, true] {
        let mut shell = Shell {
            prompt: Prompt::new("reveille> ", WIDTH, is_plain),
            is_plain,
            view: None,
            has_front: false,
            has_left: false,
        };
        let mut keys = Keys::default();
        let mut bytes = bytes.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                0 if bytes.next() == Some(0) => {
                    keys.rest().into_iter().for_each(|key| shell.press(key));
                    shell.end_front();
                }
                0 => {}
                _ => shell.read(byte, &mut keys),
            }
            shell.look();
        }
        if is_plain {
            shell.read(0x04, &mut keys);
            shell.run_out();
            assert!(shell.has_left, "a pipe that has ended goes on");
        }
    }
}

struct Shell {
    prompt: Prompt,
    is_plain: bool,
    view: Option<TypedKeys>,
    has_front: bool,
    has_left: bool,
}

impl Shell {
    /// Reads a byte; at a pipe not before there is room.
    fn read(&mut self, byte: u8, keys: &mut Keys) {
        while self.prompt.room() == 0 {
            assert!(self.is_plain && (self.has_front || self.view.is_some()));
            self.look();
            self.end_front();
        }
        keys.feed(byte).for_each(|key| self.press(key));
    }

    fn press(&mut self, key: Key) {
        let dropped = self.prompt.key(key);
        assert_eq!(dropped.is_some(), key == Key::Ctrl(b'c'));
        self.go_on();
        // The end of a pipe waits behind it all the same.
        if dropped.is_some() && !self.is_plain {
            let again = self.prompt.key(key);
            assert_eq!(again, Some(Dropped::default()), "something is left");
        }
    }

    fn go_on(&mut self) {
        while let Some(asked) = self.prompt.next(&Completions(Machine)) {
            match asked {
                Asked::Run(line) => self.run(&line),
                Asked::Full(full) => assert!(!self.is_plain, "{full}"),
                Asked::TooLong { .. } | Asked::Candidates(_) | Asked::Clear => {}
            }
        }
    }

    fn run(&mut self, line: &str) {
        assert!(!self.has_front && self.view.is_none(), "two are in front");
        let Ok(Some(invocation)) = command::parse(line) else {
            return;
        };
        match invocation.command {
            Command::Watch if !invocation.behind => {
                let keys = TypedKeys::default();
                self.view = Some(keys.clone());
                self.prompt.started(Front::View(keys));
            }
            Command::Exit(_) => self.has_left = true,
            Command::Cycle(_) | Command::Torture { .. } if !invocation.behind => {
                self.has_front = true;
                self.prompt.started(Front::Command);
            }
            _ => {}
        }
    }

    /// The view takes its keys, up to one that ends it.
    fn look(&mut self) {
        while let Some(key) = self.view.as_ref().and_then(TypedKeys::left) {
            if matches!(key, Key::Char('q') | Key::Ctrl(b'd') | Key::Escape) {
                self.end_front();
            }
        }
    }

    fn end_front(&mut self) {
        if self.has_front || self.view.is_some() {
            self.has_front = false;
            self.view = None;
            self.prompt.is_free();
            self.go_on();
        }
    }

    /// Nothing more comes: commands end, and a view does when it is told.
    fn run_out(&mut self) {
        loop {
            self.look();
            if !self.has_front {
                assert!(self.view.is_none(), "nobody ends the view");
                return;
            }
            self.end_front();
        }
    }
}
