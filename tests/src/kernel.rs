//! The kernel's image: built by cargo, found by cargo's own word, and the names inside it.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use addr2line::Loader;
use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use object::{Object, ObjectSection, ObjectSymbol, ReadCache};

use crate::setup::KERNEL_TARGET;

/// Names an image that is built already, for the processes that a test runner starts.
pub const IMAGE_VARIABLE: &str = "REVEILLE_KERNEL";

const PACKAGE: &str = "reveille-kernel";

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a member of a workspace")
}

/// The kernel, as an ELF file.
#[derive(Clone, Debug)]
pub struct Kernel {
    image: PathBuf,
}

impl Kernel {
    /// The image named by [`IMAGE_VARIABLE`], or else a new build.
    pub fn ready() -> Result<Self> {
        match env::var_os(IMAGE_VARIABLE) {
            Some(image) => Ok(Self {
                image: image.into(),
            }),
            None => Self::build(),
        }
    }

    /// Builds the image.
    pub fn build() -> Result<Self> {
        let image = build_image(PACKAGE)?;
        Ok(Self { image })
    }

    /// The ELF file.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// A folder beside the image, for what is worth keeping between runs.
    pub fn scratch(&self) -> PathBuf {
        // The image is TARGET_FOLDER/TARGET/PROFILE/IMAGE.
        self.image
            .ancestors()
            .nth(3)
            .unwrap_or(Path::new("target"))
            .join("xtask")
    }

    /// The version of the compiler that built it, such as 1.95.0, as the debug information has it.
    pub fn compiler(&self) -> Result<String> {
        const BEFORE: &[u8] = b"rustc version ";
        let cache = ReadCache::new(File::open(&self.image)?);
        let file = object::File::parse(&cache)?;
        let strings = file.section_by_name(".debug_str");
        let strings = strings.context("the kernel has no debug information")?;
        let strings = strings.data()?;
        let mut places = strings.windows(BEFORE.len());
        let place = places.position(|it| it == BEFORE);
        let place = place.context("no compiler is named in the kernel")?;
        let version = strings[place + BEFORE.len()..].iter();
        let version = version.take_while(|&&it| it == b'.' || it.is_ascii_digit());
        Ok(version.map(|&it| char::from(it)).collect())
    }

    /// The addresses of the kernel's code.
    pub fn text(&self) -> Result<std::ops::Range<u64>> {
        let cache = ReadCache::new(File::open(&self.image)?);
        let file = object::File::parse(&cache)?;
        let text = file
            .section_by_name(".text")
            .context("the kernel has no .text")?;
        Ok(text.address()..text.address() + text.size())
    }

    /// The symbols in the kernel's code, with their addresses, by the names that people write.
    pub fn symbols(&self) -> Result<Vec<(String, u64)>> {
        let cache = ReadCache::new(File::open(&self.image)?);
        let file = object::File::parse(&cache)?;
        let text = self.text()?;
        let of_code = file.symbols().filter(|it| text.contains(&it.address()));
        let named = of_code.filter_map(|it| {
            let name = addr2line::demangle_auto(it.name().ok()?.into(), None);
            Some((name.into_owned(), it.address()))
        });
        Ok(named.collect())
    }

    /// The address of code, with the function and line of ours that it belongs to, for people.
    pub fn place(&self, address: u64) -> String {
        self.place_named(address, address)
    }

    /// The same for the address that a call returns to. The call itself ends right before it, and
    /// what follows may be of another line, or of another function if the call never returns.
    pub fn place_of_call(&self, return_address: u64) -> String {
        self.place_named(return_address, return_address.saturating_sub(1))
    }

    fn place_named(&self, address: u64, named: u64) -> String {
        // An address tells something, and its name is a comfort: no name is no error.
        match self.name(named) {
            Some(name) => format!("{address:#x} in {name}"),
            None => format!("{address:#x}"),
        }
    }

    fn name(&self, address: u64) -> Option<String> {
        let loader = Loader::new(&self.image).ok()?;
        let mut frames = loader.find_frames(address).ok()?;
        // From what was inlined at this very address outwards to the function that is really
        // there: the first frame that is in a file of ours says most.
        while let Some(frame) = frames.next().ok()? {
            let location = frame.location?;
            let Ok(file) = Path::new(location.file?).strip_prefix(workspace()) else {
                continue;
            };
            let function = frame.function?;
            let (function, line) = (function.demangle().ok()?, location.line?);
            return Some(format!("{function} at {}:{line}", file.display()));
        }
        Some(addr2line::demangle_auto(loader.find_symbol(address)?.into(), None).into_owned())
    }
}

/// Builds what a package has for the bare machine. Cargo's own lock keeps builds of several processes
/// apart.
pub(crate) fn build_image(package: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace())
        .args(["build", "--release", "--package", package, "--bin", package])
        .args([
            "--target",
            KERNEL_TARGET,
            "--message-format=json-render-diagnostics",
        ])
        // These would take the place of the flags in .cargo/config.toml.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null());
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{package} does not build");
    }
    let image = Message::parse_stream(output.stdout.as_slice())
        .filter_map(Result::ok)
        .find_map(|message| match message {
            Message::CompilerArtifact(artifact) => artifact.executable,
            _ => None,
        })
        .context("cargo named no executable")?;
    Ok(image.into())
}
