//! The reports beside the results.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::{csv::write_csv, markdown::Markdown};
use crate::bench::stats::summary::Summary;

/// The table for spreadsheets.
pub const COMMA_SEPARATED: &str = "results.csv";

/// The table for pages.
pub const MARKDOWN: &str = "results.md";

/// Writes the reports into a folder. Each is there as a whole, or as it was before.
///
/// # Errors
///
/// The folder takes no file, as when the disk is full. The results themselves are no worse for that.
pub fn write_files(folder: &Path, summary: &Summary) -> Result<()> {
    write(folder, COMMA_SEPARATED, |out| write_csv(summary, out))?;
    write(folder, MARKDOWN, |out| write!(out, "{}", Markdown(summary)))
}

fn write(
    folder: &Path,
    name: &str,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let path = folder.join(name);
    let write = || -> Result<()> {
        let mut file = NamedTempFile::new_in(folder)?;
        text(&mut file)?;
        file.as_file().sync_all()?;
        // Others may read it, as any file that is made here.
        let readable = fs::File::open(folder)?.metadata()?.permissions();
        use std::os::unix::fs::PermissionsExt;
        let mode = readable.mode() & 0o666;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(mode))?;
        file.persist(&path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand, *};

    #[test]
    fn both_are_written_and_a_folder_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("there is room");
        write_files(folder.path(), &by_hand::summary()).expect("the folder is there");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("the folder is there")
            .map(|it| it.expect("it can be read").file_name())
            .collect();
        names.sort();
        assert_eq!(names, [COMMA_SEPARATED, MARKDOWN]);
        let error = write_files(&folder.path().join("none"), &by_hand::summary());
        let error = format!("{:#}", error.expect_err("it is not there"));
        assert!(error.contains("none/results.csv"), "{error}");
    }
}
