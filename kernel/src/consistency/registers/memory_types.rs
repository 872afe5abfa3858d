//! PAT and MTRRs: what of them is looked at on an AP, whether a difference may be set right, and which
//! one a fault on demand makes.
//!
//! Each reading of an MSR is an exit under a hypervisor, so only what is in use is read: where the MTRRs
//! are off on both CPUs, their default type and no more; of a pair that is used on neither, its mask. Each
//! AP that QEMU's translator has reset comes with its MTRRs off, as that clears them at INIT, against
//! the manual (SDM volume 3, "Processor State After Reset").

use alloc::{format, string::String};

use super::register::{Register, Set};

/// `IA32_MTRR_DEF_TYPE`: the MTRRs are on; those of fixed ranges are (SDM volume 3, same name).
const ON: u64 = 1 << 11;
const FIXED_ON: u64 = 1 << 10;
/// The mask of a pair: it is in use.
const IN_USE: u64 = 1 << 11;
/// Write combining, which is the one type that a CPU need not have.
const WRITE_COMBINING: u64 = 1;
/// The type of a base, and of the default.
const TYPE: u64 = 0xff;

const NO_FIXED: &str = "this CPU has no fixed MTRRs";

/// `IA32_MTRRCAP`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cap(pub(super) u64);

impl Cap {
    /// The MSR.
    pub(super) const MSR: u32 = 0xfe;

    /// How many pairs of variable MTRRs there are, as far as they are looked at.
    pub(super) fn pairs(self) -> u8 {
        (self.0 as u8).min(Register::MOST_PAIRS)
    }

    /// Whether there are fixed ones.
    pub(super) fn has_fixed(self) -> bool {
        self.0 & 1 << 8 != 0
    }

    fn has_write_combining(self) -> bool {
        self.0 & 1 << 10 != 0
    }
}

/// What a CPU has of PAT and MTRRs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// A PAT.
    pub(super) has_pat: bool,
    /// MTRRs, if it has some.
    pub(super) cap: Option<Cap>,
}

/// The BSP's memory types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// What it has.
    pub(super) kind: Kind,
    /// The width of its physical addresses, in bits.
    pub(super) physical_bits: u8,
    values: [u64; Register::COUNT],
}

impl Reference {
    /// Reads a CPU's, by `read`.
    pub(super) fn read(kind: Kind, physical_bits: u8, read: impl Fn(Register) -> u64) -> Self {
        let mut values = [0; Register::COUNT];
        for register in registers_of(kind) {
            values[register.index()] = read(register);
        }
        Self {
            kind,
            physical_bits,
            values,
        }
    }

    /// The value of one; 0 where the BSP does not have it, which for MTRRs means that it is not used.
    pub(super) fn value(&self, register: Register) -> u64 {
        self.values[register.index()]
    }

    /// The values of all, each at its [`index`](Register::index).
    pub(super) fn values(&self) -> [u64; Register::COUNT] {
        self.values
    }

