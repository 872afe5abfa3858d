//! The list of CPUs that a run goes by, and what is to be told of its flaws.
//!
//! Where there is no list, the boot processor is the whole machine: it runs, and the policy of
//! `require=` says whether that is enough.

#![forbid(unsafe_code)]

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Display;

use reveille_smp::{
    cpu::ApicId,
    madt::{Madt, Mailbox, Processor},
    wiring::Wiring,
};

/// The CPUs as they are listed.
pub struct CpuList(Result<Madt, String>);

impl CpuList {
    /// The list in a MADT's bytes, or none for this reason.
    pub fn parse(table: Result<Vec<u8>, impl Display>) -> Self {
        let bytes = match table {
            Ok(bytes) => bytes,
            Err(error) => return Self(Err(error.to_string())),
        };
        Self(Madt::parse(&bytes).map_err(|error| error.to_string()))
    }

    /// The CPUs in the table's order.
    pub fn processors(&self) -> &[Processor] {
        self.0.as_ref().map_or(&[], |madt| &madt.processors)
    }

    /// The mailbox by which the APs can be woken.
    pub fn mailbox(&self) -> Option<Mailbox> {
        self.0.as_ref().ok()?.mailbox
    }

    /// Where the same table says that the interrupts of devices are wired to.
    pub fn wiring(&self) -> Option<&Wiring> {
        Some(&self.0.as_ref().ok()?.wiring)
    }

    /// OEM and table id, which name the machine.
    pub fn oem(&self) -> String {
        self.0
            .as_ref()
            .map_or_else(|_| "unknown".to_owned(), |madt| madt.oem.clone())
    }

    /// Why the list may lack CPUs, if it may.
    pub fn gap(&self) -> Option<String> {
        let madt = match &self.0 {
            Ok(madt) => madt,
            Err(why) => return Some(format!("only CPU 0 is known: {why}")),
        };
        madt.lossy
            .map(|defect| format!("CPUs may be lost, so nobody can say that all came up: {defect}"))
    }

    /// What is wrong with the list, for people.
    pub fn flaws(&self, bsp: ApicId) -> Vec<String> {
        let madt = match &self.0 {
            Ok(madt) => madt,
            Err(why) => return Vec::from([format!("{why}; only the CPU that booted is known")]),
        };
        let is_listed = |id| madt.processors.iter().any(|cpu| cpu.apic_id == id);
        let bsp_missing = (!is_listed(bsp))
            .then(|| format!("the MADT does not list the CPU that booted, APIC {bsp}"));
        let defect = madt.defect.map(|defect| defect.to_string());
        defect.into_iter().chain(bsp_missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acpi::MadtError;

    const BSP: ApicId = ApicId(3);

    fn table(id: u8) -> Vec<u8> {
        let mut table = b"APIC\x34\0\0\0\x03\0REVEILTESTTABL".to_vec();
        table.resize(44, 0);
        table.extend([0, 8, 0, id, 1, 0, 0, 0]);
        table[9] = table.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        table
    }

    fn parse(bytes: Vec<u8>) -> CpuList {
        CpuList::parse(Ok::<_, MadtError>(bytes))
    }

    #[test]
    fn a_good_list_has_no_flaws() {
        let list = parse(table(3));
        assert_eq!(list.processors().len(), 1);
        assert_eq!(list.oem(), "REVEIL TESTTABL");
        assert_eq!(list.gap(), None);
        assert_eq!(list.flaws(BSP), [""; 0]);
    }

    #[test]
    fn each_flaw_of_a_list_is_told() {
        let mut flawed = table(4);
        flawed[9] ^= 1;
        let flaws = parse(flawed).flaws(BSP);
        assert!(flaws[0].contains("add up to"), "{flaws:?}");
        assert!(
            flaws[1].contains("does not list the CPU that booted, APIC 3"),
            "{flaws:?}"
        );
        assert_eq!(flaws.len(), 2);
    }

    #[test]
    fn a_list_has_a_gap_where_it_breaks_off_and_none_where_only_its_checksum_is_wrong() {
        let mut wrong = table(3);
        wrong[9] ^= 1;
        assert_eq!(parse(wrong.clone()).gap(), None);
        wrong.pop();
        let gap = parse(wrong).gap().unwrap();
        assert!(
            gap.starts_with("CPUs may be lost, so nobody can say that all came up: the MADT's "),
            "{gap}"
        );
    }

    #[test]
    fn without_a_list_there_are_no_cpus_and_a_reason() {
        let missing = CpuList::parse(Err(MadtError::Missing));
        for list in [missing, parse(Vec::new())] {
            assert_eq!(list.processors(), []);
            assert_eq!(list.oem(), "unknown");
            let gap = list.gap().unwrap();
            let why = gap.strip_prefix("only CPU 0 is known: ").unwrap();
            assert_eq!(
                list.flaws(BSP),
                [format!("{why}; only the CPU that booted is known")]
            );
        }
    }
}
