use alloc::{string::ToString, vec};

use proptest::prelude::*;

use super::*;

fn processor(id: u32, enabled: bool) -> Processor {
    Processor {
        apic_id: ApicId(id),
        enabled,
        online_capable: false,
    }
}

const DISABLED: Role = Role::Disabled {
    online_capable: false,
};

/// Two threads a core: bit 0 of the id.
fn place(id: ApicId) -> Place {
    Place {
        package: 0,
        core: id.0 / 2,
        thread: id.0 % 2,
    }
}

/// The plan of everybody, by x2APIC.
fn all(listed: &[Processor], bsp: u32) -> Vec<(Option<u32>, u32, Role)> {
    selected(listed, bsp, &Selection::default())
}

fn selected(
    listed: &[Processor],
    bsp: u32,
    selection: &Selection,
) -> Vec<(Option<u32>, u32, Role)> {
    plan(listed, ApicId(bsp), true, place, selection)
        .unwrap()
        .iter()
        .map(|p| (p.cpu.map(|cpu| cpu.0), p.apic_id.0, p.role))
        .collect()
}

/// What happens with each of eight enabled CPUs: a letter each, `-` for those that run.
fn of_eight(selection: &Selection) -> String {
    let listed: Vec<_> = (0..8).map(|id| processor(id, true)).collect();
    let letter = |role| match role {
        Role::Bsp | Role::Ap => '-',
        Role::Skipped(Skip::MaxCpus) => 'm',
        Role::Skipped(Skip::NotNamed) => 'n',
        Role::Skipped(Skip::NoSlot) => 's',
        Role::Skipped(Skip::SmtOff) => 't',
        other => panic!("{other:?}"),
    };
    selected(&listed, 0, selection)
        .into_iter()
        .map(|(_, _, role)| letter(role))
        .collect()
}

fn some(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}

#[test]
fn the_bsp_is_number_zero_wherever_it_stands_and_even_when_it_is_missing() {
    let listed = [processor(4, true), processor(2, true), processor(0, true)];
    let expected = [
        (Some(0), 2, Role::Bsp),
        (Some(1), 4, Role::Ap),
        (Some(2), 0, Role::Ap),
    ];
    assert_eq!(all(&listed, 2), expected);
    let missing = [processor(4, true), processor(0, true)];
    assert_eq!(all(&missing, 2), expected);
}

#[test]
fn an_id_listed_twice_counts_once_and_is_enabled_if_one_entry_is() {
    let listed = [
        processor(0, true),
        processor(1, false),
        processor(2, true),
        processor(1, true),
    ];
    let expected = [
        (Some(0), 0, Role::Bsp),
        (Some(1), 1, Role::Ap),
        (Some(2), 2, Role::Ap),
    ];
    assert_eq!(all(&listed, 0), expected);
}

#[test]
fn disabled_cpus_come_last_have_no_number_and_leave_no_hole() {
    let listed = [processor(0, true), processor(1, false), processor(2, true)];
    let expected = [
        (Some(0), 0, Role::Bsp),
        (Some(1), 2, Role::Ap),
        (None, 1, DISABLED),
    ];
    assert_eq!(all(&listed, 0), expected);
}

#[test]
fn a_disabled_cpu_that_can_be_added_says_so_and_another_does_not() {
    let mut addable = processor(2, false);
    addable.online_capable = true;
    let listed = [processor(1, false), addable];
    let plan = plan(&listed, ApicId(0), true, place, &Selection::default()).unwrap();
    let reason = |at: usize| plan[at].unwoken_record(Place::default()).reason.unwrap();
    assert!(reason(1).contains("not marked online-capable"));
    assert!(reason(2) == "marked online-capable");
}

