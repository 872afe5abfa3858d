//! A machine as a benchmark names it: what makes one cell another than the next.

use std::fmt;

use reveille_smp::contender::Contenders;
use serde::{Deserialize, Serialize};

use crate::qemu::{
    machine::{self, Accel, Chipset},
    smp::Smp,
};

/// What the system under test is called where it is ours.
pub const REVEILLE: &str = "reveille";

/// A machine to be measured. In results an object of these fields; those that say nothing are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The machine type.
    pub chipset: Chipset,
    /// What executes it.
    pub accel: Accel,
    /// Its CPUs.
    pub smp: Smp,
    /// QEMU's CPU model; `None` takes all that the accelerator has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Size of the memory, as QEMU writes it; `None` takes the default of
    /// [`qemu::machine`](crate::qemu::machine).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Further words for the kernel, but for those that a benchmark adds itself.
    #[serde(default)]
    pub words: String,
    /// The published machine whose times the kernel keeps to (`model=`).
    pub model: Option<String>,
}

impl Machine {
    /// A q35 with `smp` CPUs under TCG.
    pub fn new(smp: impl Into<Smp>) -> Self {
        Self {
            chipset: Chipset::Q35,
            accel: Accel::Tcg,
            smp: smp.into(),
            cpu: None,
            memory: None,
            words: String::new(),
            model: None,
        }
    }

    /// As QEMU is to make it, with the kernel's words but those for the rounds.
    pub fn qemu(&self) -> machine::Machine {
        let mut machine = machine::Machine::new(self.smp.clone())
            .chipset(self.chipset)
            .accel(self.accel);
        machine.cpu.clone_from(&self.cpu);
        machine.memory.clone_from(&self.memory);
        if let Some(model) = &self.model {
            machine = machine.append(&format!("model={model}"));
        }
        match self.words.is_empty() {
            true => machine,
            false => machine.append(&self.words),
        }
    }

    /// The same for `rounds` rounds of these contenders.
    pub fn qemu_for(&self, rounds: u32, contenders: Contenders) -> machine::Machine {
        let machine = self.qemu().append(&format!("bench={rounds}"));
        match contenders == Contenders::default() {
            true => machine,
            false => machine.append(&format!("strategies={contenders}")),
        }
    }
}

/// Such as `q35 tcg 64` or `q35 tcg 112,sockets=2 skylake-112`: what a person tells it by.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accel = match self.accel {
            Accel::Tcg => "tcg",
            Accel::Kvm => "kvm",
            Accel::Icount => "icount",
        };
        write!(f, "{} {accel} {}", self.chipset, self.smp)?;
        let memory = self.memory.as_ref().map(|size| format!("-m {size}"));
        let further = [&self.cpu, &memory, &self.model].into_iter().flatten();
        for word in further.chain(Some(&self.words).filter(|words| !words.is_empty())) {
            write!(f, " {word}")?;
        }
        Ok(())
    }
}
