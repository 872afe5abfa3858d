//! One file of a package that is not installed: apt fetches the package and checks it against its
//! signed lists, dpkg unpacks it, and the file stays in a folder of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{super::advice::System, super::step::Steps, add_newer_source, ask, update};

/// A version of a package that apt knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The package.
    pub package: String,
    /// Its version, as Debian writes it.
    pub version: String,
    /// The first package of each of its dependencies, by its name.
    pub depends: Vec<String>,
}

/// The versions of `package` that apt knows, the newest first; none on a system without apt.
pub fn offered(package: &str) -> Vec<Offered> {
    let mut command = Command::new("apt-cache");
    command.args(["show", package]).env("LC_ALL", "C");
    // An unknown package is an error of apt's, and an empty list to us.
    let output = command.stderr(Stdio::null()).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    parse(&String::from_utf8_lossy(&text))
}

/// Paragraphs of fields (deb-control(5)). apt keeps a package's versions with the newest first.
fn parse(text: &str) -> Vec<Offered> {
    let paragraphs = text.split("\n\n");
    let offered = paragraphs.filter_map(|paragraph| {
        let field = |name: &str| {
            let mut pairs = paragraph.lines().filter_map(|line| line.split_once(": "));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let depends = field("Depends").unwrap_or_default();
        let first = |it: &str| it.split_ascii_whitespace().next().map(str::to_owned);
        Some(Offered {
            package: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            depends: depends.split(',').filter_map(first).collect(),
        })
    });
    offered.collect()
}

/// Makes apt learn of more: what its mirrors have now, and if that does not offer what is `wanted`, what the
/// release's backports have. Each command that changes the machine is shown first.
///
/// # Errors
///
/// A command failed, or this system has no apt.
pub fn learn(wanted: impl Fn() -> bool) -> Result<()> {
    let System::Debian { codename } = System::detect() else {
        bail!("this system has no apt");
    };
    let steps = Steps::new(false);
    update(&steps, "asking the mirror what it has")?;
    let backports = format!("Codename: {codename}-backports");
    let targets = ask("apt-get", &["indextargets", "Created-By: Packages"])?;
    let is_known = targets.lines().any(|line| line.trim_end() == backports);
    if !wanted() && !is_known {
        add_newer_source(&steps, &codename)?;
        update(&steps, "reading the new source's list")?;
    }
    Ok(())
}

/// The file at one of `paths` inside `package`, from `folder` if an earlier call has put it there.
///
/// # Errors
///
/// The package cannot be fetched or unpacked, or has no such file.
pub fn file(package: &Offered, paths: &[&str], folder: &Path) -> Result<PathBuf> {
    let Offered {
        package: name,
        version,
        ..
    } = package;
    let kept = folder.join(format!("{name}_{}", version.replace(':', "_")));
    if kept.exists() {
        return Ok(kept);
    }
    eprintln!("xtask: fetching {name} {version} by apt, to be unpacked and not installed");
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // In the same folder, so that the file takes its name in one piece.
    let draft = tempfile::tempdir_in(folder)?;
    let wanted = format!("{name}={version}");
    fetch(&wanted, draft.path()).with_context(|| format!("cannot fetch {wanted}"))?;
    let entries = fs::read_dir(draft.path())?.collect::<Result<Vec<_>, _>>()?;
    let [archive] = &entries[..] else {
        bail!("apt fetched {} files for {wanted}", entries.len());
    };
    let unpacked = draft.path().join("unpacked");
    let mut command = Command::new("dpkg-deb");
    command.arg("--extract").arg(archive.path()).arg(&unpacked);
    run(command)?;
    let found = paths.iter().map(|path| unpacked.join(path));
    let found = found.into_iter().find(|path| path.is_file());
    let found = found.with_context(|| format!("{wanted} has no {}", paths.join(" nor ")))?;
    fs::rename(found, &kept)?;
    Ok(kept)
}

/// Fetches by apt, which checks what it has fetched.
fn fetch(wanted: &str, folder: &Path) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.current_dir(folder);
    if rustix::process::geteuid().is_root() {
        // apt's own user cannot write into our folder, and would warn of it.
        command.args(["-o", "APT::Sandbox::User=root"]);
    }
    command.args(["--quiet", "download", wanted]);
    run(command)
}

fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start `{program}`"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("`{program}`: {}", words.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Debian 12 with its backports says, but for fields of no interest.
    const META: &str = "\
Package: linux-image-amd64
Source: linux-signed-amd64 (6.12.95+1~bpo12+1)
Version: 6.12.95-1~bpo12+1
Installed-Size: 13
Depends: linux-image-6.12.95+deb12-amd64 (= 6.12.95-1~bpo12+1)
Description-en: Linux for 64-bit PCs (meta-package)
 This package depends on the latest Linux kernel.
 .
 Depends: not a field

Package: linux-image-amd64
Version: 6.1.176-1
Provides: virtualbox-guest-modules
Depends: linux-image-6.1.0-50-amd64 (= 6.1.176-1), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool

";

    #[test]
    fn each_version_is_told_with_what_it_depends_on() {
        let offered = parse(META);
        let told: Vec<_> = offered
            .iter()
            .map(|it| (it.version.as_str(), it.depends.join(" ")))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "6.12.95-1~bpo12+1",
                    "linux-image-6.12.95+deb12-amd64".into()
                ),
                (
                    "6.1.176-1",
                    "linux-image-6.1.0-50-amd64 initramfs-tools".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_package_that_apt_does_not_know_is_offered_in_no_version() {
        assert_eq!(parse(""), []);
        assert_eq!(parse("N: Unable to locate package x\n"), []);
    }
}
