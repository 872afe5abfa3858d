//! Debian's kernels, from where this machine takes its packages: fetched once, kept in a folder of ours,
//! and never installed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::system::Series;
use crate::{
    kernel::Kernel,
    setup::apt::unpacked::{self, Offered},
};

/// The package that depends on the newest kernel of each suite.
const META: &str = "linux-image-amd64";

/// How the packages of kernels are called, before what their files are called.
const PREFIX: &str = "linux-image-";

/// A kernel of Linux's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Which series.
    pub series: Series,
    /// Debian's version.
    pub version: String,
    /// What QEMU takes for `-kernel`.
    pub file: PathBuf,
}

impl Image {
    /// The newest kernel of a series that apt has, kept in `folder`. Changes nothing else on the machine.
    ///
    /// # Errors
    ///
    /// apt does not know one, or cannot fetch it.
    pub fn ready(series: Series, folder: &Path) -> Result<Self> {
        let package = offered(series).with_context(|| {
            format!(
                "apt has no kernel {series} here; Debian 12 and its backports have 6.1 and 6.12"
            )
        })?;
        let name = package.package.trim_start_matches(PREFIX);
        let file = unpacked::file(&package, &[&format!("boot/vmlinuz-{name}")], folder)?;
        let version = package.version;
        Ok(Self {
            series,
            version,
            file,
        })
    }

    /// The same, once more when apt has learnt what its mirrors and the release's backports have.
    ///
    /// # Errors
    ///
    /// As for [`ready`](Self::ready), or apt cannot learn.
    pub fn ready_when_learnt(series: Series, folder: &Path) -> Result<Self> {
        let first = match Self::ready(series, folder) {
            Err(error) => error,
            ready => return ready,
        };
        eprintln!("xtask: {first:#}");
        unpacked::learn(|| offered(series).is_some())?;
        Self::ready(series, folder)
    }
}

/// The package that apt would take.
fn offered(series: Series) -> Option<Offered> {
    find(&unpacked::offered(META), series)
}

/// Where they are kept.
pub fn folder(kernel: &Kernel) -> PathBuf {
    kernel.scratch().join("linux")
}

/// A BusyBox that needs no libraries, kept in `folder`.
///
/// # Errors
///
/// apt does not have it, or cannot fetch it.
pub fn busybox(folder: &Path) -> Result<PathBuf> {
    let offered = unpacked::offered("busybox-static");
    let newest = offered.first().context("apt has no busybox-static here")?;
    // The second since all programs are in one folder.
    unpacked::file(newest, &["bin/busybox", "usr/bin/busybox"], folder)
}

/// The package of the kernel itself.
fn find(offered: &[Offered], series: Series) -> Option<Offered> {
    let newest = offered.iter().find(|it| series.has(&it.version))?;
    let mut depends = newest.depends.iter();
    Some(Offered {
        package: depends.find(|it| it.starts_with(PREFIX))?.clone(),
        version: newest.version.clone(),
        depends: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_series_is_taken_and_not_what_has_it_as_a_prefix() {
        let meta = |version: &str, depends: &str| Offered {
            package: META.to_owned(),
            version: version.to_owned(),
            depends: vec!["linux-base".to_owned(), depends.to_owned()],
        };
        let offered = [
            meta("6.12.95-1~bpo12+1", "linux-image-6.12.95+deb12-amd64"),
            meta("6.1.192-2", "linux-image-6.1.0-56-amd64"),
            meta("6.1.176-1", "linux-image-6.1.0-50-amd64"),
        ];
        let package = |series: &str| {
            let series = series.parse().expect("a series");
            find(&offered, series).map(|it| (it.package, it.version))
        };
        let expected = ("linux-image-6.1.0-56-amd64".into(), "6.1.192-2".into());
        assert_eq!(package("6.1"), Some(expected));
        let newer = package("6.12").expect("there is one");
        assert_eq!(newer.0, "linux-image-6.12.95+deb12-amd64");
        assert_eq!(package("5.10"), None);
    }
}
