//! Reading what was measured: for those who report it, compare it, or go on with it.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{FILE, Header, Key, Line, Run, SCHEMA};

/// A file of results, as far as it is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// What was to be measured, with what, on which host.
    pub header: Header,
    /// The boots in the order of the file. Of several lines for one boot, as when one that failed was
    /// tried again, the last counts.
    pub runs: Vec<Run>,
    /// Bytes of a last line that was cut off, and is not among the runs.
    pub cut_bytes: usize,
    /// Bytes before it.
    pub(super) whole_bytes: usize,
}

impl Results {
    /// None yet of what a header says.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            runs: Vec::new(),
            cut_bytes: 0,
            whole_bytes: 0,
        }
    }

    /// Reads a file, or [`FILE`] in a folder.
    ///
    /// # Errors
    ///
    /// It cannot be read, is of another schema, or has a line that is none of ours before its last.
    /// A last line without its end is no error: see [`cut_bytes`](Self::cut_bytes).
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let path = match path.is_dir() {
            true => path.join(FILE),
            false => path.to_owned(),
        };
        let read = fs::read(&path).map_err(Problem::Unreadable);
        let results = read.and_then(|bytes| Self::parse(&bytes));
        results.map_err(|problem| ReadError { path, problem })
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let whole_bytes = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let (whole, rest) = bytes.split_at(whole_bytes);
        let mut lines = whole.split(|&byte| byte == b'\n').zip(1..);
        let (first, _) = lines
            .next()
            .filter(|(line, _)| !line.is_empty())
            .ok_or(Problem::Empty)?;
        let mut results = Self {
            cut_bytes: rest.len(),
            whole_bytes,
            ..Self::new(header(first)?)
        };
        for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Run(run)) => results.add(run),
                Ok(Line::Bench(_)) => return Err(Problem::SecondHeader { line: number }),
                Err(error) => {
                    return Err(Problem::Broken {
                        line: number,
                        error,
                    });
                }
            }
        }
        Ok(results)
    }

    /// Adds a run, in place of an earlier line for the same.
    pub fn add(&mut self, run: Run) {
        self.runs.retain(|other| other.key() != run.key());
        self.runs.push(run);
    }

    /// What is there of a boot.
    pub fn find(&self, key: Key<'_>) -> Option<&Run> {
        self.runs.iter().find(|run| run.key() == key)
    }

    /// The boots that did all that was asked for.
    pub fn ok_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.is_ok())
    }

    /// What a person should know of the file, if there is anything.
    pub fn warning(&self) -> Option<String> {
        (self.cut_bytes > 0).then(|| {
            let bytes = self.cut_bytes;
            format!("the last line is cut off, and its {bytes} bytes are left out")
        })
    }
}

/// The first line, if it is of our schema; which is looked at first, as all else may differ with it.
fn header(line: &[u8]) -> Result<Header, Problem> {
    #[derive(Deserialize)]
    struct Kind {
        record: String,
        schema: u32,
    }
    let broken = |error| Problem::Broken { line: 1, error };
    let kind: Result<Kind, _> = serde_json::from_slice(line);
    match kind {
        Ok(kind) if kind.record == "bench" && kind.schema != SCHEMA => {
            return Err(Problem::Schema(kind.schema));
        }
        Ok(kind) if kind.record == "bench" => {}
        _ => return Err(Problem::NoHeader),
    }
    match serde_json::from_slice(line).map_err(broken)? {
        Line::Bench(header) => Ok(header),
        Line::Run(_) => Err(Problem::NoHeader),
    }
}

