//! Is there a QEMU, is it new enough, and does it come with its firmware?

use std::{
    fmt, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::QEMU_MAJOR;

/// The program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// What `-kernel` boots through on q35 and pc, on microvm, and the option ROM that finds the PVH
/// entry point (QEMU, `hw/i386/x86-common.c` and `hw/i386/microvm.c`).
const FIRMWARE: [&str; 3] = ["bios-256k.bin", "bios-microvm.bin", "pvh.bin"];

/// Why the QEMU here will not do.
#[derive(Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is none.
    Program,
    /// Older than [`QEMU_MAJOR`].
    Old(Version),
    /// A file that it would load is not there.
    Firmware(&'static str),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => write!(f, "{PROGRAM} is not installed"),
            Self::Old(version) => write!(
                f,
                "{PROGRAM} is version {version}, and x2APIC in software emulation needs \
                 {QEMU_MAJOR}.0 or newer"
            ),
            Self::Firmware(file) => write!(f, "{PROGRAM} lacks its firmware file {file}"),
        }
    }
}

/// What is wrong with the QEMU here; `None` when nothing is.
pub fn lack() -> Result<Option<Lack>> {
    let Some(version) = version()? else {
        return Ok(Some(Lack::Program));
    };
    if version.major < QEMU_MAJOR {
        return Ok(Some(Lack::Old(version)));
    }
    let folders = data_folders(&query("-L", "help")?.unwrap_or_default());
    let absent = |file: &&str| !folders.iter().any(|folder| folder.join(file).exists());
    Ok(FIRMWARE.into_iter().find(absent).map(Lack::Firmware))
}

/// The version of the QEMU here; `None` when there is none.
pub fn version() -> Result<Option<Version>> {
    let Some(text) = query("--version", "")? else {
        return Ok(None);
    };
    let version = Version::parse(&text)
        .with_context(|| format!("`{PROGRAM} --version` says nothing we know: {text}"))?;
    Ok(Some(version))
}

/// QEMU's answer to an option that makes it print and end; `None` when there is no QEMU.
fn query(option: &str, value: &str) -> Result<Option<String>> {
    let arguments = [option, value];
    let arguments = arguments.iter().filter(|argument| !argument.is_empty());
    match Command::new(PROGRAM).args(arguments).output() {
        Ok(output) => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot start `{PROGRAM}`")),
    }
}

/// `-L help` prints one folder a line.
fn data_folders(help: &str) -> Vec<PathBuf> {
    help.lines()
        .map(|line| Path::new(line.trim()).to_owned())
        .collect()
}

/// A version of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 10 in 10.0.2.
    pub major: u32,
    /// 0 in 10.0.2.
    pub minor: u32,
    /// 2 in 10.0.2.
    pub micro: u32,
}

impl Version {
    /// Finds the version in what `--version` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.split_once("version ")?.1;
        let number = number
            .split(|c: char| c != '.' && !c.is_ascii_digit())
            .next()?;
        let mut parts = number.split('.').map(|part| part.parse().ok());
        Some(Self {
            major: parts.next()??,
            minor: parts.next()??,
            micro: parts.next().flatten().unwrap_or(0),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_with_and_without_a_distribution_in_brackets() {
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\n\
                      Copyright (c) 2003-2025 Fabrice Bellard and the QEMU Project developers";
        assert_eq!(
            Version::parse(debian),
            Some(Version {
                major: 10,
                minor: 0,
                micro: 2
            })
        );
        let plain = "QEMU emulator version 9.2\n";
        assert_eq!(
            Version::parse(plain),
            Some(Version {
                major: 9,
                minor: 2,
                micro: 0
            })
        );
    }

    #[test]
    fn a_development_version_counts_as_its_number() {
        let text = "QEMU emulator version 10.1.50 (v10.1.0-123-g0123456789)\n";
        assert_eq!(
            Version::parse(text),
            Some(Version {
                major: 10,
                minor: 1,
                micro: 50
            })
        );
    }

    #[test]
    fn a_text_without_a_version_has_none() {
        assert_eq!(Version::parse("qemu: command not found"), None);
        assert_eq!(Version::parse("version unknown"), None);
    }
}
