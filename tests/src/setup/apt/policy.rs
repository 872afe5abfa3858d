//! What `apt-cache policy PACKAGE` says: which versions there are, and where.

/// Where a new enough version comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// A plain `apt-get install` takes one.
    Default,
    /// Only `apt-get install -t RELEASE` does.
    Release(String),
    /// There are versions, all too old.
    TooOld,
    /// apt knows no version at all, as before the first `apt-get update`.
    Nothing,
}

/// The answer, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Policy {
    candidate: Option<String>,
    /// Each version with the releases that have it, best first.
    versions: Vec<(String, Vec<String>)>,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Self {
        let mut policy = Self {
            candidate: None,
            versions: Vec::new(),
        };
        let mut in_table = false;
        for line in text.lines() {
            let words: Vec<&str> = line.trim_start_matches(" ***").split_whitespace().collect();
            match words.as_slice() {
                ["Candidate:", version] if *version != "(none)" => {
                    policy.candidate = Some((*version).to_owned());
                }
                ["Version", "table:"] => in_table = true,
                // PRIORITY FILE: what is installed here, from no release.
                [_priority, file] if file.starts_with('/') => {}
                // VERSION PRIORITY
                [version, _priority] if in_table => {
                    policy.versions.push(((*version).to_owned(), Vec::new()));
                }
                // PRIORITY URI RELEASE/COMPONENT ARCHITECTURE Packages
                [_priority, _uri, release, _architecture, "Packages"] => {
                    if let Some((_, releases)) = policy.versions.last_mut() {
                        let release = release.split_once('/').map_or(*release, |(name, _)| name);
                        releases.push(release.to_owned());
                    }
                }
                _ => {}
            }
        }
        policy
    }

    /// The easiest way to a version whose first number is at least `major`.
    pub(super) fn offer(&self, major: u32) -> Offer {
        let new_enough = |version: &str| upstream_major(version).is_some_and(|m| m >= major);
        if self.candidate.as_deref().is_some_and(new_enough) {
            return Offer::Default;
        }
        let release = self
            .versions
            .iter()
            .filter(|(version, _)| new_enough(version))
            .find_map(|(_, releases)| releases.first());
        match release {
            Some(release) => Offer::Release(release.clone()),
            None if self.versions.is_empty() => Offer::Nothing,
            None => Offer::TooOld,
        }
    }
}

/// 10 in `1:10.0.2+ds-2`: the number before it is Debian's epoch (deb-version(7)).
fn upstream_major(version: &str) -> Option<u32> {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    upstream
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE_DEBIAN_12: &str = "\
qemu-system-x86:
  Installed: (none)
  Candidate: 1:7.2+dfsg-7+deb12u18
  Version table:
     1:7.2+dfsg-7+deb12u18 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
";

    const WITH_BACKPORTS: &str = "\
qemu-system-x86:
  Installed: 1:7.2+dfsg-7+deb12u15
  Candidate: 1:7.2+dfsg-7+deb12u18
  Version table:
     1:10.0.2+ds-2+deb13u1~bpo12+1 100
        100 http://mirror.example/debian bookworm-backports/main amd64 Packages
     1:7.2+dfsg-7+deb12u18 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
 *** 1:7.2+dfsg-7+deb12u15 100
        100 /var/lib/dpkg/status
";

    const DEBIAN_13: &str = "\
qemu-system-x86:
  Installed: (none)
  Candidate: 1:10.0.2+ds-2+deb13u1
  Version table:
     1:10.0.2+ds-2+deb13u1 500
        500 http://mirror.example/debian trixie/main amd64 Packages
";

    const KNOWN_BUT_NOWHERE: &str = "\
qemu-system-x86:
  Installed: (none)
  Candidate: (none)
  Version table:
";

    #[test]
    fn a_new_candidate_is_taken_as_it_is() {
        assert_eq!(Policy::parse(DEBIAN_13).offer(9), Offer::Default);
    }

    #[test]
    fn an_old_candidate_alone_is_too_old() {
        assert_eq!(Policy::parse(BARE_DEBIAN_12).offer(9), Offer::TooOld);
    }

    #[test]
    fn a_release_of_low_priority_that_has_a_new_version_is_named() {
        let expected = Offer::Release("bookworm-backports".into());
        assert_eq!(Policy::parse(WITH_BACKPORTS).offer(9), expected);
    }

    #[test]
    fn a_package_that_no_release_has_is_no_offer() {
        assert_eq!(Policy::parse(KNOWN_BUT_NOWHERE).offer(9), Offer::Nothing);
        assert_eq!(Policy::parse("").offer(9), Offer::Nothing);
    }

    #[test]
    fn the_version_on_this_machine_is_not_an_offer_of_a_release() {
        let text = "\
qemu-system-x86:
  Installed: 1:10.0.2
  Candidate: 1:7.2
  Version table:
 *** 1:10.0.2 100
        100 /var/lib/dpkg/status
     1:7.2 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
";
        assert_eq!(Policy::parse(text).offer(9), Offer::TooOld);
    }

    #[test]
    fn the_epoch_is_not_the_version() {
        assert_eq!(upstream_major("1:10.0.2+ds-2"), Some(10));
        assert_eq!(upstream_major("9.2.1"), Some(9));
        assert_eq!(upstream_major("(none)"), None);
    }
}
