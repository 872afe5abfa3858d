//! The options that say which machine is to boot, for each command that boots one.

use std::{fs::File, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{
    Args, ValueEnum,
    builder::{PathBufValueParser, StringValueParser, TypedValueParser},
};
use reveille_smp::lines::Words;

use super::kernel_keys::{FIRMWARE_HELP, append_help, kernel_words};
use crate::{
    firmware::Firmware,
    kernel::Kernel,
    qemu::{
        accel,
        machine::{Accel, Chipset, Machine},
        smp::Smp,
    },
};

/// The machine, in words of the command line.
#[derive(Clone, Debug, Args)]
pub(super) struct MachineOptions {
    /// CPUs: a number, or all that QEMU's -smp takes
    #[arg(long, value_name = "CPUS", default_value = "4")]
    pub(super) smp: Smp,

    /// The machine type
    #[arg(long, value_enum, default_value_t)]
    pub(super) machine: Chipset,

    /// What executes the guest
    #[arg(long, value_enum, default_value_t)]
    pub(super) accel: AccelOption,

    /// QEMU's CPU model, with flags [default: all that the accelerator has]
    #[arg(long, value_name = "MODEL")]
    pub(super) cpu: Option<String>,

    /// Size of the memory, such as 2G [default: 512M]
    #[arg(long, value_name = "SIZE")]
    pub(super) memory: Option<String>,

    /// The kernel's command line; may be given several times
    #[arg(
        long,
        value_name = "KEY=VALUE ...",
        long_help = append_help(),
        value_parser = StringValueParser::new().try_map(kernel_words)
    )]
    pub(super) append: Vec<String>,

    /// Load FILE beside the kernel; with `madt=module` the kernel takes its list of CPUs from it
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(readable))]
    pub(super) module: Option<PathBuf>,

    /// Start the kernel by a firmware of the tests
    #[arg(long, value_enum, conflicts_with = "module", long_help = FIRMWARE_HELP)]
    pub(super) firmware: Option<FirmwareOption>,

    /// A further argument for QEMU; may be given several times
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(super) qemu_arg: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FirmwareOption {
    /// Parks the APs at an ACPI wakeup mailbox, and lists it in the MADT
    Mailbox,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum AccelOption {
    /// KVM where our kernel runs on it, else TCG
    #[default]
    Auto,
    /// Software emulation, a host thread a CPU
    Tcg,
    /// The host's own CPUs
    Kvm,
    /// Software emulation in virtual time: every boot is the same
    Icount,
}

impl MachineOptions {
    /// The machine for `kernel`. Says on the standard error which accelerator it has, and why.
    pub(super) fn machine(self, kernel: &Kernel) -> Result<Machine> {
        let (accel, reason) = match self.accel {
            AccelOption::Auto => {
                let choice =
                    accel::choose(kernel, self.machine, self.cpu.as_deref(), &kernel.scratch())?;
                (choice.accel, choice.reason)
            }
            AccelOption::Tcg => (Accel::Tcg, "as asked".to_owned()),
            AccelOption::Kvm => (Accel::Kvm, "as asked".to_owned()),
            AccelOption::Icount => (Accel::Icount, "as asked".to_owned()),
        };
        let cpus = self.smp.cpus();
        let noun = if cpus == 1 { "CPU" } else { "CPUs" };
        let text = format!("xtask: {}, {cpus} {noun}, {accel} ({reason})", self.machine);
        let (text, indent) = (text.as_str(), "xtask: ".len());
        eprintln!("{}", Words { text, indent });
        let command_line = self.append.join(" ");
        let has_source = command_line
            .split(' ')
            .any(|word| word.starts_with("madt="));
        if self.module.is_some() && !command_line.split(' ').any(|word| word == "madt=module") {
            eprintln!("xtask: without --append madt=module the kernel leaves the module alone");
        }
        let firmware = match self.firmware {
            Some(FirmwareOption::Mailbox) => Some(Firmware::ready()?.image().to_owned()),
            None => None,
        };
        let machine = Machine {
            chipset: self.machine,
            accel,
            cpu: self.cpu,
            smp: self.smp,
            memory: self.memory,
            command_line,
            module: self.module,
            firmware,
            further: self.qemu_arg,
        };
        Ok(if machine.firmware.is_some() && !has_source {
            machine.append("madt=module")
        } else {
            machine
        })
    }
}

/// The path of a file that QEMU can read: else it would end with words of its own.
fn readable(path: PathBuf) -> Result<PathBuf> {
    let file = File::open(&path).context("it cannot be read")?;
    ensure!(!file.metadata()?.is_dir(), "it is a folder");
    Ok(path)
}
