//! Values that are one of a few words.

#![forbid(unsafe_code)]

use strum::{EnumString, VariantNames};

/// What follows the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum After {
    /// End the run.
    #[default]
    Exit,
    /// Stay idle, for a test that looks from outside.
    Halt,
    /// Give a shell on the console.
    Shell,
}

/// What the terminal at the console can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Terminal {
    /// It knows the usual escape sequences (ECMA-48, as xterm has them).
    #[default]
    Ansi,
    /// It shows text line by line, or is none: a pipe.
    Plain,
}

/// Where the list of CPUs comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum MadtSource {
    /// The firmware's ACPI tables.
    #[default]
    Firmware,
    /// The first module that was loaded beside the kernel: so a test can present any table.
    Module,
}

/// What is told on the console beyond the table of the bring-up. The records have all of it anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Report {
    /// Nothing, but for what is not set right.
    #[default]
    None,
    /// What was found of each CPU, and done to bring it in line with the BSP.
    Cpu,
}
