//! The guards of the way up and down the ladder, tried against the fake machine.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
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
];
