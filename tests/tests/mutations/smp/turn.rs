//! The guards of the turn on its way from AP to AP.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
    // baton.rs, turn.rs
    Mutation {
        guard: "nobody is linked to a CPU that has passed the turn on",
        file: "turn.rs",
        from: "if self.aps[predecessor].slot.baton().link(next, index) {",
        to: "if self.aps[predecessor].slot.baton().link(next, index) || true {",
        noticed_by: "loom_turn::the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "a link that comes too late acquires what was done in the section",
        file: "baton.rs",
        from: "                Ordering::AcqRel,
                Ordering::Acquire,",
        to: "                Ordering::AcqRel,
                Ordering::Relaxed,",
        noticed_by: "loom_turn::the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "passing on releases what was done in the section",
        file: "baton.rs",
        from: "(now, PASSED, Ordering::AcqRel,",
        to: "(now, PASSED, Ordering::Acquire,",
        noticed_by: "loom_turn::the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "the turn is passed on once",
        file: "baton.rs",
        from: "(now, PASSED, Ordering::AcqRel,",
        to: "(now, now, Ordering::AcqRel,",
        noticed_by: "loom_turn::the_turn_of_an_abandoned_cpu_goes_on_once_whoever_passes_it_on",
    },
    Mutation {
        guard: "a grant releases what was done in the turns before",
        file: "permission.rs",
        from: "            permission & !HELD,
            Ordering::Release,",
        to: "            permission & !HELD,
            Ordering::Relaxed,",
        noticed_by: "loom_turn::the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "turns are counted, so that no grant is for another one than was passed on",
        file: "permission.rs",
        from: "wrapping_add(ONE_TURN)",
        to: "wrapping_add(0)",
        noticed_by: "loom_turn::a_grant_that_comes_after_all_is_over_gives_nobody_a_later_turn",
    },
    Mutation {
        guard: "the BSP grants the turn that somebody passed on and died",
        file: "turn.rs",
        from: "            self.grant(first);
            self.follow();",
        to: "            let _ = first;",
        noticed_by: "loom_turn::a_cpu_that_dies_before_it_says_whose_turn_it_is_keeps_the_turn_from_nobody",
    },
    Mutation {
        guard: "the deadline of a turn counts from the grant",
        file: "turn.rs",
        from: "if self.aps[index].slot.permission().is_held() {",
        to: "if queue.waiting().contains(&index) {",
        noticed_by: "loom_turn::nobody_counts_as_granted_before_it_can_run",
    },
    Mutation {
        guard: "whoever queues between two others keeps the one behind in the chain",
        file: "turn.rs",
        from: "            baton.open(next);
            if",
        to: "            baton.open(None);
            if",
        noticed_by: "loom_turn::a_cpu_that_queues_between_two_others_gets_the_turn_and_keeps_nobody_from_it",
    },
];
