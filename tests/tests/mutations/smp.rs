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
        noticed_by: "a_called_ap_always_hears_of_it_and_sees_what_the_bsp_prepared",
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
        from: "        let state = self.state.alive()?;
        self.wake_control();",
        to: "        self.wake_control();
        let state = self.state.alive()?;",
        noticed_by: "the_bsp_always_hears_of_an_alive_ap_and_sees_its_time_stamps",
    },
    Mutation {
        guard: "the AP writes ONLINE before it wakes the BSP",
        file: "slot.rs",
        from: "        let state = self.state.online()?;
        self.wake_control();",
        to: "        self.wake_control();
        let state = self.state.online()?;",
        noticed_by: "the_bsp_always_hears_of_a_passed_section_and_of_online",
    },
    Mutation {
        guard: "the end of a section releases what the AP did in it",
        file: "slot.rs",
        from: "self.passed.store(steps as u32, Ordering::Release)",
        to: "self.passed.store(steps as u32, Ordering::Relaxed)",
        noticed_by: "the_bsp_always_hears_of_a_passed_section_and_of_online",
    },
    Mutation {
        guard: "the BSP acquires it",
        file: "slot.rs",
        from: "self.passed.load(Ordering::Acquire)",
        to: "self.passed.load(Ordering::Relaxed)",
        noticed_by: "the_bsp_always_hears_of_a_passed_section_and_of_online",
    },
    Mutation {
        guard: "a further permission releases what was done in earlier turns",
        file: "slot.rs",
        from: "    pub(crate) fn permit(&self, steps: usize) {
        self.permitted.store(steps as u32, Ordering::Release);",
        to: "    pub(crate) fn permit(&self, steps: usize) {
        self.permitted.store(steps as u32, Ordering::Relaxed);",
        noticed_by: "a_second_permission_reaches_the_ap_with_what_the_bsp_did_before",
    },
    Mutation {
        guard: "the AP acquires it",
        file: "slot.rs",
        from: "self.permitted.load(Ordering::Acquire)",
        to: "self.permitted.load(Ordering::Relaxed)",
        noticed_by: "a_second_permission_reaches_the_ap_with_what_the_bsp_did_before",
    },
    Mutation {
        guard: "an AP hears that it was abandoned",
        file: "slot.rs",
        from: "        let state = self.state.abandon()?;
        self.resident.wake();",
        to: "        let state = self.state.abandon()?;",
        noticed_by: "an_ap_that_waits_for_its_next_section_hears_that_it_is_abandoned",
    },
    // The futures: against the fake machine
    Mutation {
        guard: "serialised steps wait for their turn",
        file: "bringup/online.rs",
        from: "Some(shared.turnstile.turn(self.ap.cpu).await)",
        to: "None::<crate::turn::Turn<'_>>",
        noticed_by: "bring_up::serialised_steps_run_one_cpu_at_a_time_from_the_lowest",
    },
    Mutation {
        guard: "the turn goes to the lowest waiting CPU",
        file: "turn.rs",
        from: "inner.waiting.pop_first()",
        to: "inner.waiting.pop_last()",
        noticed_by: "bring_up::serialised_steps_run_one_cpu_at_a_time_from_the_lowest",
    },
    Mutation {
        guard: "a second SIPI needs a reason",
        file: "bringup/attempt.rs",
        from: "if self.evidence() == Evidence::None && self.stage() == Stage::Kicked {",
        to: "if self.stage() == Stage::Kicked {",
        noticed_by: "bring_up::a_second_sipi_is_sent_to_a_cpu_without_evidence_and_only_to_it",
    },
    Mutation {
        guard: "the BSP hears of the end of each section",
        file: "ap.rs",
        from: "next.mode() != step.mode()",
        to: "step.mode() == crate::step::Mode::Serialised && next.mode() != step.mode()",
        noticed_by: "bring_up::whatever_the_pattern_of_steps_no_deadline_is_needed_to_come_online",
    },
    Mutation {
        guard: "an AP that takes too long is abandoned",
        file: "bringup/online.rs",
        from: "in_time || slot.abandon().is_err()",
        to: "in_time",
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
