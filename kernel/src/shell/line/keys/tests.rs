//! What terminals send, and what nobody should.

use proptest::prelude::*;

use super::{super::LONGEST_SEQUENCE, *};

fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Keys::default();
    let fed: Vec<_> = bytes.iter().flat_map(|&byte| keys.feed(byte)).collect();
    fed.into_iter().chain(keys.rest()).collect()
}

#[test]
fn each_sequence_is_its_key() {
    for (sequences, key) in [
        (&["\x1b[A", "\x1bOA", "\x1b[1;2A"][..], Key::Up),
        (&["\x1b[B", "\x1bOB"], Key::Down),
        (&["\x1b[C", "\x1bOC", "\x1b[1;2C"], Key::Right),
        (&["\x1b[D", "\x1bOD"], Key::Left),
        (&["\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"], Key::Home),
        (&["\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"], Key::End),
        (&["\x1b[3~", "\x1b[3;5~"], Key::Delete),
        (&["\x1b[5~"], Key::PageUp),
        (&["\x1b[6~"], Key::PageDown),
        (
            &["\x1b[1;5C", "\x1b[1;3C", "\x1b[5C", "\x1bOc"],
            Key::WordRight,
        ),
        (
            &["\x1b[1;5D", "\x1b[1;9D", "\x1b[3D", "\x1bOd"],
            Key::WordLeft,
        ),
        (&["\x1b[200~"], Key::PasteStart),
        (&["\x1b[201~"], Key::PasteEnd),
        (&["\r", "\n", "\r\n", "\x1bOM"], Key::Enter),
        (&["\x08", "\x7f"], Key::Backspace),
        (&["\t"], Key::Tab),
        (&["\x03"], Key::Ctrl(b'c')),
        (&["\x1a"], Key::Ctrl(b'z')),
        (&["\x1bb"], Key::Alt('b')),
        (&["\x1b\x7f"], Key::Alt('\x7f')),
        (&["\x1b["], Key::Alt('[')),
        (&["\x1bO"], Key::Alt('O')),
        (&["\x1b"], Key::Escape),
        (&["é", "\u{e9}"], Key::Char('é')),
        (&["中"], Key::Char('中')),
        (&["🦀"], Key::Char('🦀')),
        // Insert, F5, F1 on Linux's console, a focus report, a private one, C1's CSI.
        (
            &[
                "\x1b[2~",
                "\x1b[15~",
                "\x1b[[A",
                "\x1b[I",
                "\x1b[?1;2c",
                "\u{9b}",
                "\0",
            ],
            Key::Unknown,
        ),
    ] {
        for sequence in sequences {
            assert_eq!(keys(sequence.as_bytes()), [key], "{sequence:?}");
        }
    }
}

#[test]
fn a_cursor_report_has_both_numbers_counted_from_one() {
    let report = |row, column| [Key::CursorReport { row, column }];
    assert_eq!(keys(b"\x1b[24;80R"), report(24, 80));
    assert_eq!(keys(b"\x1b[99999;1R"), report(u16::MAX, 1));
    for other in [
        "\x1b[R",
        "\x1b[5R",
        "\x1b[0;1R",
        "\x1b[1;R",
        "\x1b[1;2;3R",
        "\x1bO1;2R",
    ] {
        assert_eq!(keys(other.as_bytes()), [Key::Unknown], "{other:?}");
    }
}

#[test]
fn what_breaks_a_sequence_off_is_a_key_of_its_own() {
    let (c, replaced) = (Key::Ctrl(b'c'), Key::Char(char::REPLACEMENT_CHARACTER));
    assert_eq!(keys(b"\x1b\x03"), [Key::Escape, c]);
    assert_eq!(keys(b"\x1b\x1b[A"), [Key::Escape, Key::Up]);
    assert_eq!(keys(b"\x1b[1;\x03"), [Key::Unknown, c]);
    assert_eq!(keys(b"\x1b[\x1b[A"), [Key::Alt('['), Key::Up]);
    assert_eq!(keys(b"\x1b\xc3\xa9"), [Key::Escape, Key::Char('é')]);
    assert_eq!(keys(b"\x1b[1\xff"), [Key::Unknown, replaced]);
    assert_eq!(keys(b"\xe4\xb8\x03"), [replaced, c]);
    assert_eq!(keys(b"\xe4\xb8x"), [replaced, Key::Char('x')]);
    assert_eq!(keys(b"\xe4\xb8"), [replaced]);
}

#[test]
fn a_line_end_of_two_bytes_is_one_enter_and_two_line_ends_are_two() {
    let enters = |bytes| keys(bytes).len();
    assert_eq!(
        [b"\r\n\r\n", b"\r\r\n\n", b"\n\r\n\r"].map(|it| enters(it)),
        [2, 3, 3]
    );
    assert_eq!(keys(b"\rx\n"), [Key::Enter, Key::Char('x'), Key::Enter]);
}

#[test]
fn an_escape_that_waits_is_told_apart_by_time_alone() {
    let mut keys = Keys::default();
    assert_eq!((keys.has_begun(), keys.rest()), (false, None));
    assert_eq!(keys.feed(0x1b).next(), None);
    assert!(keys.has_begun() && keys.may_be_whole());
    assert_eq!(keys.rest(), Some(Key::Escape));
    assert!(!keys.has_begun() && !keys.may_be_whole());
    assert_eq!(keys.feed(b'[').next(), Some(Key::Char('[')));
    for (begun, is_whole) in [
        (&b"\x1b["[..], true),
        (b"\x1bO", true),
        (b"\x1b[7", false),
        (b"\x1b[70;100", false),
        (b"\xe2\x96", false),
    ] {
        let mut keys = Keys::default();
        begun.iter().for_each(|byte| drop(keys.feed(*byte)));
        assert!(keys.has_begun());
        assert_eq!(keys.may_be_whole(), is_whole, "{begun:?}");
    }
}

/// Bytes among which those that begin something are frequent.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\x1b[O;0123456789~ACR?\xc3\xe4\xb8\xf0\x9f".to_vec()),
    ];
    prop::collection::vec(byte, 0..80)
}

proptest! {
    #[test]
    fn what_is_no_control_character_is_text_as_everybody_decodes_it(
        bytes in prop::collection::vec(prop_oneof![b' '..=b'~', 0x80..=0xff_u8], 0..60)
    ) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let expected: Vec<_> = text.chars().map(shown).collect();
        prop_assert_eq!(keys(&bytes), expected);
    }

    #[test]
    fn a_control_character_gets_through_whatever_comes_before_it(before in hostile()) {
        let bytes = [&before[..], b"\x03"].concat();
        prop_assert_eq!(keys(&bytes).pop(), Some(Key::Ctrl(b'c')));
    }

    #[test]
    fn a_few_characters_later_everything_counts_again(before in hostile()) {
        let digits = usize::from(LONGEST_SEQUENCE) + 1;
        let bytes = [&before[..], &vec![b'1'; digits]].concat();
        prop_assert_eq!(keys(&bytes).pop(), Some(Key::Char('1')));
    }

    #[test]
    fn no_byte_gives_more_than_two_keys_and_none_a_control_character(bytes in hostile()) {
        let mut keys = Keys::default();
        for byte in bytes {
            let given: Vec<_> = keys.feed(byte).collect();
            prop_assert!(given.len() <= 2);
            let is_control = |key: &Key| matches!(key, Key::Char(char) if char.is_control());
            prop_assert!(!given.iter().any(is_control));
        }
    }
}
