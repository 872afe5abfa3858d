//! The guards of the words in which CPUs tell each other where they are: the slot.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
    // state.rs
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
        guard: "who withdraws gives the AP up",
        file: "state.rs",
        from: "        let _ = self.give_up();
        self.load().stage().is_down()",
        to: "        self.load().stage().is_down()",
        noticed_by: "who_withdraws_has_the_stack_or_an_ap_that_has_claimed_it",
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
        noticed_by: "an_ap_always_hears_that_it_is_to_leave_and_parks_with_its_work_seen",
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
        from: "        self.advance(&[Stage::Moving], Stage::Online)",
        to: "        self.advance(&[Stage::Moving, Stage::Abandoned], Stage::Online)",
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
        noticed_by: "the_bsp_always_hears_of_online_and_sees_its_time_stamp",
    },
    Mutation {
        guard: "the AP rests before it wakes the BSP",
        file: "slot.rs",
        from: "        let state = self.line.state.rest()?;
        self.wake_control();",
        to: "        self.wake_control();
        let state = self.line.state.rest()?;",
        noticed_by: "the_bsp_always_hears_of_a_rest_and_sees_how_far_the_ap_has_come",
    },
    Mutation {
        guard: "the progress releases what the AP did in its steps",
        file: "progress.rs",
        from: "self.0.store(u32::from(rung.0), Ordering::Release)",
        to: "self.0.store(u32::from(rung.0), Ordering::Relaxed)",
        noticed_by: "whoever_sees_a_rung_sees_what_was_done_below_it",
    },
    Mutation {
        guard: "the BSP acquires it",
        file: "progress.rs",
        from: "let word = self.0.load(Ordering::Acquire)",
        to: "let word = self.0.load(Ordering::Relaxed)",
        noticed_by: "whoever_sees_a_rung_sees_what_was_done_below_it",
    },
    Mutation {
        guard: "a call releases what the BSP did before",
        file: "permission.rs",
        from: "(CALLED | self.turns() | u32::from(goal.0), Ordering::Release)",
        to: "(CALLED | self.turns() | u32::from(goal.0), Ordering::Relaxed)",
        noticed_by: "a_second_call_reaches_the_ap_with_what_the_bsp_did_before",
    },
    Mutation {
        guard: "the AP acquires it",
        file: "permission.rs",
        from: "self.0.load(Ordering::Acquire)",
        to: "self.0.load(Ordering::Relaxed)",
        noticed_by: "a_second_call_reaches_the_ap_with_what_the_bsp_did_before",
    },
    Mutation {
        guard: "a call wakes the AP",
        file: "slot.rs",
        from: "        self.line.permission.call(goal);
        self.line.resident.wake();",
        to: "        self.line.permission.call(goal);",
        noticed_by: "a_called_ap_always_hears_of_it_and_sees_what_the_bsp_prepared",
    },
    Mutation {
        guard: "an AP whose step failed is not moved by the call that it failed in",
        file: "slot.rs",
        from: "        self.line.permission.decline();
",
        to: "",
        noticed_by: "an_ap_whose_step_failed_goes_nowhere_until_it_is_called_again_and_both_see_why",
    },
    Mutation {
        guard: "an AP hears that it was abandoned",
        file: "slot.rs",
        from: "        let state = self.line.state.abandon(|| has_ended(self))?;
        self.line.resident.wake();",
        to: "        let state = self.line.state.abandon(|| has_ended(self))?;",
        noticed_by: "an_ap_in_a_step_without_end_hears_that_it_is_abandoned",
    },
    Mutation {
        guard: "an abandoned AP is permitted nothing",
        file: "slot.rs",
        from: "        self.line.permission.withdraw();
",
        to: "",
        noticed_by: "an_ap_that_is_abandoned_as_it_sets_out_comes_back_and_waits_to_be_called",
    },
    Mutation {
        guard: "an abandoned AP comes back",
        file: "slot.rs",
        from: "if stage == Stage::Abandoned && self.line.state.come_back().is_ok() {",
        to: "if stage == Stage::Abandoned && stage == Stage::Alive {",
        noticed_by: "an_ap_that_is_abandoned_as_it_sets_out_comes_back_and_waits_to_be_called",
    },
    Mutation {
        guard: "an AP that starts as it is abandoned is abandoned all the same",
        file: "state.rs",
        from: "                Err(Refused(changed)) => now = changed,
                abandoned => return abandoned,",
        to: "                result => return result,",
        noticed_by: "an_ap_that_is_abandoned_as_it_sets_out_comes_back_and_waits_to_be_called",
    },
    Mutation {
        guard: "an AP that comes to its end at the last moment is not abandoned",
        file: "state.rs",
        from: "if !can_be_called || has_ended() {",
        to: "if !can_be_called {",
        noticed_by: "an_ap_that_rests_at_the_last_moment_is_not_abandoned",
    },
    Mutation {
        guard: "an errand wakes the AP",
        file: "slot.rs",
        from: "        self.notes.errand.ask(errand);
        self.line.resident.wake();",
        to: "        self.notes.errand.ask(errand);",
        noticed_by: "an_ap_that_is_asked_to_do_something_where_it_is_hears_of_it_and_its_answer_is_heard",
    },
    Mutation {
        guard: "an errand releases what the BSP did before",
        file: "errand.rs",
        from: "self.0.store(question, Ordering::Release)",
        to: "self.0.store(question, Ordering::Relaxed)",
        noticed_by: "an_ap_that_is_asked_to_do_something_where_it_is_hears_of_it_and_its_answer_is_heard",
    },
    Mutation {
        guard: "its answer releases what the AP did",
        file: "errand.rs",
        from: "self.0.store(ANSWERED | error << SHIFT, Ordering::Release)",
        to: "self.0.store(ANSWERED | error << SHIFT, Ordering::Relaxed)",
        noticed_by: "an_ap_that_is_asked_to_do_something_where_it_is_hears_of_it_and_its_answer_is_heard",
    },
];
