//! With what something is measured: enough to say whether two figures may be compared, and to measure
//! again.

use std::{env, fs, process::Command, time::SystemTime};

use anyhow::{Context, Result};

use super::{
    cell::REVEILLE,
    host::Host,
    plan::Plan,
    results::{Header, SCHEMA},
    shard::Shard,
};
use crate::{
    kernel::{Kernel, workspace},
    setup::qemu,
};

/// What all boots of a benchmark have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Our version and commit, and `dirty` if something was not committed.
    pub reveille: String,
    /// What tells the image from another build: its CRC-32.
    pub kernel: String,
    /// The version of QEMU.
    pub qemu: String,
    /// The version of the compiler.
    pub rustc: String,
    /// The machine under QEMU.
    pub host: Host,
}

impl Provenance {
    /// Of what would be measured here with this kernel. What nobody tells is `unknown`.
    ///
    /// # Errors
    ///
    /// The image cannot be read, or there is no QEMU.
    pub fn here(kernel: &Kernel) -> Result<Self> {
        let image = fs::read(kernel.image());
        let image = image.with_context(|| format!("cannot read {}", kernel.image().display()))?;
        let qemu = qemu::version()?.context("there is no QEMU")?;
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let rustc = output(Command::new(rustc).arg("--version"));
        let rustc = rustc.as_deref().and_then(|text| text.split(' ').nth(1));
        Ok(Self {
            reveille: reveille(),
            kernel: format!("crc32 {:08x}", crc32fast::hash(&image)),
            qemu: qemu.to_string(),
            rustc: rustc.unwrap_or("unknown").to_owned(),
            host: Host::here(),
        })
    }

    /// The header of what is measured now: by this command, of our own system.
    pub fn header(self, plan: &Plan, shard: Option<Shard>) -> Header {
        Header {
            schema: SCHEMA,
            started: now(),
            command: command(what_is_measured(env::args().skip(1))),
            reveille: self.reveille,
            kernel: self.kernel,
            qemu: self.qemu,
            rustc: self.rustc,
            host: self.host,
            systems: vec![REVEILLE.to_owned()],
            plan: plan.machines.clone(),
            strategies: plan.contenders.iter().map(|it| it.to_string()).collect(),
            runs: plan.runs,
            rounds: plan.rounds,
            shard,
        }
    }
}

/// The time, as RFC 3339 has it, to the second.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Our version, the commit, and whether something differs from it.
fn reveille() -> String {
    let git = |words: &[&str]| output(Command::new("git").arg("-C").arg(workspace()).args(words));
    let mut text = env!("CARGO_PKG_VERSION").to_owned();
    if let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) {
        text += &format!(" {commit}");
    }
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|files| !files.is_empty()) {
        text += " dirty";
    }
    text
}

/// What a command says, if it ends well.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|it| it.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The words of a command line that say what is measured: without where the results go, with what they are
/// compared, whether there are some already, and whether there are pictures. Those are of one host, and of one day.
fn what_is_measured(words: impl IntoIterator<Item = String>) -> Vec<String> {
    const WITH_VALUE: [&str; 3] = ["--out", "--compare", "--by"];
    const ALONE: [&str; 3] = ["--resume", "--strict", "--no-charts"];
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (&*word, None),
        };
        if WITH_VALUE.contains(&option) {
            if value.is_none() {
                words.next();
            }
        } else if !ALONE.contains(&option) {
            kept.push(word);
        }
    }
    kept
}

/// A command line of a part, as it is for the whole.
pub fn of_whole(command: &str) -> String {
    const OPTION: &str = "--shard";
    let mut kept: Vec<&str> = Vec::new();
    let mut words = command.split(' ');
    while let Some(word) = words.next() {
        match word.strip_prefix(OPTION) {
            // What is quoted and has blanks in it has an even number of marks before and behind.
            Some("") if is_outside_quotes(&kept) => _ = words.next(),
            Some(rest) if rest.starts_with('=') && is_outside_quotes(&kept) => {}
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// Whether a shell that has read these words of [`command`]'s is at the beginning of the next.
fn is_outside_quotes(words: &[&str]) -> bool {
    let plain = words.join(" ").replace(r"\'", "");
    plain.matches('\'').count().is_multiple_of(2)
}

/// A command line of xtask's, as a person would type it.
pub fn command(words: impl IntoIterator<Item = String>) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./,=:+%@".contains(letter);
    let words = words.into_iter().map(|word| {
        match !word.is_empty() && word.chars().all(is_plain) {
            true => word,
            // In a shell nothing means anything between these, but the same mark.
            false => format!("'{}'", word.replace('\'', r"'\''")),
        }
    });
    ["cargo xtask".to_owned()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = [
            "bench",
            "--smp",
            "2,8",
            "--append",
            "test=x y=1",
            "it's",
            "",
        ];
        let text = command(words.map(str::to_owned));
        assert_eq!(
            text,
            r"cargo xtask bench --smp 2,8 --append 'test=x y=1' 'it'\''s' ''"
        );
    }

    #[test]
    fn a_header_names_no_folder_of_the_host() {
        let words = "bench --smp 2 --out /home/me/a --resume --compare=/home/me/b --by time --strict --no-charts --runs 12";
        let kept = what_is_measured(words.split(' ').map(str::to_owned));
        assert_eq!(kept, ["bench", "--smp", "2", "--runs", "12"]);
        let equals = ["bench".to_owned(), "--append=test=x".to_owned()];
        assert_eq!(what_is_measured(equals.clone()), equals);
    }

    #[test]
    fn the_command_of_a_whole_names_no_part_of_it() {
        let whole = "cargo xtask bench --smp 2 --runs 2";
        for part in [
            "cargo xtask bench --smp 2 --shard 1/2 --runs 2",
            "cargo xtask bench --smp 2 --shard=1/2 --runs 2",
            "cargo xtask bench --smp 2 --runs 2 --shard 2/2",
            whole,
        ] {
            assert_eq!(of_whole(part), whole);
        }
        let words = ["bench", "--append", "it's a --shard 1/2", "--shard", "1/2"];
        let quoted = command(words.map(str::to_owned));
        let whole = command(words[..3].iter().map(|word| (*word).to_owned()));
        assert_eq!(of_whole(&quoted), whole);
    }

    #[test]
    fn the_version_begins_with_ours() {
        let text = reveille();
        assert!(text.starts_with(env!("CARGO_PKG_VERSION")), "{text}");
    }

    #[test]
    fn a_time_is_a_date_and_a_time_of_day_in_utc() {
        let text = now();
        assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
    }
}