#[test]
fn an_id_that_xapic_mode_cannot_address_is_skipped_there_and_only_there() {
    let listed = [
        processor(0, true),
        processor(254, true),
        processor(255, true),
    ];
    let role = |x2apic, at: usize| {
        plan(&listed, ApicId(0), x2apic, place, &Selection::default()).unwrap()[at].role
    };
    assert_eq!(role(false, 2), Role::Skipped(Skip::BeyondXapic));
    assert_eq!(role(true, 2), Role::Ap);
    assert_eq!(role(false, 1), Role::Ap);
}

#[test]
fn each_part_of_a_selection_leaves_cpus_out_for_its_own_reason() {
    let maximum = Selection {
        max_cpus: some(3),
        ..Selection::default()
    };
    assert_eq!(of_eight(&maximum), "---mmmmm");
    let named = Selection {
        cpus: Some("1-2,5".parse().unwrap()),
        ..Selection::default()
    };
    assert_eq!(of_eight(&named), "---nn-nn");
    let slots = Selection {
        possible: some(3),
        ..Selection::default()
    };
    assert_eq!(of_eight(&slots), "---sssss");
    let alone = Selection {
        max_cpus: some(1),
        ..Selection::default()
    };
    assert_eq!(of_eight(&alone), "-mmmmmmm");
}

#[test]
fn the_maximum_counts_only_cpus_that_are_named_and_can_be_reached() {
    let both = Selection {
        max_cpus: some(3),
        cpus: Some("2,4-6".parse().unwrap()),
        possible: some(8),
        ..Selection::default()
    };
    assert_eq!(of_eight(&both), "-n-n-mmn");
    let listed = [processor(300, true), processor(1, true)];
    let two = Selection {
        max_cpus: some(2),
        ..Selection::default()
    };
    let plan = plan(&listed, ApicId(0), false, place, &two).unwrap();
    assert_eq!(plan[2].role, Role::Ap);
}

const SMT_OFF: Selection = Selection {
    max_cpus: None,
    cpus: None,
    possible: None,
    smt: Smt::Off,
};

#[test]
fn without_smt_one_thread_of_each_core_runs_and_its_siblings_keep_number_and_slot() {
    assert_eq!(of_eight(&SMT_OFF), "-t-t-t-t");
    let listed: Vec<_> = (0..4).map(|id| processor(id, true)).collect();
    let plan = plan(&listed, ApicId(0), true, place, &SMT_OFF).unwrap();
    let slots: Vec<_> = plan.iter().map(|it| (it.cpu, it.has_slot())).collect();
    let numbered = |cpu| Some(CpuIndex(cpu));
    let expected = [
        (numbered(0), false),
        (numbered(1), true),
        (numbered(2), true),
        (numbered(3), true),
    ];
    assert_eq!(slots, expected);
}

#[test]
fn without_smt_the_siblings_of_a_bsp_that_is_no_first_thread_are_the_ones_left_out() {
    let listed: Vec<_> = (0..4).map(|id| processor(id, true)).collect();
    let expected = [
        (Some(0), 1, Role::Bsp),
        (Some(1), 0, Role::Skipped(Skip::SmtOff)),
        (Some(2), 2, Role::Ap),
        (Some(3), 3, Role::Skipped(Skip::SmtOff)),
    ];
    assert_eq!(selected(&listed, 1, &SMT_OFF), expected);
}

#[test]
fn without_smt_a_core_runs_the_first_thread_that_is_enabled_and_named() {
    let listed = [0, 2, 3, 5, 6, 7].map(|id| processor(id, id != 2));
    let roles = |selection: &Selection| {
        let plan = selected(&listed, 0, selection).into_iter();
        plan.map(|(_, id, role)| (id, role)).collect::<Vec<_>>()
    };
    let off = Role::Skipped(Skip::SmtOff);
    let expected = [
        (0, Role::Bsp),
        (3, Role::Ap),
        (5, Role::Ap),
        (6, Role::Ap),
        (7, off),
        (2, DISABLED),
    ];
    assert_eq!(roles(&SMT_OFF), expected);
    let named = Selection {
        cpus: Some("1,4".parse().unwrap()),
        ..SMT_OFF
    };
    let not_named = Role::Skipped(Skip::NotNamed);
    let expected = [
        (0, Role::Bsp),
        (3, Role::Ap),
        (5, not_named),
        (6, not_named),
        (7, Role::Ap),
        (2, DISABLED),
    ];
    assert_eq!(roles(&named), expected);
}