    /// What a CPU of another kind has, by `read`, that is not the BSP's is told to `found`; what the BSP has
    /// in use and the CPU does not have, to `lacks`.
    pub(super) fn compare(
        &self,
        own: Kind,
        read: impl Fn(Register) -> u64,
        mut found: impl FnMut(Register, u64),
        mut lacks: impl FnMut(Register),
    ) {
        let mut look = |register| {
            let value = read(register);
            if value != self.value(register) {
                found(register, value);
            }
            value
        };
        match (self.kind.has_pat, own.has_pat) {
            (true, true) => {
                look(Register::PAT);
            }
            (true, false) => lacks(Register::PAT),
            (false, _) => {}
        }
        let (Some(bsp), Some(cap)) = (self.kind.cap, own.cap) else {
            if self.kind.cap.is_some() {
                lacks(Register::DEF_TYPE);
            }
            return;
        };
        let def_type = look(Register::DEF_TYPE);
        let own_are = |flags: u64| def_type & flags == flags;
        let bsps_are = |flags: u64| self.value(Register::DEF_TYPE) & flags == flags;
        if !own_are(ON) && !bsps_are(ON) {
            return;
        }
        // Of MTRRs that are off here and on on the BSP, that is all there is to say, but for what would
        // be in use beside the BSP's once they are on.
        let are_off = !own_are(ON);
        if bsp.has_fixed() && bsps_are(ON | FIXED_ON) {
            for register in Register::fixed() {
                match cap.has_fixed() {
                    true if are_off => {}
                    true => {
                        look(register);
                    }
                    false => lacks(register),
                }
            }
        }
        for pair in 0..bsp.pairs().max(cap.pairs()) {
            let (base, mask) = (Register::base(pair), Register::mask(pair));
            let used_by_bsp = self.value(mask) & IN_USE != 0;
            if pair >= cap.pairs() {
                if used_by_bsp {
                    lacks(mask);
                }
                continue;
            }
            // One that is in use is read twice; there are few.
            let is_used = read(mask) & IN_USE != 0;
            if is_used || (used_by_bsp && !are_off) {
                look(mask);
                if used_by_bsp {
                    look(base);
                }
            }
        }
    }

    /// Which registers are to be set to the BSP's values on a CPU where some differ: if one of the MTRRs
    /// does, all of them or none, as half of them would make a map that nobody drew.
    pub(super) fn plan(&self, cpu: &Differing) -> Plan {
        let pat = Some(Register::PAT).filter(|&pat| cpu.differs.contains(pat));
        let wrong = Set(cpu.differs.0 | cpu.lacks.0);
        if !wrong.iter().any(Register::is_mtrr) {
            return Plan {
                set: pat.into_iter().collect(),
                refused: None,
            };
        }
        let own = Kind {
            has_pat: false,
            cap: cpu.cap,
        };
        let refused = if cpu.lacks.iter().any(Register::is_mtrr) {
            Some(self.what_lacks(cpu))
        } else {
            registers_of(own).find_map(|register| self.refusal(register, cpu))
        };
        let mtrrs = registers_of(own).filter(|_| refused.is_none());
        Plan {
            set: pat.into_iter().chain(mtrrs).collect(),
            refused,
        }
    }

    fn what_lacks(&self, cpu: &Differing) -> String {
        match cpu.cap {
            None => "this CPU has no MTRRs".into(),
            Some(cap) if self.kind.cap.is_some_and(|bsp| cap.pairs() < bsp.pairs()) => {
                format!("this CPU has {} pairs of variable MTRRs", cap.pairs())
            }
            Some(_) => NO_FIXED.into(),
        }
    }

    /// Why writing the BSP's value to an MTRR of this CPU would be an exception, if it would.
    fn refusal(&self, register: Register, cpu: &Differing) -> Option<String> {
        let value = self.value(register);
        let has_fixed = cpu.cap.is_some_and(Cap::has_fixed);
        if register == Register::DEF_TYPE && value & FIXED_ON != 0 && !has_fixed {
            // A firmware may leave the bit on that of fixed ranges with the MTRRs off.
            return Some(NO_FIXED.into());
        }
        let is_pair = register.index() >= Register::base(0).index();
        if is_pair && value >> cpu.physical_bits != 0 {
            let bits = cpu.physical_bits;
            return Some(format!(
                "the physical addresses of this CPU have {bits} bits"
            ));
        }
        let is_base = is_pair && register.index() % 2 == Register::base(0).index() % 2;
        let combines = match register {
            Register::DEF_TYPE => value & TYPE == WRITE_COMBINING,
            _ if is_base => value & TYPE == WRITE_COMBINING,
            _ if is_pair => false,
            _ => value.to_le_bytes().contains(&(WRITE_COMBINING as u8)),
        };
        let can = cpu.cap.is_some_and(Cap::has_write_combining);
        (combines && !can).then(|| "this CPU cannot combine writes".into())
    }

