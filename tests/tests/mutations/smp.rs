//! The guards of the bring-up.

use crate::{Mutation, Subject, calls};

pub(crate) const SUBJECT: Subject = Subject {
    folders: &["smp"],
    package: "reveille-smp",
    loom: &["--lib"],
    module: "loom_models::",
    mutations: &[MUTATIONS, calls::MUTATIONS],
};

const A_READING: &str =
    "loom_clock::a_reading_that_is_asked_for_comes_and_lies_between_the_two_of_the_bsp";

const A_TRACE_READ: &str = "loom_trace::who_reads_while_a_cpu_notes_is_told_whole_events_only";
const A_TRACE_INTERRUPTED: &str =
    "loom_trace::an_nmi_in_the_middle_of_a_write_leaves_one_of_the_two_events_and_it_is_whole";

const MUTATIONS: &[Mutation] = &[
    // The events of a CPU: trace/ring.rs
    Mutation {
        guard: "a place in a trace is claimed by compare-and-swap",
        file: "trace/ring.rs",
        from: "        let claimed = self.stamp.compare_exchange(
            before,
            writing(number),
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        claimed.is_ok()",
        to: "        self.stamp.store(writing(number), Ordering::Relaxed);
        true",
        noticed_by: A_TRACE_INTERRUPTED,
    },
    Mutation {
        guard: "a claim acquires what was written in the place before",
        file: "trace/ring.rs",
        from: "            writing(number),
            Ordering::Acquire,",
        to: "            writing(number),
            Ordering::Relaxed,",
        noticed_by: A_TRACE_INTERRUPTED,
    },
    Mutation {
        guard: "a place that is being written is left alone",
        file: "trace/ring.rs",
        from: "is_being_written(before) || before > writing(number)",
        to: "before > writing(number)",
        noticed_by: "trace_nmi::an_nmi_behind_any_instruction_of_a_write_leaves_whole_events_only",
    },
    Mutation {
        guard: "an event does not take the place of a later one",
        file: "trace/ring.rs",
        from: "is_being_written(before) || before > writing(number)",
        to: "is_being_written(before)",
        noticed_by: "trace_nmi::an_nmi_behind_any_instruction_of_a_write_leaves_whole_events_only",
    },
    Mutation {
        guard: "a word of an event is released behind the claim",
        file: "trace/ring.rs",
        from: "word.store(value, Ordering::Release)",
        to: "word.store(value, Ordering::Relaxed)",
        noticed_by: A_TRACE_READ,
    },
    Mutation {
        guard: "who reads a word of an event acquires the claim before it",
        file: "trace/ring.rs",
        from: "word.load(Ordering::Acquire)",
        to: "word.load(Ordering::Relaxed)",
        noticed_by: A_TRACE_READ,
    },
    Mutation {
        guard: "who reads an event looks at its stamp once more",
        file: "trace/ring.rs",
        from: "        if self.stamp.load(Ordering::Relaxed) != written(number) {
            return None;
        }
        Some(Noted",
        to: "        Some(Noted",
        noticed_by: A_TRACE_READ,
    },
    Mutation {
        guard: "the stamp of an event releases its words",
        file: "trace/ring.rs",
        from: "self.stamp.store(written(number), Ordering::Release)",
        to: "self.stamp.store(written(number), Ordering::Relaxed)",
        noticed_by: A_TRACE_READ,
    },
    Mutation {
        guard: "who reads an event acquires its words by the stamp",
        file: "trace/ring.rs",
        from: "self.stamp.load(Ordering::Acquire) != written(number)",
        to: "self.stamp.load(Ordering::Relaxed) != written(number)",
        noticed_by: A_TRACE_READ,
    },
    // The readings of clocks: clock_line.rs
    Mutation {
        guard: "a CPU releases what its clock showed",
        file: "clock_line.rs",
        from: "self.given.store(number, Ordering::Release)",
        to: "self.given.store(number, Ordering::Relaxed)",
        noticed_by: A_READING,
    },
    Mutation {
        guard: "the BSP acquires it",
        file: "clock_line.rs",
        from: "self.given.load(Ordering::Acquire) != number",
        to: "self.given.load(Ordering::Relaxed) != number",
        noticed_by: A_READING,
    },
    Mutation {
        guard: "a CPU reads its clock behind the sight of the question",
        file: "clock_line.rs",
        from: "        let number = self.asked_for.load(Ordering::Acquire);
        if self.given",
        to: "        let early = now();
        let now = || early;
        let number = self.asked_for.load(Ordering::Acquire);
        if self.given",
        noticed_by: A_READING,
    },
    Mutation {
        guard: "the BSP reads its clock before it asks",
        file: "clock_line.rs",
        from: "        self.asked.store(now(), Ordering::Relaxed);
        self.asked_for.store(next, Ordering::Release);",
        to: "        self.asked_for.store(next, Ordering::Release);
        self.asked.store(now(), Ordering::Relaxed);",
        noticed_by: A_READING,
    },
    Mutation {
        guard: "a reading that was taken before is not taken again for the next",
        file: "clock_line.rs",
        from: "!self.is_open() || self.given.load(Ordering::Acquire) != number",
        to: "!self.is_open()",
        noticed_by: A_READING,
    },
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
        file: "permission.rs",
        from: "            permission & !HELD,
            Ordering::Release,",
        to: "            permission & !HELD,
            Ordering::Relaxed,",
        noticed_by: "the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time",
    },
    Mutation {
        guard: "turns are counted, so that no grant is for another one than was passed on",
        file: "permission.rs",
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
        from: "if self.aps[index].slot.permission().is_held() {",
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
        file: "bringup/climb.rs",
        from: "self.slot().call_with_the_turn(leg.end);",
        to: "self.slot().call(leg.end);",
        noticed_by: "fake::bring_up::serialised_steps_run_one_cpu_at_a_time_from_the_lowest",
    },
    Mutation {
        guard: "the turn goes to the lowest waiting CPU",
        file: "turn.rs",
        from: "partition_point(|&other| other < index)",
        to: "partition_point(|&other| other > index)",
        noticed_by: "fake::bring_up::serialised_steps_run_one_cpu_at_a_time_from_the_lowest",
    },
    Mutation {
        guard: "the turn of a CPU that fell silent is passed on in its place",
        file: "bringup/climb.rs",
        from: "            shared.turns.take_back(self.index());
",
        to: "",
        noticed_by: "fake::bring_up::an_ap_that_outlives_the_deadline_of_its_step_never_comes_online_behind_the_bsps_back",
    },
    Mutation {
        guard: "a failed step passes the turn on",
        file: "ap.rs",
        from: "is_serialised(step) && (result.is_err() || !goes_on())",
        to: "is_serialised(step) && !(result.is_err() || goes_on())",
        noticed_by: "fake::bring_up::a_failing_step_is_named_and_passes_the_turn_on",
    },
    Mutation {
        guard: "in strict order nobody overtakes",
        file: "order.rs",
        from: "if roll.lowest[turn] < index {",
        to: "if false {",
        noticed_by: "fake::bring_up::in_strict_order_everybody_waits_for_the_lower_ones_until_their_deadline",
    },
    Mutation {
        guard: "a CPU whose outcome is known keeps nobody waiting",
        file: "bringup/tasks.rs",
        from: "        self.shared.precedence.conclude(self.position());
",
        to: "",
        noticed_by: "fake::bring_up::in_strict_order_everybody_waits_for_the_lower_ones_until_their_deadline",
    },
    Mutation {
        guard: "a broadcast is not sent while an AP runs",
        file: "strategy/broadcast.rs",
        from: "let are_down = stages.all(",
        to: "let are_down = stages.any(",
        noticed_by: "fake::bring_up::a_broadcast_never_resets_a_cpu_that_runs",
    },
    Mutation {
        guard: "a request is published behind its id and vector",
        file: "mailbox.rs",
        from: "self.command.store(WAKEUP, Ordering::Release);",
        to: "self.command.store(WAKEUP, Ordering::Relaxed);",
        noticed_by: "whoever_sees_a_request_in_the_mailbox_sees_all_of_it",
    },
    Mutation {
        guard: "whoever sees the mailbox free is behind the AP that has read it",
        file: "mailbox.rs",
        from: "self.command.load(Ordering::Acquire) == NOOP",
        to: "self.command.load(Ordering::Relaxed) == NOOP",
        noticed_by: "behind_an_answer_nobody_reads_the_request_any_more",
    },
    Mutation {
        guard: "a retraction that comes too late is behind the AP that has read the mailbox",
        file: "mailbox.rs",
        from: ".compare_exchange(WAKEUP, NOOP, Ordering::AcqRel, Ordering::Acquire)",
        to: ".compare_exchange(WAKEUP, NOOP, Ordering::AcqRel, Ordering::Relaxed)",
        noticed_by: "behind_a_retraction_that_came_too_late_nobody_reads_the_request_any_more",
    },
    Mutation {
        guard: "an AP that does not answer keeps the mailbox from nobody",
        file: "bringup/kick/mailbox.rs",
        from: "self.ask(deadline, || false).await;",
        to: "self.ask(deadline, || true).await;",
        noticed_by: "fake::mailbox::those_that_never_answer_cost_the_others_their_patience_and_all_together_one_deadline",
    },
    Mutation {
        guard: "nobody is let go whom no mailbox wakes again",
        file: "bringup/attempt.rs",
        from: "} else if is_to_park && !self.can_come_back() {",
        to: "} else if is_to_park && false {",
        noticed_by: "fake::mailbox::where_the_firmware_wakes_an_ap_once_none_is_let_go_and_none_is_moved",
    },
    Mutation {
        guard: "no broadcast is sent where APs are woken by mailbox",
        file: "strategy/broadcast.rs",
        from: "!are_down || has_mailbox ||",
        to: "!are_down || has_mailbox && false ||",
        noticed_by: "fake::mailbox::all_come_online_by_one_request_each_from_the_lowest_on_in_every_strategy",
    },
    Mutation {
        guard: "INIT is sent again to a CPU of which nothing is seen, and only to it",
        file: "bringup/kick/init_sipi.rs",
        from: "            if self.is_unseen() {
                self.start_over().await?;",
        to: "            if true {
                self.start_over().await?;",
        noticed_by: "fake::bring_up::a_cpu_of_which_nothing_is_seen_is_sent_init_again_with_the_long_delays",
    },
    Mutation {
        guard: "a CPU that took two INITs for one and parked is sent another",
        file: "bringup/kick/init_sipi.rs",
        from: "if self.stage() == Stage::Late {",
        to: "if false {",
        noticed_by: "fake::bring_up::a_cpu_that_takes_two_inits_for_one_and_parks_late_is_sent_a_third",
    },
    Mutation {
        guard: "a second SIPI needs a reason",
        file: "bringup/kick/init_sipi.rs",
        from: "if is_unconditional || self.is_unseen() {",
        to: "if true {",
        noticed_by: "fake::bring_up::a_second_sipi_is_sent_to_a_cpu_without_evidence_and_only_to_it",
    },
    Mutation {
        guard: "the BSP hears of the end of each leg",
        file: "slot.rs",
        from: "        let state = self.line.state.rest()?;
        self.wake_control();",
        to: "        let state = self.line.state.rest()?;",
        noticed_by: "fake::bring_up::whatever_the_pattern_of_steps_no_deadline_is_needed_to_come_online",
    },
    Mutation {
        guard: "an AP that nobody attends to any more is given up",
        file: "bringup/tasks.rs",
        from: "        let _ = self.slot().state().give_up();
",
        to: "",
        noticed_by: "fake::bring_up::an_ap_for_which_there_is_no_task_is_said_so_and_the_next_attempt_finds_it_down",
    },
    Mutation {
        guard: "an AP that takes too long is abandoned",
        file: "bringup/climb.rs",
        from: "if !has_ended(self.slot()) && self.slot().abandon(has_ended).is_ok() {",
        to: "if !has_ended(self.slot()) {",
        noticed_by: "fake::bring_up::an_ap_that_outlives_the_deadline_of_its_step_never_comes_online_behind_the_bsps_back",
    },
    Mutation {
        guard: "an AP on its way in is not reset",
        file: "state.rs",
        from: "            Self::Ready | Self::Parked | Self::GivenUp | Self::Late",
        to: "            Self::Ready | Self::Parked | Self::GivenUp | Self::Late | Self::Claimed",
        noticed_by: "fake::bring_up::a_claimed_slot_is_never_reset_by_a_later_attempt",
    },
    // The ladder: against the fake machine
    Mutation {
        guard: "an AP that fails where it cannot be woken goes down to where it can, or parks",
        file: "ap.rs",
        from: "                self.retreat();
",
        to: "",
        noticed_by: "fake::ladder::a_starting_step_that_would_wait_fails_and_one_that_cannot_rest_parks",
    },
    Mutation {
        guard: "a starting step does not wait",
        file: "ap.rs",
        from: "Run::Later(_) if step.section() == Section::Starting =>",
        to: "Run::Later(_) if false =>",
        noticed_by: "fake::ladder::a_starting_step_that_would_wait_fails_and_one_that_cannot_rest_parks",
    },
    Mutation {
        guard: "an AP that nobody waits for cancels its step",
        file: "ap.rs",
        from: "let abandoned = pin!(self.aps[self.index].slot.until_abandoned());",
        to: "let abandoned = pin!(core::future::pending::<()>());",
        noticed_by: "fake::ladder::a_step_without_a_deadline_that_never_ends_is_cancelled_when_the_operation_is",
    },
    Mutation {
        guard: "a step has its own deadline",
        file: "ap.rs",
        from: "            match step.deadline() {",
        to: "            match None {",
        noticed_by: "fake::ladder::a_step_that_outlasts_its_deadline_is_cancelled_and_undone",
    },
    Mutation {
        guard: "a CPU that fails is taken back to where it was",
        file: "bringup/attempt.rs",
        from: "            self.conclude(failure);
            self.go_back().await;",
        to: "            self.conclude(failure);",
        noticed_by: "fake::ladder::a_step_that_fails_takes_the_cpu_back_to_where_it_was_and_a_later_attempt_succeeds",
    },
    Mutation {
        guard: "so is one that fails at boot",
        file: "bringup/attempt.rs",
        from: "        if self.has_failed() {
            self.go_back().await;
        }",
        to: "        let _ = self.has_failed();",
        noticed_by: "fake::ladder::at_boot_a_failing_step_leaves_one_cpu_offline_whatever_the_strategy",
    },
    Mutation {
        guard: "an AP that fails in its first step down is looked for on the highest rung",
        file: "bringup/climb.rs",
        from: "matches!(slot.stage(), Stage::Alive | Stage::Online)",
        to: "matches!(slot.stage(), Stage::Alive)",
        noticed_by: "fake::ladder::a_step_that_fails_takes_the_cpu_back_to_where_it_was_and_a_later_attempt_succeeds",
    },
    Mutation {
        guard: "serialised steps of the first section run one at a time",
        file: "bringup/prepare.rs",
        from: "            true => Some(shared.gate.enter(self.index()).await),",
        to: "            true => None::<crate::gate::Passage<'_>>,",
        noticed_by: "fake::ladder::many_go_up_while_many_go_down_and_serialised_steps_never_overlap",
    },
    Mutation {
        guard: "siblings wait for the first thread of their core",
        file: "bringup/way.rs",
        from: "        shared.primaries.until_past(self.ap().place).await;
",
        to: "",
        noticed_by: "fake::primaries::first_threads_pass_the_step_before_their_siblings_are_kicked_whatever_the_strategy",
    },
    Mutation {
        guard: "a first thread whose outcome is known keeps nobody waiting",
        file: "bringup/tasks.rs",
        from: "        self.shared.primaries.conclude(self.ap().place);
",
        to: "",
        noticed_by: "fake::primaries::a_first_thread_that_fails_or_is_silent_keeps_its_sibling_from_nothing",
    },
    Mutation {
        guard: "an AP that parks is looked for until it has",
        file: "bringup/way.rs",
        from: "                self.until_parked().await?;
            }",
        to: "            }",
        noticed_by: "fake::ladder::a_cpu_is_driven_from_every_rung_to_every_other_step_by_step",
    },
    // Tasks for other CPUs: places.rs, inbox.rs
    Mutation {
        guard: "a place is taken by whom it is given to",
        file: "places.rs",
        from: "word & OPEN != 0 && place < PLACES).then_some(word | TAKEN << place)",
        to: "word & OPEN != 0 && place < PLACES).then_some(word)",
        noticed_by: "loom_inbox::of_two_senders_each_has_a_place_of_its_own",
    },
    Mutation {
        guard: "a sender sees that its place is empty, and what the CPU did before it opened",
        file: "places.rs",
        from: ".fetch_update(Ordering::Acquire, Ordering::Relaxed, take)",
        to: ".fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)",
        noticed_by: "loom_inbox::a_place_is_used_again_only_when_it_is_empty",
    },
    Mutation {
        guard: "a place becomes full only while the inbox is open",
        file: "places.rs",
        from: "(word & OPEN != 0).then_some(word | FULL << place)",
        to: "Some(word | FULL << place)",
        noticed_by: "loom_inbox::a_job_that_is_sent_as_the_inbox_closes_ends_and_its_handle_hears_of_it",
    },
    Mutation {
        guard: "a sender releases its job",
        file: "places.rs",
        from: ".fetch_update(Ordering::Release, Ordering::Relaxed, fill)",
        to: ".fetch_update(Ordering::Relaxed, Ordering::Relaxed, fill)",
        noticed_by: "loom_inbox::a_place_is_used_again_only_when_it_is_empty",
    },
    Mutation {
        guard: "the inbox's CPU acquires the jobs",
        file: "places.rs",
        from: "self.0.load(Ordering::Acquire);
        (0..PLACES)",
        to: "self.0.load(Ordering::Relaxed);
        (0..PLACES)",
        noticed_by: "loom_inbox::a_place_is_used_again_only_when_it_is_empty",
    },
    Mutation {
        guard: "a place is released when it is empty",
        file: "places.rs",
        from: ".fetch_and(!((TAKEN | FULL) << place), Ordering::Release)",
        to: ".fetch_and(!((TAKEN | FULL) << place), Ordering::Relaxed)",
        noticed_by: "loom_inbox::a_place_is_used_again_only_when_it_is_empty",
    },
    Mutation {
        guard: "opening releases what the CPU did before",
        file: "places.rs",
        from: "self.be((OPEN, CLOSING), Ordering::Release)",
        to: "self.be((OPEN, CLOSING), Ordering::Relaxed)",
        noticed_by: "loom_inbox::who_may_send_sees_what_the_cpu_did_before_it_opened",
    },
    Mutation {
        guard: "an inbox that opens is not closing any more",
        file: "places.rs",
        from: "self.be((OPEN, CLOSING), Ordering::Release)",
        to: "self.be((OPEN, 0), Ordering::Release)",
        noticed_by: "inbox::a_close_that_is_dropped_before_the_tasks_have_ended_has_not_happened",
    },
    Mutation {
        guard: "the server registers before it looks",
        file: "inbox.rs",
        from: "        register(&self.server, waker);
        self.places.full().filter_map(|place| self.take(place))",
        to: "        let full = self.places.full();
        register(&self.server, waker);
        full.filter_map(|place| self.take(place))",
        noticed_by: "loom_inbox::a_job_that_is_sent_is_found_or_wakes_the_server",
    },
    Mutation {
        guard: "a job that is sent wakes the server",
        file: "inbox.rs",
        from: "            self.server.wake();
        } else {",
        to: "        } else {",
        noticed_by: "loom_inbox::a_job_that_is_sent_is_found_or_wakes_the_server",
    },
    Mutation {
        guard: "a sender who was slower than the close ends its job",
        file: "inbox.rs",
        from: "            drop(self.take(place));
        }
        Ok(handle)",
        to: "        }
        Ok(handle)",
        noticed_by: "loom_inbox::a_job_that_is_sent_as_the_inbox_closes_ends_and_its_handle_hears_of_it",
    },
    Mutation {
        guard: "what lies in an inbox that closes is dropped",
        file: "inbox.rs",
        from: "        self.places.begin_to_close();
        for place in self.places.full() {
            drop(self.take(place));
        }",
        to: "        self.places.begin_to_close();",
        noticed_by: "loom_inbox::a_job_that_is_sent_as_the_inbox_closes_ends_and_its_handle_hears_of_it",
    },
    Mutation {
        guard: "an inbox is closed before it is emptied",
        file: "inbox.rs",
        from: "        self.places.begin_to_close();
        for place in self.places.full() {
            drop(self.take(place));
        }",
        to: "        for place in self.places.full() {
            drop(self.take(place));
        }
        self.places.begin_to_close();",
        noticed_by: "loom_inbox::a_job_that_is_sent_as_the_inbox_closes_ends_and_its_handle_hears_of_it",
    },
    Mutation {
        guard: "the tasks that run end when the inbox is closed",
        file: "inbox.rs",
        from: "            task.abort();",
        to: "            let _ = task;",
        noticed_by: "inbox::what_lies_in_the_inbox_and_what_runs_has_gone_when_it_is_closed_and_the_next_life_knows_nothing_of_it",
    },
    Mutation {
        guard: "a server that is dropped closes its inbox",
        file: "inbox.rs",
        from: "    fn drop(&mut self) {
        self.end();
    }",
        to: "    fn drop(&mut self) {}",
        noticed_by: "inbox::a_server_that_is_dropped_closes_the_inbox_even_if_it_was_never_polled",
    },
    Mutation {
        guard: "a close that is cancelled is taken back",
        file: "inbox.rs",
        from: "        let _taken_back = TakenBack(self);
",
        to: "        let _ = TakenBack;
",
        noticed_by: "inbox::a_close_that_is_dropped_before_the_tasks_have_ended_has_not_happened",
    },
    Mutation {
        guard: "tasks of others leave an executor its own slots",
        file: "inbox.rs",
        from: "self.tasks.len() < MAX_TASKS && ",
        to: "",
        noticed_by: "inbox::tasks_of_others_leave_the_cpu_the_slots_that_are_its_own",
    },
    Mutation {
        guard: "a task for which there is no slot is turned away and not lost",
        file: "inbox.rs",
        from: " && spawner.room().is_ok()",
        to: "",
        noticed_by: "inbox::an_executor_whose_slots_are_taken_has_no_room_and_says_so",
    },
    Mutation {
        guard: "a task that has ended makes room for what comes in the same moment",
        file: "inbox.rs",
        from: "        self.forget_ended(context);
        for job",
        to: "        for job",
        noticed_by: "inbox::tasks_of_others_leave_the_cpu_the_slots_that_are_its_own",
    },
    Mutation {
        guard: "the server hears of the end of the tasks that it spawns",
        file: "inbox.rs",
        from: "        // The new ones tell of their end only once they have been asked.
        self.forget_ended(context);
",
        to: "",
        noticed_by: "inbox::tasks_that_have_ended_leave_no_memory_behind",
    },
    Mutation {
        guard: "an AP that is abandoned where nobody could call it goes on down",
        file: "ap.rs",
        from: "        if !self.ladder.can_rest(self.at) {
            self.retreat();",
        to: "        if false {
            self.retreat();",
        noticed_by: "fake::ladder::an_ap_that_is_abandoned_where_it_cannot_rest_goes_down_to_where_it_can",
    },
    Mutation {
        guard: "what an AP was asked is withdrawn before it is abandoned",
        file: "slot.rs",
        from: "        self.notes.errand.withdraw();
",
        to: "",
        noticed_by: "fake::instances::a_cpu_that_did_not_move_when_it_was_asked_does_not_do_it_when_it_moves_again",
    },
    Mutation {
        guard: "an AP is seen on its rung before it is seen to rest",
        file: "slot.rs",
        from: "        is_there && self.stage() == rest",
        to: "        self.stage() == rest && (self.progress().rung == rung || is_there)",
        noticed_by: "an_ap_that_counts_as_come_to_its_rung_rests_there_and_has_not_only_set_out",
    },
    Mutation {
        guard: "an AP that nobody waits for is not asked the next thing before it comes back",
        file: "bringup/instances.rs",
        from: "            let _ = self.0.abandon(answered);
",
        to: "",
        noticed_by: "fake::instances::a_cpu_that_nobody_waits_for_any_more_does_not_take_the_next_question_for_this_one",
    },
    Mutation {
        guard: "a cancelled step with instances takes back those that are done",
        file: "instances.rs",
        from: "        while let Some(other) = self.last() {
            self.before = Some(other);
            let back",
        to: "        while let Some(other) = self.last().filter(|_| false) {
            self.before = Some(other);
            let back",
        noticed_by: "fake::instances::a_step_that_is_cancelled_between_two_instances_takes_back_those_that_are_up",
    },
    // The rendezvous: rendezvous.rs
    Mutation {
        guard: "nobody works before all have come",
        file: "rendezvous.rs",
        from: "        if self.missing > 0 {",
        to: "        if self.missing > 1 {",
        noticed_by: "loom_rendezvous::while_one_works_no_other_uses_memory_and_all_see_what_it_did",
    },
    Mutation {
        guard: "an arrival and the end of work release what was done before",
        file: "rendezvous.rs",
        from: "                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((now, next)),",
        to: "                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((now, next)),",
        noticed_by: "loom_rendezvous::while_one_works_no_other_uses_memory_and_all_see_what_it_did",
    },
    Mutation {
        guard: "a look at the stage acquires it",
        file: "rendezvous.rs",
        from: "Word::unpack(self.meeting.load(Ordering::Acquire))",
        to: "Word::unpack(self.meeting.load(Ordering::Relaxed))",
        noticed_by: "loom_rendezvous::while_one_works_no_other_uses_memory_and_all_see_what_it_did",
    },
    Mutation {
        guard: "a CPU is counted only where it is called",
        file: "rendezvous/seat.rs",
        from: "        is_called.then_some(part)",
        to: "        let _ = is_called;
        Some(part)",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_as_the_next_one_gathers_is_counted_there_only_if_it_is_called",
    },
    Mutation {
        guard: "an arrival is counted where it was looked up",
        file: "rendezvous.rs",
        from: "let is_awaited = word.generation == generation && word.missing > 0;",
        to: "let is_awaited = word.missing > 0;",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_as_the_next_one_gathers_is_counted_there_only_if_it_is_called",
    },
    Mutation {
        guard: "a caller opens a meeting before it looks who is present",
        file: "rendezvous.rs",
        from: "        self.0.meeting.swap(word.pack(), Ordering::AcqRel);
        fence(Ordering::SeqCst);",
        to: "        self.0.meeting.swap(word.pack(), Ordering::AcqRel);",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "a CPU is present before it looks whether a meeting is on",
        file: "rendezvous/seat.rs",
        from: "        self.present.swap(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);",
        to: "        self.present.swap(1, Ordering::AcqRel);",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "a CPU is gone before it looks whether a meeting is on",
        file: "rendezvous/seat.rs",
        from: "        self.present.swap(0, Ordering::AcqRel);
        fence(Ordering::SeqCst);",
        to: "        self.present.swap(0, Ordering::AcqRel);",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "a CPU that comes in looks whether a meeting is on",
        file: "rendezvous.rs",
        from: "        if let Some(generation) = self.in_progress() {
            stand(generation);
        }",
        to: "        let _ = stand;",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "a CPU that goes out looks whether a meeting is on",
        file: "rendezvous.rs",
        from: "            let Some(generation) = self.in_progress() else {
                return;
            };",
        to: "            if true {
                return;
            }
            let Some(generation) = self.in_progress() else {
                return;
            };",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "a CPU that stands beside a meeting is present, and so is woken",
        file: "rendezvous.rs",
        from: "            seat.come();
            stand(generation);",
        to: "            stand(generation);",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "what a CPU did before it went out is seen by who works without it",
        file: "rendezvous/seat.rs",
        from: "self.present.swap(0, Ordering::AcqRel);
        fence(Ordering::SeqCst);",
        to: "self.present.swap(0, Ordering::Relaxed);",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "the turn is given back before the caller looks whom it has to wake",
        file: "rendezvous.rs",
        from: "        self.0.caller.swap(NOBODY, Ordering::AcqRel);
        fence(Ordering::SeqCst);",
        to: "        self.0.caller.swap(NOBODY, Ordering::AcqRel);",
        noticed_by: "loom_rendezvous::of_two_cpus_that_stop_each_other_one_goes_first_and_the_other_comes_to_it",
    },
    Mutation {
        guard: "there is one caller at a time",
        file: "rendezvous.rs",
        from: "            .compare_exchange(NOBODY, cpu.0, Ordering::Acquire, Ordering::Relaxed)
            .map(|_| Turn(self))
            .map_err(CpuIndex)",
        to: "            .compare_exchange(NOBODY, cpu.0, Ordering::Acquire, Ordering::Relaxed)
            .map_or_else(|_| Ok(Turn(self)), |_| Ok(Turn(self)))",
        noticed_by: "loom_rendezvous::of_two_cpus_that_stop_each_other_one_goes_first_and_the_other_comes_to_it",
    },
    Mutation {
        guard: "a meeting gathers until it is known how many are called",
        file: "rendezvous.rs",
        from: "            missing: Word::UNCOUNTED,",
        to: "            missing: Word::UNCOUNTED & 0,",
        noticed_by: "loom_rendezvous::a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands",
    },
    Mutation {
        guard: "a CPU looks at its meeting behind the words that say what to do",
        file: "rendezvous.rs",
        from: "        let work = self.work.read();
        // Behind that: what was read of a later meeting's shows that this one is over (`work.rs`).
        (self.stage(generation) == Stage::Working).then_some(work)",
        to: "        (self.stage(generation) == Stage::Working).then(|| self.work.read())",
        noticed_by: "loom_rendezvous::a_cpu_that_meant_to_work_as_its_meeting_was_ended_does_not_do_the_next_ones_work",
    },
    Mutation {
        guard: "a caller releases each word that says what to do, behind the end of the meeting before",
        file: "rendezvous/work.rs",
        from: "word.store(value, Ordering::Release)",
        to: "word.store(value, Ordering::Relaxed)",
        noticed_by: "loom_rendezvous::a_cpu_that_meant_to_work_as_its_meeting_was_ended_does_not_do_the_next_ones_work",
    },
    Mutation {
        guard: "a CPU acquires each word that says what to do",
        file: "rendezvous/work.rs",
        from: "word.load(Ordering::Acquire)",
        to: "word.load(Ordering::Relaxed)",
        noticed_by: "loom_rendezvous::a_cpu_that_meant_to_work_as_its_meeting_was_ended_does_not_do_the_next_ones_work",
    },
    // What a CPU does, told from an NMI: probe.rs
    Mutation {
        guard: "a CPU releases what it tells",
        file: "probe.rs",
        from: "            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()",
        to: "            .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()",
        noticed_by: "loom_probe::an_answer_is_whole_and_none_is_written_over_while_it_is_read",
    },
    Mutation {
        guard: "whoever asked acquires it",
        file: "probe.rs",
        from: "self.probe.state.load(Ordering::Acquire) == state(GIVEN, self.own)",
        to: "self.probe.state.load(Ordering::Relaxed) == state(GIVEN, self.own)",
        noticed_by: "loom_probe::an_answer_is_whole_and_none_is_written_over_while_it_is_read",
    },
    Mutation {
        guard: "what a CPU told is not written over while it is read",
        file: "probe.rs",
        from: "if now & STAGE != ASKED || !self.moves",
        to: "if now & STAGE == FREE || !self.moves",
        noticed_by: "loom_probe::an_answer_is_whole_and_none_is_written_over_while_it_is_read",
    },
    Mutation {
        guard: "an NMI is noted before it is looked whether the CPU takes it",
        file: "probe.rs",
        from: "        self.owed.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);",
        to: "        self.owed.fetch_add(1, Ordering::AcqRel);",
        noticed_by: "loom_probe::no_nmi_is_sent_to_a_cpu_that_takes_none_and_does_not_wait_for_it",
    },
    Mutation {
        guard: "a CPU takes no more NMIs before it looks whether one may come",
        file: "probe.rs",
        from: "        fence(Ordering::SeqCst);
        let is_owed = self.owed.load",
        to: "        let is_owed = self.owed.load",
        noticed_by: "loom_probe::no_nmi_is_sent_to_a_cpu_that_takes_none_and_does_not_wait_for_it",
    },
    Mutation {
        guard: "what is owed to nobody who asks is not waited for",
        file: "probe.rs",
        from: "is_owed && matches!(stage, ASKED | WRITING)",
        to: "is_owed && stage <= GIVEN",
        noticed_by: "loom_probe::no_nmi_is_sent_to_a_cpu_that_takes_none_and_does_not_wait_for_it",
    },
];