#[test]
fn bounds_are_used_up_by_primaries_first_and_then_by_siblings() {
    let bounded = |max_cpus, possible| Selection {
        max_cpus: some(max_cpus),
        possible: some(possible),
        ..SMT_OFF
    };
    assert_eq!(of_eight(&bounded(3, 0)), "-m-m-mmm");
    assert_eq!(of_eight(&bounded(4, 0)), "-m-m-m-m");
    assert_eq!(of_eight(&bounded(6, 0)), "-t-t-m-m");
    assert_eq!(of_eight(&bounded(0, 5)), "-t-s-s-s");
    assert_eq!(of_eight(&bounded(6, 5)), "-t-s-s-s");
}

#[test]
fn where_all_are_first_threads_nobody_is_a_sibling() {
    let listed: Vec<_> = (0..4).map(|id| processor(id, true)).collect();
    for place in [
        |_| Place::default(),
        |id: ApicId| Place {
            package: id.0,
            ..Place::default()
        },
    ] {
        let plan = plan(&listed, ApicId(0), true, place, &SMT_OFF).unwrap();
        assert!(plan[1..].iter().all(|planned| planned.role == Role::Ap));
    }
}

#[test]
fn slots_beyond_the_enabled_cpus_go_to_disabled_ones_behind_them() {
    let listed = [
        processor(0, true),
        processor(4, false),
        processor(2, true),
        processor(6, false),
        processor(8, false),
    ];
    let possible = |count| Selection {
        possible: some(count),
        ..Selection::default()
    };
    let numbers = |count| {
        selected(&listed, 0, &possible(count))
            .into_iter()
            .map(|(cpu, id, _)| (cpu, id))
            .collect::<Vec<_>>()
    };
    let none = vec![(Some(0), 0), (Some(1), 2), (None, 4), (None, 6), (None, 8)];
    assert_eq!(numbers(2), none);
    let mut two = none;
    (two[2].0, two[3].0) = (Some(2), Some(3));
    assert_eq!(numbers(4), two);
    two[4].0 = Some(4);
    assert_eq!(numbers(400), two);
    let plan = plan(&listed, ApicId(0), true, place, &possible(3)).unwrap();
    let slots: Vec<_> = plan.iter().map(Planned::has_slot).collect();
    assert_eq!(slots, [false, true, true, false, false]);
}

#[test]
fn where_cpus_may_be_added_all_have_slots_unless_it_is_said_for_how_many() {
    let listed = [0, 4, 2, 6].map(|id| processor(id, id == 0 || id == 2));
    let numbers = |selection: Selection| {
        let selection = selection.with_room_for_all(listed.len());
        let planned = selected(&listed, 0, &selection).into_iter();
        planned.map(|(cpu, id, _)| (cpu, id)).collect::<Vec<_>>()
    };
    let all = [(Some(0), 0), (Some(1), 2), (Some(2), 4), (Some(3), 6)];
    assert_eq!(numbers(Selection::default()), all);
    let two = Selection {
        possible: some(2),
        ..Selection::default()
    };
    let none = [(Some(0), 0), (Some(1), 2), (None, 4), (None, 6)];
    assert_eq!(numbers(two), none);
}

#[test]
fn a_cpu_without_memory_gives_up_its_slot() {
    let listed = [processor(1, true), processor(2, false)];
    let possible = Selection {
        possible: some(3),
        ..Selection::default()
    };
    let mut plan = plan(&listed, ApicId(0), true, place, &possible).unwrap();
    plan.iter_mut().for_each(Planned::has_no_memory);
    assert!(!plan.iter().any(Planned::has_slot));
    assert_eq!(plan[0].role, Role::Bsp);
    assert_eq!(plan[1].role, Role::Skipped(Skip::NoMemory));
    assert_eq!((plan[2].cpu, plan[2].role), (None, DISABLED));
    let mut sibling = Planned {
        cpu: Some(CpuIndex(1)),
        apic_id: ApicId(1),
        role: Role::Skipped(Skip::SmtOff),
    };
    sibling.has_no_memory();
    assert_eq!(sibling.role, Role::Skipped(Skip::NoMemory));
}

