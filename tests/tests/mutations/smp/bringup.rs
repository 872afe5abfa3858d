//! The guards of the futures that bring CPUs up, tried against the fake machine.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
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
        noticed_by: "loom_mailbox::whoever_sees_a_request_in_the_mailbox_sees_all_of_it",
    },
    Mutation {
        guard: "whoever sees the mailbox free is behind the AP that has read it",
        file: "mailbox.rs",
        from: "self.command.load(Ordering::Acquire) == NOOP",
        to: "self.command.load(Ordering::Relaxed) == NOOP",
        noticed_by: "loom_mailbox::behind_an_answer_nobody_reads_the_request_any_more",
    },
    Mutation {
        guard: "a retraction that comes too late is behind the AP that has read the mailbox",
        file: "mailbox.rs",
        from: ".compare_exchange(WAKEUP, NOOP, Ordering::AcqRel, Ordering::Acquire)",
        to: ".compare_exchange(WAKEUP, NOOP, Ordering::AcqRel, Ordering::Relaxed)",
        noticed_by: "loom_mailbox::behind_a_retraction_that_came_too_late_nobody_reads_the_request_any_more",
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
];
