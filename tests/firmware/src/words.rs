//! The firmware's words on the kernel's command line: they are taken out, and the rest is handed on
//! as it was.

use core::fmt;

use crate::list::{Full, List};

/// How each of the firmware's words begins.
const PREFIX: &[u8] = b"firmware.";

/// Most APs that behave in a manner of their own.
const MOST_BEHAVIOURS: usize = 64;

/// Longest time that an AP can take, in milliseconds: the number has 24 bits.
pub const LONGEST_MS: u32 = (1 << 24) - 1;

/// How an AP treats the mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Good,
    /// It never looks.
    Deaf,
    /// Once, it lets its own request pass, and takes the next one, which is meant for another.
    Swallow,
    /// It looks away for so many milliseconds when it sees a request for itself, and takes what is
    /// there then.
    Slow(u32),
}

impl Behaviour {
    /// As one word, for memory that CPUs share.
    pub fn to_word(self) -> u32 {
        match self {
            Self::Good => 0,
            Self::Deaf => 1,
            Self::Swallow => 2,
            Self::Slow(ms) => 3 | ms << 8,
        }
    }

    /// Back from a word.
    pub fn from_word(word: u32) -> Self {
        match word & 0xff {
            1 => Self::Deaf,
            2 => Self::Swallow,
            3 => Self::Slow(word >> 8),
            _ => Self::Good,
        }
    }
}

/// What the words say.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the mailbox is of version 1, which has a reset vector.
    pub has_reset_vector: bool,
    /// APIC ids, each once, and how these CPUs behave.
    pub behaviours: List<(u32, Behaviour), MOST_BEHAVIOURS>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            has_reset_vector: true,
            behaviours: List::new(),
        }
    }
}

/// A word that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadWord<'a> {
    word: &'a [u8],
    why: &'static str,
}

impl fmt::Display for BadWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.word.escape_ascii(), self.why)
    }
}

impl core::error::Error for BadWord<'_> {}

/// Takes the firmware's words out of `line`; what is left is written to the beginning of `rest`, and
/// its length given. Words are separated by spaces.
///
/// # Errors
///
/// [`BadWord`] for the first word that cannot be followed.
///
/// # Panics
///
/// When `rest` is shorter than `line`.
pub fn take<'a>(line: &'a [u8], rest: &mut [u8]) -> Result<(Options, usize), BadWord<'a>> {
    let mut options = Options::default();
    let mut length = 0;
    for word in line.split(|byte| *byte == b' ') {
        if let Some(option) = word.strip_prefix(PREFIX) {
            options
                .follow(option)
                .map_err(|why| BadWord { word, why })?;
            continue;
        }
        if word.is_empty() {
            continue;
        }
        if length > 0 {
            rest[length] = b' ';
            length += 1;
        }
        rest[length..length + word.len()].copy_from_slice(word);
        length += word.len();
    }
    Ok((options, length))
}

impl Options {
    fn follow(&mut self, option: &[u8]) -> Result<(), &'static str> {
        const USAGE: &str = "the words are firmware.mailbox=0|1, firmware.deaf=APIC_ID, \
                             firmware.swallow=APIC_ID and firmware.slow=APIC_ID:MS";
        let option = core::str::from_utf8(option).map_err(|_| USAGE)?;
        let (key, value) = option.split_once('=').ok_or(USAGE)?;
        let behaviour = match key {
            "mailbox" => {
                self.has_reset_vector = match value {
                    "0" => false,
                    "1" => true,
                    _ => return Err(USAGE),
                };
                return Ok(());
            }
            "deaf" => (number(value)?, Behaviour::Deaf),
            "swallow" => (number(value)?, Behaviour::Swallow),
            "slow" => {
                let (id, ms) = value.split_once(':').ok_or(USAGE)?;
                let ms = number(ms)?;
                if ms > LONGEST_MS {
                    return Err("it takes 16777215 ms at most");
                }
                (number(id)?, Behaviour::Slow(ms))
            }
            _ => return Err(USAGE),
        };
        if self.behaviours.iter().any(|(id, _)| *id == behaviour.0) {
            return Err("this CPU has its word already");
        }
        let full = |Full| "so many CPUs are not taken";
        self.behaviours.push(behaviour).map_err(full)
    }
}

fn number(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "there should be a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Result<(Options, String), String> {
        let mut rest = vec![0; line.len()];
        let (options, length) = take(line.as_bytes(), &mut rest).map_err(|bad| bad.to_string())?;
        rest.truncate(length);
        Ok((options, String::from_utf8(rest).unwrap()))
    }

    #[test]
    fn a_line_without_words_for_the_firmware_is_handed_on_and_version_1_offered() {
        let (options, rest) = taken("bringup=serial firmware=1 madt=module").unwrap();
        assert_eq!(rest, "bringup=serial firmware=1 madt=module");
        assert!(options.has_reset_vector && options.behaviours.is_empty());
        assert_eq!(taken("").unwrap().1, "");
    }

    #[test]
    fn the_firmwares_words_are_followed_and_taken_out_wherever_they_are() {
        let line = "firmware.mailbox=0 cycle=1 firmware.deaf=3 firmware.slow=9:250  do=x \
                    firmware.swallow=8 firmware.deaf=1";
        let (options, rest) = taken(line).unwrap();
        assert_eq!(rest, "cycle=1 do=x");
        assert!(!options.has_reset_vector);
        assert_eq!(
            *options.behaviours,
            [
                (3, Behaviour::Deaf),
                (9, Behaviour::Slow(250)),
                (8, Behaviour::Swallow),
                (1, Behaviour::Deaf)
            ]
        );
    }

    #[test]
    fn words_that_cannot_be_followed_are_named() {
        for word in [
            "firmware.mailbox=2",
            "firmware.mailbox",
            "firmware.deaf=all",
            "firmware.deaf=-1",
            "firmware.slow=3",
            "firmware.slow=3:",
            "firmware.slow=3:16777216",
            "firmware.loud=3",
        ] {
            let told = taken(&format!("a=b {word} c=d")).unwrap_err();
            assert!(told.starts_with(&format!("`{word}`: ")), "{told}");
        }
        let twice = taken("firmware.deaf=3 firmware.slow=3:1").unwrap_err();
        assert!(
            twice.contains("slow=3:1`: this CPU has its word"),
            "{twice}"
        );
    }

    #[test]
    fn a_behaviour_comes_back_from_its_word() {
        for behaviour in [
            Behaviour::Good,
            Behaviour::Deaf,
            Behaviour::Swallow,
            Behaviour::Slow(0),
            Behaviour::Slow(LONGEST_MS),
        ] {
            assert_eq!(Behaviour::from_word(behaviour.to_word()), behaviour);
        }
    }
}
