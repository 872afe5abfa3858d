//! Writing results: a line is on the disk, or it is in the error.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result, bail};
use signal_hook::consts::SIGXFSZ;

use super::{FILE, Header, Line, Results, Run};

/// A file of results that grows. No other process writes it meanwhile.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    /// Up to here it consists of whole lines.
    length: u64,
}

impl Writer {
    /// Begins [`FILE`] in `folder`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The folder takes no file, there is such a file already, or the disk has no room for its first
    /// line. What was there stays as it was.
    pub fn create(folder: &Path, header: &Header) -> Result<Self> {
        let path = folder.join(FILE);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let file = File::options().append(true).create_new(true).open(&path);
        let mut writer = Self::over(file, path, 0)?;
        let line = line(&Line::Bench(header.clone()));
        let written = writer
            .append(&line)
            .and_then(|()| File::open(folder)?.sync_all());
        if let Err(error) = written {
            // Nothing is in it, and it would be in the way.
            let _left = fs::remove_file(&writer.path);
            return Err(error).context(format!("cannot write {}", writer.path.display()));
        }
        Ok(writer)
    }

    /// Opens the file in `folder` for more, so that no other process writes it from now on; `None` where there is
    /// none. It stays as it is until [`begin`](Self::begin) or [`go_on`](Self::go_on): **what is gone on with is read
    /// in between**, or lines that another benchmark adds meanwhile would be taken away.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or another process writes it.
    pub fn open(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let file = match File::options().append(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file,
        };
        let mut writer = Self::over(file, path, 0)?;
        let length = writer.file.metadata().map(|it| it.len());
        writer.length = length.with_context(|| format!("cannot read {}", writer.path.display()))?;
        Ok(Some(writer))
    }

    /// Begins anew, in place of what the file has.
    ///
    /// # Errors
    ///
    /// The disk has no room for the first line.
    pub fn begin(self, header: &Header) -> Result<Self> {
        let mut writer = Self { length: 0, ..self };
        let line = line(&Line::Bench(header.clone()));
        let written = writer.take_back().and_then(|()| writer.append(&line));
        written.with_context(|| format!("cannot write {}", writer.path.display()))?;
        Ok(writer)
    }

    /// Goes on behind these `results`, which were read from the file while it was open. A last line that was cut off
    /// is taken away.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn go_on(self, results: &Results) -> Result<Self> {
        let writer = Self {
            length: results.whole_bytes as u64,
            ..self
        };
        let cut = writer.take_back();
        cut.with_context(|| format!("cannot write {}", writer.path.display()))?;
        Ok(writer)
    }

    fn over(file: io::Result<File>, path: PathBuf, length: u64) -> Result<Self> {
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{} is being written by another benchmark", path.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        // A file that may not grow is an error of the write then, not our end.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Self { file, path, length })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a boot, and returns when it is on the disk.
    ///
    /// # Errors
    ///
    /// It is not, and the file is as it was: the error has the line.
    pub fn add(&mut self, run: &Run) -> Result<(), Unwritten> {
        let line = line(&Line::Run(run.clone()));
        self.append(&line).map_err(|error| Unwritten {
            path: self.path.clone(),
            line,
            error,
        })
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let bytes = format!("{line}\n");
        let written = self.file.write_all(bytes.as_bytes());
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Should that fail too, the reader drops what is not whole.
                let _left = self.take_back();
                Err(error)
            }
        }
    }

    /// Takes away what is behind the whole lines.
    fn take_back(&self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_data()
    }
}

fn line(line: &Line) -> String {
    serde_json::to_string(line).expect("its maps have strings as keys, and nothing else can fail")
}

/// A line that could not be written.
#[derive(Debug)]
pub struct Unwritten {
    /// Where it was to be.
    pub path: PathBuf,
    /// The line, without its end.
    pub line: String,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for Unwritten {}

#[cfg(test)]
mod tests {
    use super::{
        super::{tests::header, tests::run},
        *,
    };

    fn open(folder: &Path) -> Writer {
        let writer = Writer::open(folder).expect("nobody writes it");
        writer.expect("it is there")
    }

    fn read(folder: &Path) -> Results {
        Results::read(folder).expect("it is whole")
    }

    #[test]
    fn a_file_grows_line_by_line_and_is_gone_on_with_behind_a_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("deep").join("down");
        let mut writer = Writer::create(&folder, &header()).expect("it can be written");
        writer.add(&run(2, 1)).expect("there is room");
        assert_eq!(read(&folder).runs, [run(2, 1)]);
        drop(writer);
        let path = folder.join(FILE);
        let mut bytes = fs::read(&path).expect("it is there");
        bytes.extend(b"{\"record\":\"run\",\"sys");
        fs::write(&path, bytes).expect("it can be written");
        let writer = open(&folder);
        let cut = read(&folder);
        assert_eq!(cut.cut_bytes, 20);
        let mut writer = writer.go_on(&cut).expect("it can be written");
        writer.add(&run(8, 1)).expect("there is room");
        let whole = read(&folder);
        assert_eq!(
            (whole.runs, whole.cut_bytes),
            (vec![run(2, 1), run(8, 1)], 0)
        );
    }

    #[test]
    fn what_is_there_is_not_written_over_and_has_one_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = Writer::create(folder.path(), &header()).expect("it can be written");
        assert!(Writer::create(folder.path(), &header()).is_err());
        let error = Writer::open(folder.path()).expect_err("somebody writes it");
        assert!(error.to_string().contains("another benchmark"), "{error}");
        drop(writer);
        // From then on, nobody else can add what was not read.
        let writer = open(folder.path());
        assert!(Writer::open(folder.path()).is_err());
        let results = read(folder.path());
        assert!(writer.go_on(&results).is_ok());
    }

    #[test]
    fn a_file_without_a_whole_line_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        assert!(Writer::open(folder).expect("nothing is wrong").is_none());
        fs::write(folder.join(FILE), "{\"record\":\"ben").expect("it can be written");
        let mut writer = open(folder).begin(&header()).expect("there is room");
        writer.add(&run(2, 1)).expect("there is room");
        assert_eq!(read(folder).runs, [run(2, 1)]);
    }

    #[test]
    fn where_nothing_can_be_made_the_error_names_it() {
        for folder in ["/proc/none", "/dev/null/none"] {
            let error = Writer::create(Path::new(folder), &header()).expect_err(folder);
            assert!(error.to_string().contains(folder), "{error}");
        }
    }
}