    /// A change of an MTRR that does no harm and shows: `None` where there is none. The registers are
    /// to be written in this order.
    pub(super) fn flaw(&self) -> Option<[Option<(Register, u64)>; 2]> {
        const WRITE_BACK: u64 = 6;
        /// A large page, on a multiple of its size.
        const RANGE: u64 = 2 << 20;
        let cap = self.kind.cap?;
        let def_type = self.value(Register::DEF_TYPE);
        if def_type & ON == 0 {
            // All memory is uncached, whatever the default type says.
            return Some([Some((Register::DEF_TYPE, def_type ^ WRITE_BACK)), None]);
        }
        let is_free = |pair: &u8| self.value(Register::mask(*pair)) & IN_USE == 0;
        if let Some(pair) = (0..cap.pairs()).find(is_free) {
            // The last addresses that there are, where no machine has RAM: uncached.
            let last = (1 << self.physical_bits) - RANGE;
            return Some([
                Some((Register::base(pair), last)),
                Some((Register::mask(pair), last | IN_USE)),
            ]);
        }
        let is_fixed = cap.has_fixed() && def_type & FIXED_ON != 0;
        // Video memory: uncached, or if it was that, written through, and nobody uses it.
        const WRITE_THROUGH: u64 = 0x0404_0404_0404_0404;
        let fixed = match self.value(Register::FIXED_A0000) {
            0 => WRITE_THROUGH,
            _ => 0,
        };
        is_fixed.then_some([Some((Register::FIXED_A0000, fixed)), None])
    }
}

/// A PAT whose last entry, which no page uses, is another one: uncached in the weak sense, or if it
/// was that, in the strong one.
pub(super) fn flawed_pat(pat: u64) -> u64 {
    const LAST: u64 = TYPE << 56;
    const UNCACHED_MINUS: u64 = 7 << 56;
    if pat & LAST == UNCACHED_MINUS {
        pat & !LAST
    } else {
        pat & !LAST | UNCACHED_MINUS
    }
}

/// What differs on a CPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Differing {
    /// The registers that have another value than the BSP's.
    pub(super) differs: Set,
    /// Those that the BSP has in use, and this CPU does not have.
    pub(super) lacks: Set,
    /// The CPU's MTRRs, if it has some.
    pub(super) cap: Option<Cap>,
    /// The width of its physical addresses, in bits.
    pub(super) physical_bits: u8,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// These get the BSP's values.
    pub(super) set: Set,
    /// Why the MTRRs are not among them, if they differ.
    pub(super) refused: Option<String>,
}

impl Plan {
    /// Why a register is left as it is, if the plan says so.
    pub(super) fn refusal(&self, register: Register) -> Option<&str> {
        match register {
            Register::PAT => None,
            _ => self.refused.as_deref(),
        }
    }
}

