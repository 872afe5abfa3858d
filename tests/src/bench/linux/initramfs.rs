//! The initial RAM file system of a boot that tells its trace: BusyBox, and a script that Linux runs as its
//! first program.
//!
//! The format is cpio's "newc" (Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`): a
//! header of hexadecimal numbers, the name, the contents, each padded to four bytes.

use std::{io, path::Path};

/// A line of its own before the trace, and one behind it.
pub const TRACE_BEGINS: &str = "reveille: the trace begins";
/// See [`TRACE_BEGINS`].
pub const TRACE_ENDS: &str = "reveille: the trace ends";

/// Makes the file system, with the program at `busybox`.
///
/// # Errors
///
/// The program cannot be read.
pub fn with(busybox: &Path) -> io::Result<Vec<u8>> {
    let busybox = std::fs::read(busybox)?;
    let init = format!(
        "#!/bin/busybox sh\n\
         /bin/busybox mount -t tracefs none /trace\n\
         /bin/busybox echo '{TRACE_BEGINS}'\n\
         /bin/busybox cat /trace/trace\n\
         /bin/busybox echo '{TRACE_ENDS}'\n\
         /bin/busybox poweroff -f\n"
    );
    let mut archive = Archive::default();
    archive.folder("bin");
    archive.folder("dev");
    archive.folder("trace");
    // What the first program writes goes there (Linux, `Documentation/admin-guide/devices.txt`).
    archive.entry("dev/console", Mode::CharacterDevice, &[], (5, 1));
    archive.program("bin/busybox", &busybox);
    archive.program("init", init.as_bytes());
    Ok(archive.end())
}

/// A file's type and permissions (inode(7)).
#[derive(Clone, Copy)]
enum Mode {
    None = 0,
    CharacterDevice = 0o020_600,
    Folder = 0o040_755,
    Program = 0o100_755,
}

/// An archive in the making.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn folder(&mut self, name: &str) {
        self.entry(name, Mode::Folder, &[], (0, 0));
    }

    fn program(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, Mode::Program, contents, (0, 0));
    }

    fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", Mode::None, &[], (0, 0));
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: Mode, contents: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let size = u32::try_from(contents.len()).expect("a program is smaller than 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("a name is short");
        let (major, minor) = device;
        #[rustfmt::skip]
        let fields = [
            self.entries, mode as u32, 0, 0, // number, mode, user, group
            1, 0, size,                      // links, time, size
            0, 0, major, minor,              // device that it is on; device that it is
            name_size, 0,                    // with its NUL; checksum, of which newc has none
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and contents, as Linux reads them.
    fn entries(mut archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let whole = archive.len();
        loop {
            assert_eq!(&archive[..6], b"070701");
            let field = |index: usize| {
                let text = &archive[6 + 8 * index..][..8];
                let text = std::str::from_utf8(text).expect("digits");
                u32::from_str_radix(text, 16).expect("hexadecimal")
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = &archive[110..][..name_size - 1];
            let name = String::from_utf8(name.to_vec()).expect("UTF-8");
            let contents = (110 + name_size).next_multiple_of(4);
            let end = (contents + size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                assert_eq!(archive.len(), end, "of {whole} bytes");
                return entries;
            }
            entries.push((name, mode, archive[contents..][..size].to_vec()));
            archive = &archive[end..];
        }
    }

    #[test]
    fn the_archive_has_a_console_busybox_and_the_script() {
        let folder = tempfile::tempdir().expect("a folder");
        let busybox = folder.path().join("busybox");
        std::fs::write(&busybox, b"12345").expect("it can be written");
        let entries = entries(&with(&busybox).expect("it can be read"));
        let names: Vec<_> = entries.iter().map(|it| it.0.as_str()).collect();
        let expected = ["bin", "dev", "trace", "dev/console", "bin/busybox", "init"];
        assert_eq!(names, expected);
        let (_, mode, contents) = &entries[4];
        assert_eq!((*mode, contents.as_slice()), (0o100_755, &b"12345"[..]));
        let script = String::from_utf8_lossy(&entries[5].2).into_owned();
        assert!(script.starts_with("#!/bin/busybox sh\n") && script.contains(TRACE_ENDS));
        assert!(with(&folder.path().join("none")).is_err());
    }
}