#[test]
fn numbers_that_no_cpu_has_are_named() {
    let listed = [processor(0, true), processor(1, true)];
    let named = |list: &str| {
        let selection = Selection {
            cpus: Some(list.parse().unwrap()),
            ..Selection::default()
        };
        plan(&listed, ApicId(0), true, place, &selection).map_err(|error| error.to_string())
    };
    assert!(named("0-1").is_ok());
    assert_eq!(
        named("1,2").unwrap_err(),
        "cpus= names CPU 2, and there is none so numbered; the numbers are 0-1"
    );
    assert_eq!(
        named("0-4294967295").unwrap_err(),
        "cpus= names CPUs 2-4294967295, and there are none so numbered; the numbers are 0-1"
    );
}

#[test]
fn ten_thousand_entries_are_planned_whether_they_are_one_cpu_or_as_many() {
    for (ids, cpus) in [(10_000, 10_000), (4_096, 4_096), (1, 1)] {
        let listed: Vec<_> = (0..10_000).map(|at| processor(at % ids, true)).collect();
        let plan = all(&listed, 0);
        assert_eq!(plan.len(), cpus);
        assert_eq!(plan.last().unwrap().0, Some(cpus as u32 - 1));
    }
}

fn any_processor() -> impl Strategy<Value = Processor> {
    (0u32..300, any::<bool>(), any::<bool>()).prop_map(|(id, enabled, online_capable)| Processor {
        apic_id: ApicId(id),
        enabled,
        online_capable,
    })
}

proptest! {
    #[test]
    fn whatever_is_listed_numbers_ascend_without_holes_and_bounds_hold(
        listed in proptest::collection::vec(any_processor(), 0..60),
        bsp in 0u32..300,
        x2apic: bool,
        max_cpus in 0u32..20,
        possible in 0u32..80,
        is_smt_off: bool,
    ) {
        let smt = if is_smt_off { Smt::Off } else { Smt::On };
        let selection = Selection { max_cpus: some(max_cpus), cpus: None, possible: some(possible), smt };
        let plan = plan(&listed, ApicId(bsp), x2apic, place, &selection).unwrap();
        let numbers = plan.iter().filter_map(|planned| planned.cpu);
        prop_assert!(numbers.eq((0..plan.len() as u32).map(CpuIndex).take(
            plan.iter().filter(|planned| planned.cpu.is_some()).count()
        )));
        let running = 1 + plan.iter().filter(|planned| planned.role == Role::Ap).count() as u32;
        prop_assert!(max_cpus == 0 || running <= max_cpus);
        prop_assert!(possible == 0 || running <= possible);
        let slots = plan.iter().filter(|planned| planned.has_slot()).count() as u32;
        prop_assert!(possible == 0 || slots < possible);
        let running = plan.iter().filter(|planned| matches!(planned.role, Role::Bsp | Role::Ap));
        let mut cores: Vec<_> = running.map(|planned| place(planned.apic_id).core).collect();
        cores.sort_unstable();
        let is_twice = cores.chunk_by(PartialEq::eq).any(|threads| threads.len() > 1);
        prop_assert!(!(is_smt_off && is_twice));
        let is_within_reach = |planned: &Planned| x2apic || planned.apic_id <= XAPIC_LIMIT;
        prop_assert!(plan.iter().filter(|planned| planned.has_slot()).all(is_within_reach));
        let mut ids: Vec<_> = plan.iter().map(|planned| planned.apic_id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), plan.len());
    }
}
