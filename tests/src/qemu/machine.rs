//! A machine, and the QEMU command line that makes it. Pure: nothing is started here.

use std::{
    ffi::OsString,
    fmt,
    os::fd::{AsRawFd, BorrowedFd},
    path::{Path, PathBuf},
};

use super::smp::Smp;

/// Whatever is not said otherwise: enough for a stack, a per-CPU area and tables for 512 CPUs.
const MEMORY: &str = "512M";

/// xAPIC ids have eight bits, and 0xff is the broadcast: an APIC id above this one needs x2APIC
/// and an interrupt remapping unit.
const HIGHEST_XAPIC_ID: u32 = 0xfe;

/// Where the kernel writes its records (the port of Bochs' debug console).
const RECORDS_PORT: u16 = 0xe9;

/// Where the kernel writes its verdict.
const EXIT_PORT: u16 = 0xf4;

/// QEMU's machine types that we boot on.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    clap::ValueEnum,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Chipset {
    /// PCI Express, ICH9
    #[default]
    Q35,
    /// PCI, PIIX
    Pc,
    /// No PCI, few devices
    Microvm,
}

impl fmt::Display for Chipset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Q35 => "q35",
            Self::Pc => "pc",
            Self::Microvm => "microvm",
        })
    }
}

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// QEMU's translator, a host thread a CPU.
    #[default]
    Tcg,
    /// The processor itself, through Linux's KVM.
    Kvm,
    /// The translator on one thread, with time that counts instructions: two boots are the same.
    Icount,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcg => "TCG",
            Self::Kvm => "KVM",
            Self::Icount => "TCG in virtual time",
        })
    }
}

/// A machine to boot the kernel on.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The machine type.
    pub chipset: Chipset,
    /// What executes it.
    pub accel: Accel,
    /// QEMU's name of the CPU model; `None` takes all that the accelerator has.
    pub cpu: Option<String>,
    /// How many CPUs.
    pub smp: Smp,
    /// Size of the memory, as QEMU writes it; `None` takes 512 MiB.
    pub memory: Option<String>,
    /// The kernel's command line.
    pub command_line: String,
    /// A file that is loaded beside the kernel, for it to read.
    pub module: Option<PathBuf>,
    /// An image that is loaded in the kernel's place, and starts the kernel itself.
    pub firmware: Option<PathBuf>,
    /// Further arguments for QEMU, last.
    pub further: Vec<String>,
}

impl Machine {
    /// A q35 with `smp` CPUs under TCG.
    pub fn new(smp: impl Into<Smp>) -> Self {
        Self {
            chipset: Chipset::Q35,
            accel: Accel::Tcg,
            cpu: None,
            smp: smp.into(),
            memory: None,
            command_line: String::new(),
            module: None,
            firmware: None,
            further: Vec::new(),
        }
    }

    /// On another machine type.
    pub fn chipset(mut self, chipset: Chipset) -> Self {
        self.chipset = chipset;
        self
    }

    /// With another accelerator.
    pub fn accel(mut self, accel: Accel) -> Self {
        self.accel = accel;
        self
    }

    /// With another CPU model.
    pub fn cpu(mut self, model: &str) -> Self {
        self.cpu = Some(model.to_owned());
        self
    }

    /// With `keys` on the kernel's command line, after those that are there.
    pub fn append(mut self, keys: &str) -> Self {
        if !self.command_line.is_empty() {
            self.command_line.push(' ');
        }
        self.command_line.push_str(keys);
        self
    }

    /// With a file loaded beside the kernel. It must be there until QEMU has ended.
    pub fn module(mut self, file: impl Into<PathBuf>) -> Self {
        self.module = Some(file.into());
        self
    }

    /// With a firmware (see [`Firmware`](crate::firmware::Firmware)) that starts the kernel, and gives
    /// it a module of its own.
    pub fn firmware(mut self, image: impl Into<PathBuf>) -> Self {
        self.firmware = Some(image.into());
        self
    }

