//! The guards of tasks for other CPUs.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
    // places.rs, inbox.rs
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
        from: "                task.abort();",
        to: "                let _ = task;",
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
        from: "running < MAX_TASKS && ",
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
];