/// What a CPU of this kind has.
fn registers_of(kind: Kind) -> impl Iterator<Item = Register> {
    let pat = kind.has_pat.then_some(Register::PAT);
    let cap = kind.cap.unwrap_or_default();
    let def_type = kind.cap.map(|_| Register::DEF_TYPE);
    let fixed = Register::fixed().filter(move |_| cap.has_fixed());
    let pairs = (0..cap.pairs()).flat_map(|pair| [Register::base(pair), Register::mask(pair)]);
    pat.into_iter().chain(def_type).chain(fixed).chain(pairs)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, string::ToString, vec::Vec};

    use super::*;

    const CAP: Cap = Cap(1 << 10 | 1 << 8 | 3);
    const KIND: Kind = Kind {
        has_pat: true,
        cap: Some(CAP),
    };
    const ALL_ON: u64 = ON | FIXED_ON | 6;

    /// A CPU's registers; those that are not there hold 0.
    type Cpu = BTreeMap<usize, u64>;

    /// One as a firmware leaves it: a pair in use, and an old base in another.
    fn cpu() -> Cpu {
        let mut cpu = Cpu::new();
        cpu.insert(Register::PAT.index(), 0x0007_0406_0007_0406);
        cpu.insert(Register::DEF_TYPE.index(), ALL_ON);
        cpu.insert(Register::FIXED_A0000.index(), 0);
        cpu.insert(Register::base(0).index(), 0xc000_0000);
        cpu.insert(Register::mask(0).index(), 0xff_c000_0800);
        cpu.insert(Register::base(1).index(), 0x1234_0000);
        cpu
    }

    fn read(cpu: &Cpu) -> impl Fn(Register) -> u64 {
        |register| cpu.get(&register.index()).copied().unwrap_or_default()
    }

    fn reference(cpu: &Cpu) -> Reference {
        Reference::read(KIND, 40, read(cpu))
    }

    /// What is found on an AP, and what it lacks, by their names.
    fn compare(bsp: &Cpu, own: Kind, ap: &Cpu) -> (Vec<String>, Vec<String>) {
        let (mut found, mut lacks) = (Vec::new(), Vec::new());
        let note = |register: Register, value| {
            assert_eq!(value, read(ap)(register));
            found.push(register.name());
        };
        let missing = |register: Register| lacks.push(register.name());
        reference(bsp).compare(own, read(ap), note, missing);
        (found, lacks)
    }

    fn with(register: Register, value: u64) -> Cpu {
        let mut cpu = cpu();
        cpu.insert(register.index(), value);
        cpu
    }

    fn differing(registers: &[Register]) -> Differing {
        Differing {
            differs: registers.iter().copied().collect(),
            lacks: Set::default(),
            cap: Some(CAP),
            physical_bits: 40,
        }
    }

    #[test]
    fn each_register_that_is_in_use_and_differs_is_found_and_no_other() {
        for (register, value) in [
            (Register::PAT, 0),
            (Register::DEF_TYPE, ON | FIXED_ON),
            (Register::FIXED_A0000, 1),
            (Register::base(0), 0xc000_0001),
            (Register::mask(0), 0xff_8000_0800),
            (Register::mask(2), 0xff_c000_0800),
        ] {
            let (found, lacks) = compare(&cpu(), KIND, &with(register, value));
            assert_eq!(found, [register.name()]);
            assert!(lacks.is_empty());
        }
        assert!(compare(&cpu(), KIND, &cpu()).0.is_empty());
        let unused = with(Register::base(1), 0x5678_0000);
        assert!(
            compare(&cpu(), KIND, &unused).0.is_empty(),
            "no pair that is not in use"
        );
    }

    #[test]
    fn mtrrs_that_are_off_are_one_difference_and_all_of_them_are_set() {
        let mut off = Cpu::new();
        off.insert(Register::PAT.index(), 0x0007_0406_0007_0406);
        assert_eq!(compare(&cpu(), KIND, &off).0, ["mtrr-def-type"]);
        let plan = reference(&cpu()).plan(&differing(&[Register::DEF_TYPE]));
        assert_eq!(plan.refused, None);
        assert!(plan.set.iter().eq(registers_of(KIND).skip(1)));
        // What would come into use with the BSP's is found all the same.
        off.insert(Register::mask(2).index(), 0xff_c000_0800);
        assert_eq!(
            compare(&cpu(), KIND, &off).0,
            ["mtrr-def-type", "mtrr-phys-mask2"]
        );
    }

    #[test]
    fn mtrrs_that_are_off_on_both_are_compared_no_further() {
        let mut bsp = cpu();
        bsp.insert(Register::DEF_TYPE.index(), 0);
        let mut ap = bsp.clone();
        ap.insert(Register::mask(0).index(), 0);
        assert!(compare(&bsp, KIND, &ap).0.is_empty());
    }

    #[test]
    fn what_a_cpu_does_not_have_is_told_and_its_mtrrs_are_left_as_they_are() {
        let one_pair = Kind {
            cap: Some(Cap(1 << 10 | 1 << 8 | 1)),
            ..KIND
        };
        let used = with(Register::mask(2), 0xff_c000_0800);
        assert_eq!(compare(&used, one_pair, &cpu()).1, ["mtrr-phys-mask2"]);
        let no_pat = Kind {
            has_pat: false,
            ..KIND
        };
        assert_eq!(compare(&cpu(), no_pat, &cpu()).1, ["pat"]);
        let none = Kind { cap: None, ..KIND };
        assert_eq!(compare(&cpu(), none, &cpu()).1, ["mtrr-def-type"]);

        let plan = |lacks: Register, cap| {
            let cpu = Differing {
                lacks: Some(lacks).into_iter().collect(),
                cap,
                ..differing(&[Register::PAT, Register::DEF_TYPE])
            };
            let plan = reference(&used).plan(&cpu);
            assert!(plan.set.iter().eq([Register::PAT]));
            plan.refused.unwrap()
        };
        assert_eq!(
            plan(Register::mask(2), one_pair.cap),
            "this CPU has 1 pairs of variable MTRRs"
        );
        assert_eq!(plan(Register::DEF_TYPE, None), "this CPU has no MTRRs");
        let no_fixed = Some(Cap(1 << 10 | 3));
        assert_eq!(
            plan(Register::FIXED_A0000, no_fixed),
            "this CPU has no fixed MTRRs"
        );
    }

    #[test]
    fn a_value_that_would_be_an_exception_on_the_cpu_is_refused() {
        let refused = |bsp: &Cpu, cpu: Differing| reference(bsp).plan(&cpu).refused;
        let narrow = Differing {
            physical_bits: 36,
            ..differing(&[Register::DEF_TYPE])
        };
        let reason = refused(&cpu(), narrow).unwrap();
        assert_eq!(reason, "the physical addresses of this CPU have 36 bits");
        let plain = Differing {
            cap: Some(Cap(1 << 8 | 3)),
            ..differing(&[Register::DEF_TYPE])
        };
        assert_eq!(refused(&cpu(), plain), None);
        for combining in [
            with(Register::DEF_TYPE, ON | 1),
            with(Register::base(0), 0xc000_0001),
            with(Register::FIXED_A0000, 0x0100),
        ] {
            let reason = refused(&combining, plain).unwrap();
            assert_eq!(reason.to_string(), "this CPU cannot combine writes");
        }
    }

    #[test]
    fn fixed_mtrrs_are_never_turned_on_where_there_are_none() {
        let no_fixed = Differing {
            cap: Some(Cap(1 << 10 | 3)),
            ..differing(&[Register::DEF_TYPE])
        };
        for (bsp, refused) in [
            (FIXED_ON | 6, Some("this CPU has no fixed MTRRs")),
            (6, None),
        ] {
            let plan = reference(&with(Register::DEF_TYPE, bsp)).plan(&no_fixed);
            assert_eq!(plan.refused.as_deref(), refused);
            assert_eq!(plan.set.contains(Register::DEF_TYPE), refused.is_none());
        }
    }

    #[test]
    fn a_flaw_is_found_and_concerns_no_memory() {
        let shows = |bsp: &Cpu| {
            let mut ap = bsp.clone();
            for (register, value) in reference(bsp).flaw().unwrap().into_iter().flatten() {
                ap.insert(register.index(), value);
            }
            compare(bsp, KIND, &ap).0
        };
        assert_eq!(shows(&cpu()), ["mtrr-phys-mask1"]);
        assert_eq!(shows(&with(Register::DEF_TYPE, 0)), ["mtrr-def-type"]);
        let mut full = with(Register::mask(1), 0xff_c000_0800);
        full.insert(Register::mask(2).index(), 0xff_c000_0800);
        assert_eq!(shows(&full), ["mtrr-fix16k-a0000"]);
        full.insert(Register::DEF_TYPE.index(), ON | 6);
        assert_eq!(reference(&full).flaw(), None);
    }

    #[test]
    fn a_flawed_pat_differs_in_the_last_entry_and_is_valid() {
        assert_eq!(flawed_pat(0x0007_0406_0007_0406), 0x0707_0406_0007_0406);
        assert_eq!(flawed_pat(0x0707_0406_0007_0406), 0x0007_0406_0007_0406);
        assert_eq!(flawed_pat(0x0507_0406_0007_0406), 0x0707_0406_0007_0406);
    }
}
