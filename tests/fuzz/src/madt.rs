//! The walk over the MADT, and the plan made from it.
//!
//! The bytes are the table. Fields of it that the walk has no use for choose what the plan is made
//! for: the checksum the BSP, listed or not, and the APIC mode; the upper three bytes of the OEM's
//! revision, and of the creator's the uppermost, which in real tables are 0, who is selected.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZero, NonZeroU32},
};

use reveille_smp::{
    cpu::{ApicId, CpuIndex, Place},
    madt::{Madt, Mailbox, Processor},
    plan::{NoSuchCpus, Planned, Role, Skip, plan},
    selection::{Selection, Smt},
    wiring::{Gsi, IsaIrq, Wiring},
};

/// Bytes before the first entry: the header (36), the APIC's address and the flags (ACPI 6.5,
/// table 5.19).
const FIXED: usize = 44;
/// The shortest entry that stands for a CPU: type 0.
const SHORTEST_CPU: usize = 8;
/// An entry that stands for an I/O APIC: type 1.
const IO_APIC: usize = 12;
/// Fields of the header: the checksum, the OEM's revision without its lowest byte, and of the
/// creator's the highest.
const CHECKSUM: usize = 9;
const REVISION: std::ops::Range<usize> = 25..28;
const CREATOR_REVISION: usize = 35;
/// The greatest id that an APIC in xAPIC mode can address.
const XAPIC_LIMIT: ApicId = ApicId(254);
/// A wakeup mailbox takes a page, and begins where one does.
const MAILBOX_SIZE: u64 = 4096;
/// How many places a table is cut at.
const CUTS: usize = 4;

/// Walks a table and plans by it. Returns whether it is a MADT.
pub fn check(bytes: &[u8]) -> bool {
    let madt = match Madt::parse(bytes) {
        Ok(madt) => madt,
        Err(error) => {
            assert!(
                !bytes.starts_with(b"APIC") || bytes.len() < FIXED,
                "{error}"
            );
            return false;
        }
    };
    check_walk(bytes, &madt);
    check_cuts(bytes, &madt);
    let (bsp, x2apic) = choose_bsp(bytes[CHECKSUM], &madt.processors);
    let selection = choose(
        bytes[REVISION].try_into().expect("three bytes"),
        bytes[CREATOR_REVISION],
    );
    match plan(&madt.processors, bsp, x2apic, place, &selection) {
        Ok(plan) => {
            check_plan(&madt.processors, bsp, x2apic, &plan);
            check_selection(&selection, &plan);
        }
        Err(NoSuchCpus { missing, numbered }) => {
            let cpus = selection.cpus.expect("only names can be missing");
            assert!(!missing.is_empty() && missing == cpus.from(numbered));
        }
    }
    true
}

/// A BSP, one of the listed as often as not, and whether the APICs are in x2APIC mode.
fn choose_bsp(by: u8, listed: &[Processor]) -> (ApicId, bool) {
    let number = usize::from(by >> 1);
    let bsp = match listed.get(number % (2 * listed.len()).max(1)) {
        Some(processor) => processor.apic_id,
        None => ApicId(u32::from(by)),
    };
    (bsp, by & 1 != 0)
}

/// Whom a person wants; zeros ask for everybody.
fn choose([max_cpus, cpus, possible]: [u8; 3], smt: u8) -> Selection {
    // Up to three numbers and a range of them.
    let (first, count) = (cpus >> 4, cpus & 0xf);
    let list = format!("{first},{}-{}", first + 2, first + 2 + count);
    Selection {
        max_cpus: NonZeroU32::new(max_cpus.into()),
        cpus: (cpus != 0).then(|| list.parse().expect("it is a list")),
        possible: NonZeroU32::new(possible.into()),
        smt: if smt == 0 { Smt::On } else { Smt::Off },
    }
}

/// Four cores a package, two threads a core.
fn place(id: ApicId) -> Place {
    Place {
        package: id.0 >> 3,
        core: id.0 >> 1 & 0b11,
        thread: id.0 & 1,
    }
}

fn check_walk(table: &[u8], madt: &Madt) {
    assert!(madt.processors.len() <= (table.len() - FIXED) / SHORTEST_CPU);
    for processor in &madt.processors {
        assert!(!(processor.enabled && processor.online_capable));
        assert_ne!(processor.apic_id, ApicId(u32::MAX), "it means everybody");
    }
    if let Some(defect) = &madt.defect {
        assert!(!defect.to_string().is_empty());
    }
    if let Some(mailbox) = madt.mailbox {
        check_mailbox(table, mailbox);
    }
    check_wiring(table, &madt.wiring);
}

/// No I/O APIC is invented, and each interrupt is wired to an input that a table can name.
fn check_wiring(table: &[u8], wiring: &Wiring) {
    let io_apics = wiring.io_apics();
    assert!(io_apics.len() <= (table.len() - FIXED) / IO_APIC);
    let ids: BTreeSet<_> = io_apics.iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), io_apics.len(), "an id is listed twice");
    let is_told = |value: u32| {
        let mut words = table[FIXED..].windows(4);
        words.any(|bytes| bytes == value.to_le_bytes())
    };
    assert!(
        io_apics
            .iter()
            .all(|it| is_told(it.address) && is_told(it.first.0))
    );
    for (number, irq) in (0..16).map_while(|number| Some((number, IsaIrq::new(number)?))) {
        let Gsi(gsi) = wiring.isa(irq).gsi;
        assert!(gsi == u32::from(number) || is_told(gsi));
    }
}

