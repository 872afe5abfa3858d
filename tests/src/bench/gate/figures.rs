//! The figures, and the file in which they are committed.
//!
//! The file is TOML with one figure a line, in the order in which they are measured, so that a diff shows what
//! a change costs. The same figures are the same bytes.

use std::{collections::BTreeMap, fmt, fs, io::Write, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// What stands above the figures.
const PREFACE: &str = "\
# What boots in virtual time count, and CI compares: `cargo xtask bench gate`.
# CONTRIBUTING.md says when these are to be renewed, BENCHMARKS.md what each of them counts.
";

/// The figures of several machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// What they were made with.
    pub made_with: MadeWith,
    /// The machines, in the order in which they are measured.
    pub sections: Vec<Section>,
}

/// What changes figures though nothing of ours has changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeWith {
    /// The version of QEMU.
    pub qemu: String,
    /// The version of the compiler.
    pub rustc: String,
}

/// The figures of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What the machine is, and how its CPUs are brought up.
    pub name: String,
    /// The figures, in their order.
    pub figures: Vec<Figure>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it counts. What has a unit but that of a number ends in it, such as `-instructions`.
    pub name: String,
    /// How many.
    pub value: u64,
}

impl Figure {
    /// A figure with this name.
    pub fn new(name: &str, value: u64) -> Self {
        Self {
            name: name.to_owned(),
            value,
        }
    }
}

/// The file as TOML has it, which keeps no order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "made-with")]
    made_with: MadeWith,
    #[serde(default)]
    figures: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Figures {
    /// Reads the text of a file. The order is lost.
    ///
    /// # Errors
    ///
    /// It is no TOML, or has something else in it than figures, such as a number that is negative or a key
    /// that stands there twice. The line is in the error. There is no figure in it.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let sections: Vec<_> = file.figures.into_iter().map(Section::from).collect();
        ensure!(
            sections.iter().any(|section| !section.figures.is_empty()),
            "there is no figure in it"
        );
        Ok(Self {
            made_with: file.made_with,
            sections,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), or the file cannot be read. Its path is in the error.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        text.map_err(anyhow::Error::from)
            .and_then(|text| Self::parse(&text))
            .with_context(|| format!("the figures in {}", path.display()))
    }

    /// Writes a file, or leaves the one that is there as it is.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn write(&self, path: &Path) -> Result<()> {
        let write = || -> Result<()> {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            // In the same folder, or it could not be put into the file's place at once.
            let mut new = tempfile::Builder::new()
                .permissions(readable_by_all())
                .tempfile_in(folder)?;
            write!(new, "{self}")?;
            new.as_file().sync_all()?;
            new.persist(path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// A figure.
    pub fn get(&self, section: &str, figure: &str) -> Option<u64> {
        let section = self.sections.iter().find(|it| it.name == section)?;
        let figure = section.figures.iter().find(|it| it.name == figure)?;
        Some(figure.value)
    }

    /// The section and the name of each, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Figure)> {
        self.sections.iter().flat_map(|section| {
            let figures = section.figures.iter();
            figures.map(|figure| (section.name.as_str(), figure))
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.iter().count()
    }
}

/// What every other file in a repository may be.
fn readable_by_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

impl From<(String, BTreeMap<String, u64>)> for Section {
    fn from((name, figures): (String, BTreeMap<String, u64>)) -> Self {
        let figures = figures.into_iter();
        Self {
            name,
            figures: figures
                .map(|(name, value)| Figure { name, value })
                .collect(),
        }
    }
}

/// The file's text. Names are our own, and have no quotes in them.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MadeWith { qemu, rustc } = &self.made_with;
        write!(f, "{PREFACE}\n[made-with]\n")?;
        writeln!(f, "qemu = {qemu:?}\nrustc = {rustc:?}")?;
        for section in &self.sections {
            writeln!(f, "\n[figures.{:?}]", section.name)?;
            for Figure { name, value } in &section.figures {
                writeln!(f, "{name} = {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Figures of machines, made with what nobody has.
    pub(crate) fn figures(sections: &[(&str, &[(&str, u64)])]) -> Figures {
        let section = |(name, figures): &(&str, &[(&str, u64)])| Section {
            name: (*name).to_owned(),
            figures: figures
                .iter()
                .map(|(name, value)| Figure::new(name, *value))
                .collect(),
        };
        Figures {
            made_with: MadeWith {
                qemu: "1.2.3".to_owned(),
                rustc: "4.5.6".to_owned(),
            },
            sections: sections.iter().map(section).collect(),
        }
    }

    const TEXT: &str = r#"
[made-with]
qemu = "1.2.3"
rustc = "4.5.6"

[figures."q35, 8 CPUs, parallel"]
polls = 21
spurious-polls = 0

[figures."q35, 2 CPUs, parallel"]
polls = 3
"#;

    #[test]
    fn what_is_written_is_one_figure_a_line_and_is_read_back() {
        let figures = figures(&[
            (
                "q35, 8 CPUs, parallel",
                &[("polls", 21), ("spurious-polls", 0)],
            ),
            ("q35, 2 CPUs, parallel", &[("polls", 3)]),
        ]);
        let text = figures.to_string();
        assert_eq!(text, format!("{PREFACE}{TEXT}"));
        let read = Figures::parse(&text).expect("it is ours");
        assert_eq!(read.made_with, figures.made_with);
        assert_eq!(read.count(), 3);
        for (section, figure) in figures.iter() {
            assert_eq!(read.get(section, &figure.name), Some(figure.value));
        }
    }

    #[test]
    fn a_broken_file_is_refused_with_the_reason() {
        let broken = |from: &str, to: &str| {
            assert!(TEXT.contains(from));
            let error = Figures::parse(&TEXT.replacen(from, to, 1)).expect_err(to);
            format!("{error:#}")
        };
        for (from, to, why) in [
            ("polls = 21", "polls = -1", "-1"),
            ("polls = 21", "polls = 2.5", "2.5"),
            ("polls = 21", "polls", "line 7"),
            ("polls = 21", "<<<<<<< HEAD", "line 7"),
            ("spurious-polls", "polls", "duplicate"),
            ("q35, 2", "q35, 8", "duplicate"),
            ("[made-with]", "[made-by]", "made-by"),
            ("rustc = \"4.5.6\"", "", "rustc"),
            ("[figures.\"q35, 2", "[figure.\"q35, 2", "figure"),
        ] {
            let error = broken(from, to);
            assert!(error.contains(why), "{to}: {error}");
        }
        let (head, _) = TEXT.split_once("[figures").expect("there are some");
        let error = Figures::parse(head).expect_err("they are cut off");
        assert!(error.to_string().contains("no figure"), "{error}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_an_error_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("figures.toml");
        let error = Figures::read(&path).expect_err("it is not there");
        assert!(format!("{error:#}").contains("figures.toml"), "{error:#}");
        for value in [1, 2] {
            let figures = figures(&[("a", &[("b", value)])]);
            figures.write(&path).expect("the folder is ours");
            assert_eq!(Figures::read(&path).expect("it is whole"), figures);
        }
        let left: Vec<_> = fs::read_dir(folder.path()).expect("it is there").collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let nowhere = folder.path().join("none/figures.toml");
        let error = figures(&[("a", &[("b", 1)])])
            .write(&nowhere)
            .expect_err("there is no such folder");
        assert!(format!("{error:#}").contains("none"), "{error:#}");
    }
}