    /// QEMU's arguments, without its program name.
    ///
    /// # Panics
    ///
    /// When there is a module beside a firmware: QEMU takes one only, and that is the kernel then.
    pub fn arguments(&self, kernel: &Path, channels: Channels<'_>) -> Vec<OsString> {
        let mut line = Line::default();
        // Nothing that is not asked for: no network, no disks, no configuration of the user's.
        line.flag("-no-user-config")
            .flag("-nodefaults")
            .flag("-no-reboot");
        line.option("-display", "none");
        line.option("-machine", self.machine_type());
        line.option("-cpu", self.cpu_model());
        line.option("-smp", self.smp.to_string());
        line.option("-m", self.memory.as_deref().unwrap_or(MEMORY));
        self.time(&mut line);
        if self.needs_interrupt_remapping() {
            line.option("-device", "intel-iommu,intremap=on,eim=on");
        }
        for (name, fd) in [
            ("console", channels.console),
            ("records", channels.records),
            ("qmp", channels.qmp),
        ] {
            let fd = fd.as_raw_fd();
            line.option("-chardev", format!("socket,id={name},fd={fd}"));
        }
        line.option("-serial", "chardev:console");
        line.option(
            "-device",
            format!("isa-debugcon,iobase={RECORDS_PORT:#x},chardev=records"),
        );
        line.option(
            "-device",
            format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x04"),
        );
        line.option("-mon", "chardev=qmp,mode=control");
        let (first, module) = match (&self.firmware, &self.module) {
            (None, module) => (kernel, module.as_deref()),
            (Some(firmware), None) => (firmware.as_path(), Some(kernel)),
            (Some(_), Some(_)) => panic!("the firmware's module is the kernel"),
        };
        line.option("-kernel", first);
        line.option("-append", self.command_line.as_str());
        if let Some(module) = module {
            line.option("-initrd", module);
        }
        line.0.extend(self.further.iter().map(OsString::from));
        line.0
    }

    fn machine_type(&self) -> String {
        match self.chipset {
            // With an interrupt remapping unit, KVM must leave the I/O APIC to QEMU.
            Chipset::Q35 if self.accel == Accel::Kvm && self.needs_interrupt_remapping() => {
                "q35,kernel-irqchip=split".to_owned()
            }
            // Without this, microvm adds words for Linux to the command line.
            Chipset::Microvm => "microvm,auto-kernel-cmdline=off".to_owned(),
            other => other.to_string(),
        }
    }

    pub(super) fn cpu_model(&self) -> &str {
        match (&self.cpu, self.accel) {
            (Some(model), _) => model,
            // The MSR behind this flag tells which flaws the processor does not have. Under KVM in
            // a virtual machine it may not be settable, and QEMU then ends.
            (None, Accel::Kvm) => "host,-arch-capabilities",
            (None, Accel::Tcg | Accel::Icount) => "max",
        }
    }

    fn time(&self, line: &mut Line) {
        match self.accel {
            Accel::Tcg => line.option("-accel", "tcg,thread=multi"),
            Accel::Kvm => line.option("-accel", "kvm"),
            // One instruction is one nanosecond; a machine whose CPUs all halt goes to its next
            // timer at once. The clock and QEMU's random numbers start from fixed values.
            Accel::Icount => line
                .option("-accel", "tcg,thread=single")
                .option("-icount", "shift=0,sleep=off")
                .option("-rtc", "base=2000-01-01T00:00:00,clock=vm")
                .option("-seed", "1"),
        };
    }

    fn needs_interrupt_remapping(&self) -> bool {
        self.smp.highest_apic_id() > HIGHEST_XAPIC_ID && self.chipset == Chipset::Q35
    }
}

/// QEMU's ends of the channels.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// What the guest writes to COM1.
    pub console: BorrowedFd<'a>,
    /// What it writes to the debug console: its records.
    pub records: BorrowedFd<'a>,
    /// QEMU's monitor.
    pub qmp: BorrowedFd<'a>,
}

/// A command line in the making.
#[derive(Debug, Default)]
struct Line(Vec<OsString>);

