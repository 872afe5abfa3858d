//! A line editor as people know it from a Unix shell: keys in, a row of the screen and lines out.
//!
//! It neither reads nor writes. Whoever has the terminal feeds its bytes to [`Keys`] and the keys to an
//! [`Editor`], does what its [`Reaction`] asks for, and shows its [`Row`]. So it is the same with any
//! console, under a test and under a fuzzer; and others can print while somebody types.
//!
//! Memory is bounded whatever is typed: a line has [`LONGEST_LINE`] bytes, the history
//! [`history::MOST_LINES`] of these.
//!
//! # Why it is our own
//!
//! The crates that do without `std` (looked at: noline 0.5, embedded-cli 0.2, terminal_cli 0.2) decide what is
//! written to the terminal and take the screen from the prompt on for theirs, while here others print above
//! the line at any time and it must be drawn again. None completes more than the name of a command; noline,
//! otherwise the nearest, completes nothing and has a licence that this project does not take (MPL-2.0).
//! vte, which would read the escape sequences, reads what is sent *to* terminals: there Alt-P begins a
//! string that swallows all that is typed behind it. What terminals agree on, how wide a character is, is from
//! unicode-width, whose tables take 7 KiB.

#![forbid(unsafe_code)]

mod buffer;
mod completer;
mod editor;
pub mod history;
mod keys;
mod search;
mod sequence;
mod view;
mod width;

pub use buffer::LONGEST_LINE;
pub use completer::{Completer, Completion};
pub use editor::{Editor, Reaction};
pub use keys::{Key, Keys};
pub use sequence::LONGEST_SEQUENCE;
pub use view::Row;
