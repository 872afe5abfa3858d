//! How QEMU is called on systems where setup does not install it by itself.

use std::{fs, path::Path};

/// The system that we run on, as far as it matters for installing QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum System {
    /// Debian, Ubuntu, or a system made from them that uses apt.
    Debian {
        /// The release's name, such as `bookworm`.
        codename: String,
    },
    /// Another one, by the name that it gives itself.
    Other {
        /// For people.
        name: String,
        /// `ID` and `ID_LIKE` of os-release, nearest first.
        ids: Vec<String>,
    },
}

impl System {
    /// Reads os-release, which every current Linux distribution has.
    pub fn detect() -> Self {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| fs::read_to_string(path).ok());
        match text {
            Some(text) => Self::from_os_release(&text, Path::new("/usr/bin/apt-get").exists()),
            None => Self::Other {
                name: std::env::consts::OS.to_owned(),
                ids: vec![std::env::consts::OS.to_owned()],
            },
        }
    }

    fn from_os_release(text: &str, has_apt: bool) -> Self {
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(key, _)| key.trim() == name)
                .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let like = field("ID_LIKE").unwrap_or_default();
        let ids: Vec<String> = field("ID")
            .into_iter()
            .chain(like.split_whitespace().map(str::to_owned))
            .collect();
        if has_apt && ids.iter().any(|id| id == "debian" || id == "ubuntu") {
            // A system made from Ubuntu has a name of its own, and Ubuntu's packages.
            let codename = field("UBUNTU_CODENAME").or_else(|| field("VERSION_CODENAME"));
            Self::Debian {
                codename: codename.unwrap_or_default(),
            }
        } else {
            Self::Other {
                name: field("PRETTY_NAME").unwrap_or_else(|| "this system".into()),
                ids,
            }
        }
    }

    /// What a person would type here to get QEMU.
    pub fn advice(&self) -> String {
        let (name, ids) = match self {
            Self::Debian { codename } => (codename.clone(), ["debian".to_owned()].to_vec()),
            Self::Other { name, ids } => (name.clone(), ids.clone()),
        };
        let command = ids.iter().find_map(|id| command(id));
        match command {
            Some(command) => format!("on {name}, that is `{command}`"),
            None => format!(
                "{name} is not known to us; look for a package named qemu, qemu-system-x86 or \
                 qemu-system-x86_64"
            ),
        }
    }
}

fn command(id: &str) -> Option<&'static str> {
    Some(match id {
        "debian" | "ubuntu" => "sudo apt-get install --no-install-recommends qemu-system-x86",
        "fedora" | "rhel" | "centos" => "sudo dnf install qemu-system-x86-core",
        "arch" => "sudo pacman -S qemu-system-x86 qemu-system-x86-firmware",
        "opensuse" | "suse" => "sudo zypper install qemu-x86 qemu-seabios",
        "alpine" => "sudo apk add qemu-system-x86_64",
        "gentoo" => "sudo emerge app-emulation/qemu",
        "void" => "sudo xbps-install qemu-system-amd64",
        "nixos" => "nix-shell -p qemu",
        "macos" => "brew install qemu",
        "freebsd" => "sudo pkg install qemu",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_what_is_made_from_it_use_apt() {
        let bookworm = "ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian 12\"\n";
        let expected = System::Debian {
            codename: "bookworm".into(),
        };
        assert_eq!(System::from_os_release(bookworm, true), expected);
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n";
        let expected = System::Debian {
            codename: "noble".into(),
        };
        assert_eq!(System::from_os_release(mint, true), expected);
    }

    #[test]
    fn a_debian_without_apt_gets_advice_only() {
        let text = "ID=debian\nPRETTY_NAME=\"Debian, cut down\"\n";
        assert!(
            System::from_os_release(text, false)
                .advice()
                .contains("apt-get install")
        );
    }

    #[test]
    fn a_relative_of_a_known_system_gets_that_ones_command() {
        let text = "ID=manjaro\nID_LIKE=arch\nPRETTY_NAME=\"Manjaro Linux\"\n";
        let advice = System::from_os_release(text, false).advice();
        assert!(
            advice.contains("Manjaro Linux") && advice.contains("pacman"),
            "{advice}"
        );
    }

    #[test]
    fn an_unknown_system_is_told_what_to_look_for() {
        let advice = System::from_os_release("ID=plan9\nPRETTY_NAME=\"Plan 9\"\n", false).advice();
        assert!(
            advice.contains("Plan 9") && advice.contains("qemu-system-x86"),
            "{advice}"
        );
    }
}