/// Why a file cannot be read.
#[derive(Debug)]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file of results.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The system does not give it.
    Unreadable(io::Error),
    /// There is no whole line in it.
    Empty,
    /// Its first line does not say what was to be measured.
    NoHeader,
    /// It is of this schema, and not of [`SCHEMA`].
    Schema(u32),
    /// This line says once more what was to be measured.
    SecondHeader {
        /// From 1.
        line: usize,
    },
    /// This line is none of ours.
    Broken {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for ReadError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::Empty => f.write_str("it has no whole line"),
            Self::NoHeader => f.write_str(
                "its first line is not the `bench` of a benchmark's results: it is another file",
            ),
            Self::Schema(schema) => write!(
                f,
                "it is of schema {schema}, and this program reads schema {SCHEMA}"
            ),
            Self::SecondHeader { line } => {
                write!(
                    f,
                    "line {line} is a second `bench`: to join files, there is `bench merge`"
                )
            }
            Self::Broken { line, error } => write!(f, "line {line} is broken: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Outcome, tests::header, tests::run},
        *,
    };

    fn text(lines: &[Line]) -> String {
        let lines = lines
            .iter()
            .map(|line| serde_json::to_string(line).expect("it can be"));
        lines.map(|line| line + "\n").collect()
    }

    fn three() -> String {
        text(&[
            Line::Bench(header()),
            Line::Run(run(2, 1)),
            Line::Run(run(8, 1)),
        ])
    }

    fn problem(text: &str) -> String {
        Results::parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let results = Results::parse(three().as_bytes()).expect("it is whole");
        assert_eq!(results.header, header());
        assert_eq!(results.runs, [run(2, 1), run(8, 1)]);
        assert_eq!(results.warning(), None);
        assert_eq!(results.find(run(8, 1).key()), Some(&run(8, 1)));
        assert_eq!(results.find(run(8, 2).key()), None);
    }

    #[test]
    fn wherever_a_file_is_cut_off_the_lines_before_are_there() {
        let whole = three();
        let ends: Vec<_> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
        for length in ends[0]..whole.len() {
            let results = Results::parse(&whole.as_bytes()[..length]).expect("it has a header");
            let lines = ends.iter().filter(|end| **end <= length).count();
            assert_eq!(results.runs.len(), lines - 1, "{length}");
            assert_eq!(results.whole_bytes, ends[lines - 1]);
            let is_cut = results.cut_bytes > 0;
            assert_eq!(
                (is_cut, results.warning().is_some()),
                (length > ends[lines - 1], is_cut)
            );
        }
        for length in 0..ends[0] {
            let cut = Results::parse(&whole.as_bytes()[..length]);
            assert!(matches!(cut, Err(Problem::Empty)), "{length}");
        }
    }

    #[test]
    fn a_boot_that_was_tried_again_counts_once() {
        let mut failed = run(2, 1);
        failed.outcome = Outcome::Failed("no".to_owned());
        let again = [
            Line::Bench(header()),
            Line::Run(failed),
            Line::Run(run(2, 1)),
        ];
        let results = Results::parse(text(&again).as_bytes()).expect("it is whole");
        assert_eq!(results.runs, [run(2, 1)]);
        assert_eq!(results.ok_runs().count(), 1);
    }

    #[test]
    fn a_broken_line_is_named_by_its_number() {
        let whole = three();
        let broken = whole.replacen(r#""run":1"#, r#""run":one"#, 1);
        assert!(
            problem(&broken).starts_with("line 2 is broken: "),
            "{}",
            problem(&broken)
        );
        let strange = whole.replacen(r#""record":"run""#, r#""record":"walk""#, 1);
        let text = problem(&strange);
        assert!(
            text.starts_with("line 2 is broken: ") && text.contains("walk"),
            "{text}"
        );
        let twice = whole.clone() + &whole;
        assert!(problem(&twice).starts_with("line 4 is a second `bench`"));
    }

    #[test]
    fn another_schema_and_another_file_are_refused_as_what_they_are() {
        let whole = three();
        let other = whole.replacen(r#""schema":1"#, r#""schema":2"#, 1);
        let text = problem(&other);
        assert_eq!(text, "it is of schema 2, and this program reads schema 1");
        // Whatever else its header has, or lacks.
        let bare = "{\"record\":\"bench\",\"schema\":7}\n";
        assert!(problem(bare).contains("schema 7"));
        let boot = "{\"record\":\"boot\",\"schema\":1}\n";
        for wrong in [
            boot,
            "{}\n",
            "nonsense\n",
            &whole[whole.find('\n').expect("a line") + 1..],
        ] {
            assert!(problem(wrong).contains("another file"), "{wrong}");
        }
        let lacks = whole.replacen("\"qemu\"", "\"bochs\"", 1);
        assert!(problem(&lacks).starts_with("line 1 is broken: missing field `qemu`"));
    }

    #[test]
    fn a_file_is_named_by_itself_or_by_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Results::read(folder.path())
            .expect_err("it is not there")
            .to_string();
        assert!(
            error.contains(FILE) && error.contains("cannot be read"),
            "{error}"
        );
        fs::write(folder.path().join(FILE), three()).expect("it can be written");
        let by_folder = Results::read(folder.path()).expect("it is there");
        let by_file = Results::read(&folder.path().join(FILE)).expect("it is there");
        assert_eq!(by_folder, by_file);
    }
}