/// A mailbox is a page, and is where an entry says.
fn check_mailbox(table: &[u8], mailbox: Mailbox) {
    assert!(mailbox.address != 0 && mailbox.address.is_multiple_of(MAILBOX_SIZE));
    let is_told = |value: u64| {
        let mut words = table[FIXED..].windows(8);
        words.any(|bytes| bytes == value.to_le_bytes())
    };
    assert!(is_told(mailbox.address), "{mailbox:?}");
    let vector = mailbox.reset_vector.map(NonZero::get);
    assert!(vector.is_none_or(is_told), "{mailbox:?}");
}

/// A table that breaks off gives the CPUs before the break, and no others; and the whole one's
/// mailbox, or none.
fn check_cuts(table: &[u8], whole: &Madt) {
    let entries = table.len() - FIXED;
    for cut in 0..CUTS {
        let cut = &table[..FIXED + entries * cut / CUTS];
        let part = Madt::parse(cut).expect("its fixed part is whole");
        assert!(
            whole.processors.starts_with(&part.processors),
            "cut to {} bytes, it lists {:?}",
            cut.len(),
            part.processors
        );
        assert!(part.mailbox.is_none() || part.mailbox == whole.mailbox);
        assert!(whole.wiring.io_apics().starts_with(part.wiring.io_apics()));
    }
}

fn check_plan(listed: &[Processor], bsp: ApicId, x2apic: bool, plan: &[Planned]) {
    assert!(plan.len() <= listed.len() + 1);
    assert_eq!(
        (plan[0].cpu, plan[0].apic_id, plan[0].role),
        (Some(CpuIndex::BSP), bsp, Role::Bsp)
    );

    let planned: BTreeSet<ApicId> = plan.iter().map(|cpu| cpu.apic_id).collect();
    assert_eq!(planned.len(), plan.len(), "an id is planned twice");
    let mut enabled = BTreeMap::new();
    for processor in listed {
        *enabled.entry(processor.apic_id).or_insert(false) |= processor.enabled;
    }
    assert!(enabled.keys().all(|id| planned.contains(id)));

    let numbers = plan.iter().filter_map(|planned| planned.cpu);
    assert!(
        numbers.eq((0..)
            .map(CpuIndex)
            .take(plan.iter().filter(|it| it.cpu.is_some()).count()))
    );

    for planned in plan {
        let enabled = enabled.get(&planned.apic_id);
        let reachable = x2apic || planned.apic_id <= XAPIC_LIMIT;
        match planned.role {
            Role::Bsp => assert_eq!(planned.apic_id, bsp, "there is one BSP"),
            Role::Ap => assert!(enabled == Some(&true) && reachable && planned.cpu.is_some()),
            Role::Skipped(skip) => {
                assert!(enabled == Some(&true) && planned.cpu.is_some());
                assert_eq!(skip == Skip::BeyondXapic, !reachable);
                assert_eq!(planned.has_slot(), skip == Skip::SmtOff);
            }
            Role::Disabled { .. } => {
                assert_eq!(enabled, Some(&false));
                assert!(reachable || planned.cpu.is_none());
            }
        }
        let record = planned.unwoken_record(Place::default());
        assert_eq!(record.reason.is_some(), planned.role != Role::Bsp);
    }
}

/// Nobody runs that is not wanted, and whoever is skipped is skipped for a reason that holds.
fn check_selection(selection: &Selection, plan: &[Planned]) {
    let Selection {
        max_cpus,
        cpus,
        possible,
        smt,
    } = selection;
    let runs = |it: &&Planned| matches!(it.role, Role::Bsp | Role::Ap);
    let waits = |it: &&Planned| it.role == Role::Skipped(Skip::SmtOff);
    // Those that run, and those that would if `smt` were on.
    let chosen = plan.iter().filter(|it| runs(it) || waits(it)).count() as u32;
    let is_full = |most: &Option<NonZeroU32>| most.is_some_and(|most| chosen == most.get());
    for most in [max_cpus, possible].into_iter().flatten() {
        assert!(chosen <= most.get());
    }
    let core = |planned: &Planned| {
        let Place { package, core, .. } = place(planned.apic_id);
        (package, core)
    };
    let mut cores = BTreeSet::new();
    for planned in plan.iter().filter(runs) {
        assert!(cores.insert(core(planned)) || *smt == Smt::On);
    }
    for planned in plan {
        let is_named = |cpu| cpus.as_ref().is_none_or(|cpus| cpus.contains(cpu));
        let named = planned.cpu.is_none_or(is_named);
        match planned.role {
            Role::Bsp => {}
            Role::Ap => assert!(named),
            Role::Skipped(Skip::NotNamed) => assert!(!named),
            Role::Skipped(Skip::SmtOff) => {
                assert!(named && *smt == Smt::Off && cores.contains(&core(planned)));
            }
            Role::Skipped(Skip::MaxCpus) => assert!(is_full(max_cpus)),
            Role::Skipped(Skip::NoSlot) => assert!(is_full(possible)),
            Role::Skipped(skip) => assert_eq!(skip, Skip::BeyondXapic),
            Role::Disabled { .. } => {
                let has_room = |cpu: CpuIndex| possible.is_some_and(|most| cpu.0 < most.get());
                assert!(planned.cpu.is_none_or(has_room));
            }
        }
    }
}
