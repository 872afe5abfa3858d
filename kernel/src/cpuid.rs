//! What the CPU says of itself, leaf by leaf.
//!
//! The decoders elsewhere take a [`Cpuid`] instead of asking the CPU, so that host tests can give
//! them the values of any machine.

use alloc::{borrow::ToOwned, string::String};
use core::arch::x86_64::__cpuid_count;

use reveille_smp::cpu::ApicId;

pub use core::arch::x86_64::CpuidResult as Leaf;

/// A CPU to ask.
pub trait Cpuid {
    /// The values of a leaf and subleaf, whether the CPU has it or not.
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf;

    /// The values of a basic leaf, all zero if the CPU's basic leaves end before.
    fn basic(&self, leaf: u32, subleaf: u32) -> Leaf {
        self.leaf_up_to(0, leaf, subleaf)
    }

    /// The values of an extended leaf (0x8000_0000 and up), all zero if they end before.
    fn extended(&self, leaf: u32, subleaf: u32) -> Leaf {
        self.leaf_up_to(0x8000_0000, leaf, subleaf)
    }

    /// The APIC id that the CPU had at reset. Good for reports only: firmware can change the id
    /// that interrupts go by.
    fn initial_apic_id(&self) -> ApicId {
        // Leaf 0xB has all 32 bits, where it is there at all: then EBX is not 0.
        let topology = self.basic(0xb, 0);
        if topology.ebx == 0 {
            ApicId(self.leaf(1, 0).ebx >> 24)
        } else {
            ApicId(topology.edx)
        }
    }

    /// Whether QEMU translates what this CPU runs.
    fn is_translated(&self) -> bool {
        self.hypervisor_signature() == Some(*b"TCGTCGTCGTCG")
    }

    /// The hypervisor's signature, such as `TCGTCGTCGTCG`; `None` if there is none.
    ///
    /// The hypervisor's bit must be set and the signature be text, zeros behind it: a machine
    /// without hypervisor may answer with whatever it last answered.
    fn hypervisor_signature(&self) -> Option<[u8; 12]> {
        const HYPERVISOR_PRESENT: u32 = 1 << 31;
        if self.leaf(1, 0).ecx & HYPERVISOR_PRESENT == 0 {
            return None;
        }
        let Leaf { ebx, ecx, edx, .. } = self.leaf(HYPERVISOR_BASE, 0);
        let signature = text([ebx, ecx, edx]);
        let end = signature
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(signature.len());
        let is_text = end > 0
            && signature[..end]
                .iter()
                .all(|byte| (b' '..=b'~').contains(byte));
        is_text.then_some(signature)
    }

    /// The same as text, without the zeros behind it.
    fn hypervisor_signature_text(&self) -> Option<String> {
        let signature = self.hypervisor_signature()?;
        let name = String::from_utf8_lossy(&signature);
        Some(name.trim_end_matches('\0').to_owned())
    }

    /// The values of a leaf of the hypervisor (0x4000_0000 and up), all zero if it has none such.
    fn hypervisor(&self, leaf: u32) -> Leaf {
        if self.hypervisor_signature().is_none() {
            return NONE;
        }
        // KVM once left the highest leaf at 0, which stands for its first feature leaf.
        let last = self.leaf(HYPERVISOR_BASE, 0).eax.max(HYPERVISOR_BASE + 1);
        if leaf <= last {
            self.leaf(leaf, 0)
        } else {
            NONE
        }
    }

    /// How many bits a physical address has (SDM volume 2, CPUID, leaf 80000008H): 36 where the CPU
    /// does not say, and never more than page tables have room for.
    fn physical_address_bits(&self) -> u32 {
        const MOST: u32 = 52;
        match self.extended(0x8000_0008, 0).eax & 0xff {
            0 => 36,
            bits => bits.min(MOST),
        }
    }

    /// The vendor, such as `GenuineIntel`.
    fn vendor(&self) -> [u8; 12] {
        let Leaf { ebx, ecx, edx, .. } = self.leaf(0, 0);
        text([ebx, edx, ecx])
    }

    /// [`leaf`](Self::leaf) within the range that starts at `base`, whose EAX names its last leaf.
    fn leaf_up_to(&self, base: u32, leaf: u32, subleaf: u32) -> Leaf {
        if leaf <= self.leaf(base, 0).eax {
            self.leaf(leaf, subleaf)
        } else {
            NONE
        }
    }
}

