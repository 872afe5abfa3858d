//! Which of the typed bytes are for the guest, and which are for us. Pure.
//!
//! The shell has all keys but Ctrl-], as with `telnet` and `virsh console`. Until it is there, nobody would
//! hear a Ctrl-C: then it ends the run, as it does without `--shell`.

/// Ctrl-C as a terminal in raw mode sends it.
const CTRL_C: u8 = 0x03;
/// Ctrl-], which is ASCII's GS.
const CTRL_CLOSE_BRACKET: u8 = 0x1d;

/// What some typed bytes ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Bytes for the guest; those from the first one on that ends the run are for nobody.
    pub typed: &'a [u8],
    /// The run is to end.
    pub end: bool,
}

/// Takes apart what was typed at a terminal; `has_prompt` says whether the shell is there.
pub fn sort(typed: &[u8], has_prompt: bool) -> Asked<'_> {
    let ends = |byte: &u8| *byte == CTRL_CLOSE_BRACKET || (*byte == CTRL_C && !has_prompt);
    match typed.iter().position(ends) {
        Some(at) => Asked {
            typed: &typed[..at],
            end: true,
        },
        None => Asked { typed, end: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(typed: &[u8], end: bool) -> Asked<'_> {
        Asked { typed, end }
    }

    #[test]
    fn every_byte_but_one_is_the_guests_once_the_shell_is_there() {
        let all: Vec<u8> = (0..=u8::MAX).filter(|it| *it != 0x1d).collect();
        assert_eq!(sort(&all, true), asked(&all, false));
        assert_eq!(sort(b"ab\x1dcd", true), asked(b"ab", true));
    }

    #[test]
    fn ctrl_c_ends_a_run_that_has_no_shell_yet() {
        assert_eq!(sort(b"a\x03b", false), asked(b"a", true));
        assert_eq!(sort(b"a\x03b", true), asked(b"a\x03b", false));
    }
}
