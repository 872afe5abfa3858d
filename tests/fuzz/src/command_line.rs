//! The kernel's command line.
//!
//! The bytes are the line; what is no text never comes this far, as the start info's parser takes
//! printable ASCII only.

use reveille_kernel::command_line::{OptionError, Options, Problem};

/// Reads a command line. Returns whether it is taken.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(bytes) else {
        return false;
    };
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let parsed = Options::parse(line);
    match &parsed {
        Ok(options) => check_taken(&words, options),
        Err(error) => check_refused(&words, error),
    }
    parsed.is_ok()
}

/// A line that is taken is taken for each of its words, and spaces mean nothing.
fn check_taken(words: &[&str], options: &Options) {
    assert_eq!(Options::parse(&words.join(" ")).as_ref(), Ok(options));
    for word in words {
        assert!(Options::parse(word).is_ok(), "`{word}` alone is refused");
    }
    for op in &options.ops {
        // A list of many ranges is cut short, and no list any more.
        let text = op.to_string();
        assert!(text.contains(" more") || text.parse().as_ref() == Ok(op));
    }
    let backwards: Vec<&str> = words.iter().rev().copied().collect();
    assert!(
        Options::parse(&backwards.join(" ")).is_ok(),
        "the order counts"
    );
    if let Some(first) = words.first() {
        match Options::parse(&format!("{} {first}", words.join(" "))) {
            Ok(again) => assert_ne!(&again, options, "`{first}` is lost the second time"),
            Err(error) => assert_eq!(
                (error.word.as_str(), error.problem),
                (*first, Problem::GivenTwice)
            ),
        }
    }
}

/// A line that is refused is refused for its first wrong word, whatever follows.
fn check_refused(words: &[&str], error: &OptionError) {
    let message = error.to_string();
    assert!(message.contains(&format!("`{}`", error.word)));
    let wrong = (1..=words.len())
        .find(|&length| Options::parse(&words[..length].join(" ")).is_err())
        .expect("some word is wrong");
    assert_eq!(words[wrong - 1], error.word);
    assert_eq!(
        Options::parse(&words[..wrong].join(" ")).as_ref(),
        Err(error)
    );
}
