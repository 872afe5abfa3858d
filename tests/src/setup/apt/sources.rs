//! The entry of apt's sources that this machine's own release comes from, and the same entry for
//! another suite of it.
//!
//! apt reads two formats (sources.list(5)): one entry a line in `*.list`, and paragraphs of fields
//! (deb822) in `*.sources`. The new entry is the old one with another suite, so that mirror, key
//! and options are the same.

/// The makers whose releases have a suite `CODENAME-backports`.
const ORIGINS: [&str; 2] = ["Debian", "Ubuntu"];

/// Where an entry stands, in apt's words `FILE:NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    /// A line's number in `*.list`, a paragraph's in `*.sources`, from 1.
    pub(super) number: usize,
}

/// Finds, in what `apt-get indextargets` prints, the entry behind the release `codename` itself.
pub(super) fn base_entry(indextargets: &str, codename: &str) -> Option<Place> {
    indextargets.split("\n\n").find_map(|target| {
        let field = |name: &str| field(target, name);
        let ours = field("Codename")? == codename && ORIGINS.contains(&field("Origin")?);
        let (file, number) = field("Sourcesentry")?.rsplit_once(':')?;
        let number = number.parse().ok()?;
        ours.then(|| Place {
            file: file.to_owned(),
            number,
        })
    })
}

fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = paragraph
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// `deb [options] URI SUITE COMPONENT...`
    Line(String),
    /// Fields, continued lines included, without comments.
    Paragraph(String),
}

impl Entry {
    /// The entry at `place` in its file's `text`.
    pub(super) fn find(text: &str, place: &Place) -> Option<Self> {
        let index = place.number.checked_sub(1)?;
        if place.file.ends_with(".sources") {
            paragraphs(text).nth(index).map(Self::Paragraph)
        } else {
            text.lines()
                .nth(index)
                .map(|line| Self::Line(line.trim().to_owned()))
        }
    }

    /// The file name's suffix that tells apt the format.
    pub(super) fn suffix(&self) -> &'static str {
        match self {
            Self::Line(_) => "list",
            Self::Paragraph(_) => "sources",
        }
    }

    /// A file with this entry for the component `main` of `suite`.
    pub(super) fn for_suite(&self, suite: &str) -> String {
        let entry = match self {
            Self::Line(line) => line_for_suite(line, suite),
            Self::Paragraph(paragraph) => paragraph_for_suite(paragraph, suite),
        };
        format!(
            "# Added by `cargo xtask setup` of Reveille, for a QEMU that is new enough.\n{entry}\n"
        )
    }
}

/// apt counts only paragraphs that hold a field.
fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let without_comments: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let blocks: Vec<String> = without_comments
        .split(|line| line.trim().is_empty())
        .filter(|block| !block.is_empty())
        .map(|block| block.join("\n"))
        .collect();
    blocks.into_iter()
}

fn line_for_suite(line: &str, suite: &str) -> String {
    let rest = line
        .split_once(char::is_whitespace)
        .map_or("", |(_, rest)| rest.trim_start());
    let (options, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((options, rest)) => (format!("[{options}] "), rest),
        None => (String::new(), rest),
    };
    let uri = rest.split_whitespace().next().unwrap_or_default();
    format!("deb {options}{uri} {suite} main")
}

fn paragraph_for_suite(paragraph: &str, suite: &str) -> String {
    let mut out = vec!["Types: deb".to_owned()];
    let mut skipping = false;
    for line in paragraph.lines() {
        // A line that begins with a space continues the field above it.
        if !line.starts_with(char::is_whitespace) {
            let name = line
                .split_once(':')
                .map_or(line, |(name, _)| name)
                .to_ascii_lowercase();
            skipping = ["types", "suites", "components", "enabled"].contains(&name.as_str());
        }
        if !skipping {
            out.push(line.to_owned());
        }
    }
    out.push(format!("Suites: {suite}"));
    out.push("Components: main".to_owned());
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEXTARGETS: &str = "\
MetaKey: main/binary-amd64/Packages
Codename: bookworm
Label: Other
Origin: Somebody Else
Repo-URI: http://other.example/
Sourcesentry: /etc/apt/sources.list.d/other.list:3

Codename: bookworm-updates
Origin: Debian
Sourcesentry: /etc/apt/sources.list.d/debian.sources:1

Codename: bookworm
Label: Debian
Origin: Debian
Suite: oldstable
Release: stable
Repo-URI: http://mirror.example/debian/
Sourcesentry: /etc/apt/sources.list.d/debian.sources:2
";

    fn place(file: &str, number: usize) -> Place {
        Place {
            file: file.to_owned(),
            number,
        }
    }

    #[test]
    fn the_releases_own_entry_is_found_among_updates_and_other_makers() {
        let expected = place("/etc/apt/sources.list.d/debian.sources", 2);
        assert_eq!(base_entry(INDEXTARGETS, "bookworm"), Some(expected));
    }

    #[test]
    fn a_release_that_apt_does_not_know_has_no_entry() {
        assert_eq!(base_entry(INDEXTARGETS, "trixie"), None);
        // Before the first `apt-get update`, apt knows no code names.
        let never_updated = "Sourcesentry: /etc/apt/sources.list:1\nRelease: bookworm\n";
        assert_eq!(base_entry(never_updated, "bookworm"), None);
    }

    #[test]
    fn a_paragraph_keeps_its_mirror_key_and_options() {
        let text = "\
# Not a paragraph.

Types: deb
URIs: http://security.example/debian
Suites: bookworm-security
Components: main

Types: deb deb-src
# Nor is this a field.
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
Check-Valid-Until: no
";
        let entry = Entry::find(text, &place("debian.sources", 2)).expect("there are two");
        assert_eq!(entry.suffix(), "sources");
        let new = entry.for_suite("bookworm-backports");
        let lines: Vec<&str> = new.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "Types: deb",
                "URIs: mirror+file:///etc/apt/mirrors/debian.list",
                "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
                "Check-Valid-Until: no",
                "Suites: bookworm-backports",
                "Components: main",
            ]
        );
    }

    #[test]
    fn a_key_written_out_in_the_entry_is_kept_whole() {
        let text = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n\
                    Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n";
        let entry = Entry::find(text, &place("debian.sources", 1)).expect("there is one");
        let new = entry.for_suite("bookworm-backports");
        assert!(
            new.contains("Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n"),
            "{new}"
        );
    }

    #[test]
    fn a_line_keeps_its_mirror_and_options() {
        let text = "# comment\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n\
                    deb\thttp://mirror.example/debian   stable main\n";
        let with_options = Entry::find(text, &place("/etc/apt/sources.list", 2)).expect("line 2");
        assert_eq!(with_options.suffix(), "list");
        assert!(with_options.for_suite("bookworm-backports").ends_with(
            "\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main\n"
        ));
        let plain = Entry::find(text, &place("/etc/apt/sources.list", 3)).expect("line 3");
        assert!(
            plain
                .for_suite("bookworm-backports")
                .ends_with("\ndeb http://mirror.example/debian bookworm-backports main\n")
        );
    }

    #[test]
    fn an_entry_that_is_not_there_is_not_made_up() {
        assert_eq!(Entry::find("", &place("debian.sources", 1)), None);
        assert_eq!(Entry::find("deb a b c\n", &place("sources.list", 0)), None);
    }
}