impl Line {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(name.into());
        self
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.0.push(name.into());
        self.0.push(value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// The arguments, joined by spaces, for channels that are all the standard input.
    fn line(machine: &Machine) -> String {
        let stdin = std::io::stdin();
        let fd = stdin.as_fd();
        let channels = Channels {
            console: fd,
            records: fd,
            qmp: fd,
        };
        let arguments = machine.arguments(Path::new("kernel.elf"), channels);
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|argument| argument.to_str().expect("all are UTF-8"))
            .collect();
        arguments.join(" ")
    }

    fn smp(text: &str) -> Smp {
        text.parse().expect("a good value")
    }

    #[test]
    fn a_machine_has_a_console_records_a_verdict_and_a_monitor() {
        let line = line(&Machine::new(2).append("bench=3").append("test=hang"));
        for part in [
            "-machine q35 ",
            "-cpu max ",
            "-smp 2 ",
            "-accel tcg",
            "-no-reboot",
            "-serial chardev:console",
            "-device isa-debugcon,iobase=0xe9,chardev=records",
            "-device isa-debug-exit,iobase=0xf4,iosize=0x04",
            "-mon chardev=qmp,mode=control",
            "-kernel kernel.elf -append bench=3 test=hang",
        ] {
            assert!(line.contains(part), "no `{part}` in {line}");
        }
    }

    #[test]
    fn ids_beyond_xapic_bring_an_interrupt_remapping_unit_on_q35() {
        assert!(!line(&Machine::new(255)).contains("intel-iommu"));
        assert!(line(&Machine::new(256)).contains("intel-iommu,intremap=on,eim=on"));
        let sparse = Machine::new(smp("130,sockets=26,cores=5,threads=1"));
        assert!(!line(&sparse).contains("intel-iommu"), "ids up to 204");
        let sparser = Machine::new(smp("132,sockets=44,cores=3,threads=1").clone());
        assert!(!line(&sparser).contains("intel-iommu"), "ids up to 174");
        let sparsest = Machine::new(smp("195,sockets=39,cores=5,threads=1"));
        assert!(line(&sparsest).contains("intel-iommu"), "ids up to 308");
        let kvm = Machine::new(256).accel(Accel::Kvm);
        assert!(line(&kvm).contains("-machine q35,kernel-irqchip=split"));
    }

    #[test]
    fn microvm_leaves_the_command_line_to_us() {
        let line = line(&Machine::new(1).chipset(Chipset::Microvm));
        assert!(
            line.contains("-machine microvm,auto-kernel-cmdline=off"),
            "{line}"
        );
    }

    #[test]
    fn a_module_is_what_qemu_calls_an_initial_ram_disk() {
        assert!(!line(&Machine::new(1)).contains("-initrd"));
        let with_module = Machine::new(1).module("madt.bin");
        assert!(line(&with_module).contains("-initrd madt.bin"));
    }

    #[test]
    fn a_firmware_takes_the_kernels_place_and_the_kernel_is_its_module() {
        let line = line(&Machine::new(1).firmware("firmware.elf").append("cycle=1"));
        let part = "-kernel firmware.elf -append cycle=1 -initrd kernel.elf";
        assert!(line.ends_with(part), "{line}");
    }

    #[test]
    fn virtual_time_pins_all_that_is_random_or_clock_bound() {
        let line = line(&Machine::new(4).accel(Accel::Icount));
        for part in [
            "-accel tcg,thread=single",
            "-icount shift=0,sleep=off",
            "clock=vm",
            "-seed 1",
        ] {
            assert!(line.contains(part), "no `{part}` in {line}");
        }
    }

    #[test]
    fn kvm_gives_the_hosts_own_cpu_unless_another_is_named() {
        assert!(line(&Machine::new(1).accel(Accel::Kvm)).contains("-cpu host"));
        let qemu64 = Machine::new(1).accel(Accel::Kvm).cpu("qemu64");
        assert!(line(&qemu64).contains("-cpu qemu64"));
    }
}
