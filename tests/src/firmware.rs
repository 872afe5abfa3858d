//! The images of the firmware that QEMU does not have: built by cargo, as the kernel's is.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::kernel;

/// Names an image that is built already, for the processes that a test runner starts.
pub const FIRMWARE_VARIABLE: &str = "REVEILLE_TEST_FIRMWARE";

const PACKAGE: &str = "reveille-test-firmware";

/// The firmware that parks the APs at an ACPI wakeup mailbox, as an ELF file.
#[derive(Clone, Debug)]
pub struct Firmware {
    image: PathBuf,
}

impl Firmware {
    /// The image named by [`FIRMWARE_VARIABLE`], or else a new build.
    pub fn ready() -> Result<Self> {
        match env::var_os(FIRMWARE_VARIABLE) {
            Some(image) => Ok(Self {
                image: image.into(),
            }),
            None => Self::build(),
        }
    }

    /// Builds the image.
    pub fn build() -> Result<Self> {
        let image = kernel::build_image(PACKAGE)?;
        Ok(Self { image })
    }

    /// The ELF file.
    pub fn image(&self) -> &Path {
        &self.image
    }
}
