//! The guards of the bring-up.

use crate::{Mutation, Subject};

pub(crate) const SUBJECT: Subject = Subject {
    folder: "smp",
    package: "reveille-smp",
    loom: &["--lib"],
    module: "loom_models::",
    mutations: MUTATIONS,
};

const MUTATIONS: &[Mutation] = &[
    // The state word: state.rs
    Mutation {
        guard: "a transition is one compare-and-swap",
        file: "state.rs",
        from: "        match self
            .0
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
        {",
        to: "        self.0.store(to.0, Ordering::Release);
        match Ok::<u32, u32>(from.0) {",
        noticed_by: "a_claim_and_a_give_up_never_both_win_and_the_stack_has_one_user",
    },
    Mutation {
        guard: "of two arrivals only one claims",
        file: "state.rs",
        from: "        self.advance(&[Stage::Kicked], Stage::Claimed)",
        to: "        self.advance(&[Stage::Kicked, Stage::Claimed], Stage::Claimed)",
        noticed_by: "of_two_arrivals_one_gets_the_stack",
    },
    Mutation {
        guard: "an AP that was given up does not claim",
        file: "state.rs",
        from: "        self.advance(&[Stage::Kicked], Stage::Claimed)",
        to: "        self.advance(&[Stage::Kicked, Stage::GivenUp], Stage::Claimed)",
        noticed_by: "a_claim_and_a_give_up_never_both_win_and_the_stack_has_one_user",
    },
    Mutation {
        guard: "a transition releases what its maker wrote before",
        file: "state.rs",
        from: "to.0, Ordering::AcqRel, Ordering::Acquire",
        to: "to.0, Ordering::Acquire, Ordering::Acquire",
        noticed_by: "the_bsp_always_hears_of_an_alive_ap_and_sees_its_time_stamps",
    },
    Mutation {
        guard: "a look at the word acquires what was written before",
        file: "state.rs",
        from: "State(self.0.load(Ordering::Acquire))",
        to: "State(self.0.load(Ordering::Relaxed))",
        noticed_by: "an_ap_always_hears_that_it_is_sent_down_and_parks_with_its_work_seen",
    },
    Mutation {
        guard: "a kick survives an AP that comes late at that moment",
        file: "state.rs",
        from: "                Err(Refused(changed)) => now = changed,
                kicked => return kicked,",
        to: "                result => return result,",
        noticed_by: "an_ap_that_comes_late_is_noticed_or_kicked_again_and_never_both_lost",
    },
    Mutation {
        guard: "an abandoned AP does not come online",
        file: "state.rs",
        from: "        self.advance(&[Stage::Starting], Stage::Online)",
        to: "        self.advance(&[Stage::Starting, Stage::Abandoned], Stage::Online)",
        noticed_by: "an_ap_is_online_or_abandoned_and_both_sides_agree",
    },
    // The slot: slot.rs
    Mutation {
        guard: "a waiter registers before it looks",
        file: "slot.rs",
        from: "        register(waker, context.waker());
        if condition() {",
        to: "        let is_there = condition();
        register(waker, context.waker());
        if is_there {",
        noticed_by: "the_bsp_always_hears_of_an_alive_ap_and_sees_its_time_stamps",
    },
    Mutation {
        guard: "the AP writes ALIVE before it wakes the BSP",
        file: "slot.rs",
        from: "        let state = self.line.state.alive()?;
        self.wake_control();",
        to: "        self.wake_control();
        let state = self.line.state.alive()?;",
        noticed_by: "the_bsp_always_hears_of_an_alive_ap_and_sees_its_time_stamps",
    },
    Mutation {
        guard: "the AP writes ONLINE before it wakes the BSP",
        file: "slot.rs",
        from: "        let state = self.line.state.online()?;
        self.wake_control();",
        to: "        self.wake_control();
        let state = self.line.state.online()?;",
        noticed_by: "the_bsp_always_hears_of_a_passed_section_and_of_online",
    },
    Mutation {
        guard: "the progress releases what the AP did in its steps",
        file: "slot.rs",
        from: "self.line.progress.store(steps as u32, Ordering::Release)",
        to: "self.line.progress.store(steps as u32, Ordering::Relaxed)",
        noticed_by: "the_bsp_always_hears_of_a_passed_section_and_of_online",
    },
    Mutation {
        guard: "the BSP acquires it",
        file: "slot.rs",
        from: "let progress = self.line.progress.load(Ordering::Acquire)",
        to: "let progress = self.line.progress.load(Ordering::Relaxed)",
        noticed_by: "the_bsp_always_hears_of_a_passed_section_and_of_online",
    },
    Mutation {
        guard: "a permission releases what the BSP did before",
        file: "slot.rs",
        from: ".store(CALLED | self.turns() | steps as u32, Ordering::Release)",
        to: ".store(CALLED | self.turns() | steps as u32, Ordering::Relaxed)",
        noticed_by: "a_second_permission_reaches_the_ap_with_what_the_bsp_did_before",
    },
    Mutation {
        guard: "the AP acquires it",
        file: "slot.rs",
        from: "self.line.permission.load(Ordering::Acquire)",
        to: "self.line.permission.load(Ordering::Relaxed)",
        noticed_by: "a_second_permission_reaches_the_ap_with_what_the_bsp_did_before",
    },
    Mutation {
        guard: "an AP hears that it was abandoned",
        file: "slot.rs",
        from: "        let state = self.line.state.abandon()?;
        self.line.resident.wake();",
        to: "        let state = self.line.state.abandon()?;",
        noticed_by: "an_ap_that_waits_for_its_next_section_hears_that_it_is_abandoned",
    },
    Mutation {
        guard: "an AP that starts as it is abandoned is abandoned all the same",
        file: "state.rs",
        from: "if changed.stage() == Stage::Starting",
        to: "if false",
        noticed_by: "an_ap_that_was_never_called_is_abandoned_or_starts_and_both_sides_agree",
    },
    // The turn on its way from AP to AP: baton.rs, turn.rs
    Mutation {
        guard: "nobody is linked to a CPU that has passed the turn on",
        file: "turn.rs",
        from: "if self.aps[predecessor].slot.baton().link(next, index) {",
        to: "if self.aps[predecessor].slot.baton().link(next, index) || true {",
        noticed_by: "the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "a link that comes too late acquires what was done in the section",
        file: "baton.rs",
        from: "                Ordering::AcqRel,
                Ordering::Acquire,",
        to: "                Ordering::AcqRel,
                Ordering::Relaxed,",
        noticed_by: "the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "passing on releases what was done in the section",
        file: "baton.rs",
        from: "(now, PASSED, Ordering::AcqRel,",
        to: "(now, PASSED, Ordering::Acquire,",
        noticed_by: "the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "the turn is passed on once",
        file: "baton.rs",
        from: "(now, PASSED, Ordering::AcqRel,",
        to: "(now, now, Ordering::AcqRel,",
        noticed_by: "the_turn_of_an_abandoned_cpu_goes_on_once_whoever_passes_it_on",
    },
    Mutation {
        guard: "a grant releases what was done in the turns before",
        file: "slot.rs",
        from: "            permission & !HELD,
            Ordering::Release,",
        to: "            permission & !HELD,
            Ordering::Relaxed,",
        noticed_by: "the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "turns are counted, so that no grant is for another one than was passed on",
        file: "slot.rs",
        from: "wrapping_add(ONE_TURN)",
        to: "wrapping_add(0)",
        noticed_by: "a_grant_that_comes_after_all_is_over_gives_nobody_a_later_turn",
    },
    Mutation {
        guard: "the BSP grants the turn that somebody passed on and died",
        file: "turn.rs",
        from: "            self.grant(first);
            self.follow();",
        to: "            let _ = first;",
        noticed_by: "a_cpu_that_dies_before_it_says_whose_turn_it_is_keeps_the_turn_from_nobody",
    },
    Mutation {
        guard: "the deadline of a turn counts from the grant",
        file: "turn.rs",
        from: "if self.aps[index].slot.is_held() {",
        to: "if queue.waiting().contains(&index) {",
        noticed_by: "nobody_counts_as_granted_before_it_can_run",
    },
    Mutation {
        guard: "whoever queues between two others keeps the one behind in the chain",
        file: "turn.rs",
        from: "            baton.open(next);
            if",
        to: "            baton.open(None);
            if",
        noticed_by: "a_cpu_that_queues_between_two_others_gets_the_turn_and_keeps_nobody_from_it",
    },
    // The futures: against the fake machine
    Mutation {
        guard: "serialised steps wait for their turn",
        file: "bringup/online.rs",
        from: "self.slot().permit_with_the_turn(leg.end);",
        to: "self.slot().permit(leg.end);",
        noticed_by: "bring_up::serialised_steps_run_one_cpu_at_a_time_from_the_lowest",
    },
    Mutation {
        guard: "the turn goes to the lowest waiting CPU",
        file: "turn.rs",
        from: "partition_point(|&other| other < index)",
        to: "partition_point(|&other| other > index)",
        noticed_by: "bring_up::serialised_steps_run_one_cpu_at_a_time_from_the_lowest",
    },
    Mutation {
        guard: "the turn of a CPU that fell silent is passed on in its place",
        file: "bringup/online.rs",
        from: "            shared.turns.take_back(self.index());
",
        to: "",
        noticed_by: "bring_up::an_ap_that_outlives_the_deadline_of_its_step_never_comes_online_behind_the_bsps_back",
    },
    Mutation {
        guard: "a failed step passes the turn on",
        file: "ap.rs",
        from: "let ends_turn = result.is_err() || next",
        to: "let ends_turn = result.is_ok() && next",
        noticed_by: "bring_up::a_failing_step_is_named_and_passes_the_turn_on",
    },
    Mutation {
        guard: "in strict order nobody overtakes",
        file: "order.rs",
        from: "if roll.lowest[turn] < index {",
        to: "if false {",
        noticed_by: "bring_up::in_strict_order_everybody_waits_for_the_lower_ones_until_their_deadline",
    },
    Mutation {
        guard: "a CPU whose outcome is known keeps nobody waiting",
        file: "bringup/tasks.rs",
        from: "        self.shared.precedence.conclude(self.index);
",
        to: "",
        noticed_by: "bring_up::in_strict_order_everybody_waits_for_the_lower_ones_until_their_deadline",
    },
    Mutation {
        guard: "a broadcast is not sent while an AP runs",
        file: "strategy/broadcast.rs",
        from: "if !stages.all(",
        to: "if !stages.any(",
        noticed_by: "bring_up::a_broadcast_never_resets_a_cpu_that_runs",
    },
    Mutation {
        guard: "INIT is sent again to a CPU of which nothing is seen, and only to it",
        file: "bringup/attempt.rs",
        from: "            if self.is_unseen() {
                self.start_over().await?;",
        to: "            if true {
                self.start_over().await?;",
        noticed_by: "bring_up::a_cpu_of_which_nothing_is_seen_is_sent_init_again_with_the_long_delays",
    },
    Mutation {
        guard: "a second SIPI needs a reason",
        file: "bringup/attempt.rs",
        from: "if is_unconditional || self.is_unseen() {",
        to: "if true {",
        noticed_by: "bring_up::a_second_sipi_is_sent_to_a_cpu_without_evidence_and_only_to_it",
    },
    Mutation {
        guard: "the BSP hears of the end of each leg",
        file: "ap.rs",
        from: "let is_awaited = step.mode() == Mode::Concurrent && next == Some(Mode::Serialised);",
        to: "let is_awaited = false;",
        noticed_by: "bring_up::whatever_the_pattern_of_steps_no_deadline_is_needed_to_come_online",
    },
    Mutation {
        guard: "an AP that nobody attends to any more is given up",
        file: "bringup/tasks.rs",
        from: "        let _ = self.slot().state().give_up();
",
        to: "",
        noticed_by: "bring_up::an_ap_for_which_there_is_no_task_is_said_so_and_the_next_attempt_finds_it_down",
    },
    Mutation {
        guard: "an AP that takes too long is abandoned",
        file: "bringup/online.rs",
        from: "let is_abandoned = !in_time && self.slot().abandon().is_ok();",
        to: "let is_abandoned = !in_time;",
        noticed_by: "bring_up::an_ap_that_outlives_the_deadline_of_its_step_never_comes_online_behind_the_bsps_back",
    },
    Mutation {
        guard: "an AP on its way in is not reset",
        file: "state.rs",
        from: "            Self::Ready | Self::Parked | Self::GivenUp | Self::Late",
        to: "            Self::Ready | Self::Parked | Self::GivenUp | Self::Late | Self::Claimed",
        noticed_by: "bring_up::a_claimed_slot_is_never_reset_by_a_later_attempt",
    },
];
