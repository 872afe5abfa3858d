//! The files that a run writes, `--json` and `--trace`.
//!
//! What stood in one before is lost only when the new one is whole: it is written beside it, in a temporary
//! file that takes its name at the end. What is no plain file, such as a pipe or `/dev/stdout`, is written
//! as things come.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::NamedTempFile;

/// The value of an option that names a file to write.
pub(super) fn path(path: PathBuf) -> Result<PathBuf> {
    ensure!(
        path != Path::new("-"),
        "the standard output has what the kernel says; a file of that name is ./-"
    );
    Ok(path)
}

/// Where something is to be written. Nothing was touched yet.
#[derive(Debug)]
pub(super) struct Destination {
    /// As it was given.
    path: PathBuf,
    /// The file itself, links followed.
    resolved: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A file, or none yet; it is to have these permissions, less the umask where there is none.
    Plain(Permissions),
    /// Something else that takes bytes.
    Stream,
}

impl Destination {
    /// Says where, and looks whether a file can be written there.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let found = Self::find(&path);
        let (resolved, kind) = found.with_context(|| format!("cannot write {}", path.display()))?;
        let destination = Self {
            path,
            resolved,
            kind,
        };
        // A pipe that is opened and closed has ended for whoever reads it.
        if matches!(destination.kind, Kind::Plain(_)) {
            destination.open()?;
        }
        Ok(destination)
    }

    fn find(path: &Path) -> Result<(PathBuf, Kind)> {
        let there = match fs::metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = path.file_name().context("it names no file")?;
                ensure!(!path.is_symlink(), "it is a link to nothing");
                let resolved = fs::canonicalize(folder(path))?.join(name);
                return Ok((resolved, Kind::Plain(Permissions::from_mode(0o666))));
            }
            Err(error) => return Err(error.into()),
        };
        let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok((resolved, kind(path, &there)?))
    }

    /// As it was given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether both are one file.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.resolved == other.resolved
    }

    /// Whether writing would replace this file, by whatever name.
    pub(super) fn replaces(&self, file: &Path) -> bool {
        let is_plain = matches!(self.kind, Kind::Plain(_));
        is_plain && fs::canonicalize(file).is_ok_and(|file| file == self.resolved)
    }

    /// Begins to write.
    ///
    /// # Errors
    ///
    /// The folder takes no file, or the stream cannot be opened.
    pub(super) fn open(&self) -> Result<Output> {
        let opened = match &self.kind {
            Kind::Plain(permissions) => self.beside(permissions),
            Kind::Stream => File::options()
                .write(true)
                .open(&self.path)
                .map(Output::Stream),
        };
        opened.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn beside(&self, permissions: &Permissions) -> io::Result<Output> {
        let name = self.resolved.file_name().unwrap_or(OsStr::new("output"));
        let mut prefix = OsStr::new(".").to_owned();
        prefix.push(name);
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(permissions.clone())
            .tempfile_in(folder(&self.resolved))?;
        let path = self.resolved.clone();
        Ok(Output::Plain { file, path })
    }
}

fn kind(path: &Path, there: &Metadata) -> Result<Kind> {
    if there.is_dir() {
        bail!("it is a folder");
    }
    if !there.is_file() {
        return Ok(Kind::Stream);
    }
    // To take its name needs the folder alone, but whoever made it read-only meant it.
    File::options().append(true).open(path)?;
    Ok(Kind::Plain(there.permissions()))
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Something that is being written. If it is dropped, a file stays as it was, or is not there.
#[derive(Debug)]
pub(super) enum Output {
    /// A file beside that of this path.
    Plain { file: NamedTempFile, path: PathBuf },
    /// What takes bytes as they come.
    Stream(File),
}

impl Output {
    /// It is whole: from now on it has its name.
    ///
    /// # Errors
    ///
    /// It cannot take that, or not all could be written; the file stays as it was.
    pub(super) fn keep(mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Plain { file, path } => file.persist(path).map(drop).map_err(|it| it.error),
            Self::Stream(_) => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain { file, .. } => file.write(bytes),
            Self::Stream(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain { file, .. } => file.flush(),
            Self::Stream(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<_> = entries
            .map(|it| it.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    fn destination(path: &Path) -> Destination {
        Destination::new(path.to_owned()).expect("it can be written")
    }

    #[test]
    fn a_file_stays_as_it_was_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("boot.json");
        fs::write(&path, "old").expect("it can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("it is ours");
        let to = destination(&path);
        let mut output = to.open().expect("it can be written");
        output.write_all(b"half").expect("there is room");
        drop(output);
        assert_eq!(fs::read(&path).expect("it is there"), b"old");
        let mut output = to.open().expect("it can be written");
        output.write_all(b"new").expect("there is room");
        assert_eq!(fs::read(&path).expect("it is there"), b"old");
        output.keep().expect("it takes the name");
        assert_eq!(fs::read(&path).expect("it is there"), b"new");
        let mode = fs::metadata(&path).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o640);
        assert_eq!(names(folder.path()), ["boot.json"]);
    }

    #[test]
    fn nothing_is_there_where_nothing_was_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = destination(&folder.path().join("boot.json"));
        assert!(names(folder.path()).is_empty());
        drop(to.open().expect("it can be written"));
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_link_stays_one_and_is_the_file_that_it_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("it can be written");
        symlink("file", &link).expect("a link");
        assert!(destination(&link).is(&destination(&file)));
        let mut output = destination(&link).open().expect("it can be written");
        output.write_all(b"new").expect("there is room");
        output.keep().expect("it takes the name");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).expect("it is there"), b"new");
    }

    #[test]
    fn two_ways_to_write_a_path_are_one_file_though_it_is_not_there_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("boot.json");
        let around = folder.path().join(".").join("boot.json");
        assert!(destination(&path).is(&destination(&around)));
        assert!(!destination(&path).is(&destination(&folder.path().join("other"))));
    }

    #[test]
    fn a_device_is_written_and_never_replaced() {
        let mut output = destination(Path::new("/dev/null"))
            .open()
            .expect("it takes all");
        output.write_all(b"lost").expect("it takes all");
        output.keep().expect("nothing is renamed");
        let there = fs::metadata("/dev/null").expect("it is there");
        assert!(!there.is_file());
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [
            PathBuf::from("/dev/null/boot.json"),
            folder.path().to_owned(),
            folder.path().join("none").join("boot.json"),
            PathBuf::from("/proc/boot.json"),
        ] {
            let error = Destination::new(path.clone()).expect_err("it cannot be written");
            let text = format!("cannot write {}", path.display());
            assert_eq!(error.to_string(), text);
        }
        assert!(path(PathBuf::from("-")).is_err());
        assert!(path(PathBuf::from("./-")).is_ok());
        assert!(names(folder.path()).is_empty());
    }
}