/// What leaf 1 says.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    ecx: u32,
    edx: u32,
}

impl Features {
    /// Asks a CPU.
    pub fn of(cpu: &impl Cpuid) -> Self {
        let Leaf { ecx, edx, .. } = cpu.basic(1, 0);
        Self { ecx, edx }
    }

    /// A machine check can be made an exception, and has a status to be told over in.
    pub fn has_machine_check(self) -> bool {
        const MCE_AND_MCA: u32 = 1 << 7 | 1 << 14;
        self.edx & MCE_AND_MCA == MCE_AND_MCA
    }

    /// There is a local APIC.
    pub fn has_apic(self) -> bool {
        self.edx & 1 << 9 != 0
    }

    /// The local APIC has an x2APIC mode.
    pub fn has_x2apic(self) -> bool {
        self.ecx & 1 << 21 != 0
    }

    /// The local APIC's timer can be told a value of the TSC.
    pub fn has_tsc_deadline(self) -> bool {
        self.ecx & 1 << 24 != 0
    }
}

/// The first leaf of the hypervisor.
const HYPERVISOR_BASE: u32 = 0x4000_0000;

const NONE: Leaf = Leaf {
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
};

fn text(registers: [u32; 3]) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (part, register) in bytes.chunks_exact_mut(4).zip(registers) {
        part.copy_from_slice(&register.to_le_bytes());
    }
    bytes
}

/// The CPU that runs this.
#[derive(Clone, Copy, Debug)]
pub struct ThisCpu;

impl Cpuid for ThisCpu {
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf {
        __cpuid_count(leaf, subleaf)
    }
}

/// A CPU that is asked but once for the leaves that many questions begin with. Each CPUID may be an
/// exit, and every other leaf now costs one and not two.
pub struct Remembered<C> {
    cpu: C,
    first: Leaf,
    features: Leaf,
    extended: Leaf,
    extended_features: Leaf,
}

impl<C: Cpuid> Remembered<C> {
    /// Asks for what is remembered: four CPUIDs.
    pub fn new(cpu: C) -> Self {
        Self {
            first: cpu.leaf(0, 0),
            features: cpu.leaf(1, 0),
            extended: cpu.leaf(0x8000_0000, 0),
            extended_features: cpu.leaf(0x8000_0001, 0),
            cpu,
        }
    }
}

impl<C: Cpuid> Cpuid for Remembered<C> {
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf {
        match leaf {
            0 => self.first,
            1 => self.features,
            0x8000_0000 => self.extended,
            0x8000_0001 => self.extended_features,
            _ => self.cpu.leaf(leaf, subleaf),
        }
    }
}

/// A CPU given by the leaves that it has: leaf, subleaf, EAX to EDX. All others are zero.
#[cfg(test)]
pub(crate) struct Recorded<'a>(pub(crate) &'a [(u32, u32, [u32; 4])]);

#[cfg(test)]
impl Cpuid for Recorded<'_> {
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf {
        let found = self
            .0
            .iter()
            .find(|entry| (entry.0, entry.1) == (leaf, subleaf));
        let [eax, ebx, ecx, edx] = found.map_or([0; 4], |entry| entry.2);
        Leaf { eax, ebx, ecx, edx }
    }
}

/// A CPU that counts how often it is asked.
#[cfg(test)]
pub(crate) struct Counted<C>(pub(crate) C, pub(crate) core::cell::Cell<u32>);

#[cfg(test)]
impl<C: Cpuid> Cpuid for &Counted<C> {
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf {
        self.1.set(self.1.get() + 1);
        self.0.leaf(leaf, subleaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypervisor_is_named_and_its_absence_too() {
        const PRESENT: (u32, u32, [u32; 4]) = (1, 0, [0, 0, 1 << 31, 0]);
        const KVM: [u32; 4] = [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d];
        let name = |present: bool, leaf| {
            let leaves = [(HYPERVISOR_BASE, 0, leaf), PRESENT];
            Recorded(&leaves[..1 + usize::from(present)]).hypervisor_signature_text()
        };
        assert_eq!(name(true, KVM).as_deref(), Some("KVMKVMKVM"));
        assert_eq!(name(false, KVM), None);
        assert_eq!(name(true, [0; 4]), None);
    }
}
