//! The guards of the executor.

use crate::{Mutation, Subject};

pub(crate) const SUBJECT: Subject = Subject {
    folders: &["executor"],
    package: "reveille-executor",
    loom: &["--test", "loom"],
    rustflags: "--cfg loom",
    module: "",
    mutations: &[MUTATIONS],
};

const MUTATIONS: &[Mutation] = &[
    // The sleep: sleep.rs
    Mutation {
        guard: "the sleeper looks again after it has announced its sleep",
        file: "sleep.rs",
        from: "is_empty(self.root.word())",
        to: "true || is_empty(self.root.word())",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the sleeper looks at the root's word too",
        file: "sleep.rs",
        from: "is_empty(self.root.word())",
        to: "true",
        noticed_by: "a_waker_against_the_sleep_of_block_on_itself",
    },
    Mutation {
        guard: "the sleeper's look is a read-modify-write",
        file: "ready.rs",
        from: "self.0.fetch_or(0, Release) == 0",
        to: "self.0.load(Acquire) == 0",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the sleeper's look releases the announcement",
        file: "ready.rs",
        from: "self.0.fetch_or(0, Release) == 0",
        to: "self.0.fetch_or(0, Relaxed) == 0",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the announcement comes before the look",
        file: "sleep.rs",
        from: "        self.sleep.announce();
        monitor(core::ptr::from_ref(&self.sleep.0).cast());
        let open = !self.sleep.is_rung() && self.nothing_is_ready();",
        to: "        let open = self.nothing_is_ready();
        self.sleep.announce();
        monitor(core::ptr::from_ref(&self.sleep.0).cast());
        let open = open && !self.sleep.is_rung();",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "a waker rings before it says that it has rung",
        file: "sleep.rs",
        from: "        platform.ring();
        // Failure means that the owner is up again or that another waker marked it: both are fine.
        let _ = self.0.compare_exchange(seen, seen | RUNG, Release, Relaxed);",
        to: "        let _ = self.0.compare_exchange(seen, seen | RUNG, Release, Relaxed);
        platform.ring();",
        noticed_by: "a_wake_that_has_returned_has_rung_even_if_another_has_not",
    },
    Mutation {
        guard: "who finds RUNG sees the ring: the mark releases it",
        file: "sleep.rs",
        from: "seen | RUNG, Release, Relaxed",
        to: "seen | RUNG, Relaxed, Relaxed",
        noticed_by: "a_wake_that_has_returned_has_rung_even_if_another_has_not",
    },
    Mutation {
        guard: "who finds RUNG sees the ring: the look at the sleep word acquires it",
        file: "sleep.rs",
        from: "self.0.load(Acquire)",
        to: "self.0.load(Relaxed)",
        noticed_by: "a_wake_that_has_returned_has_rung_even_if_another_has_not",
    },
    Mutation {
        guard: "a late mark does not silence the next sleep: compare-and-exchange",
        file: "sleep.rs",
        from: ".compare_exchange(seen, seen | RUNG, Release, Relaxed)",
        to: ".fetch_or(RUNG, Release)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "a late mark does not silence the next sleep: each sleep has a number",
        file: "sleep.rs",
        from: "const ONE_SLEEP: u64 = 1 << 2;",
        to: "const ONE_SLEEP: u64 = 0;",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the announcement is taken back",
        file: "sleep.rs",
        from: "        if self.entered.get() {
            self.sleep.retract();
        }",
        to: "",
        noticed_by: "sleeping::only_a_sleeping_executor_is_rung_and_once_a_sleep",
    },
    Mutation {
        guard: "each entry of the gate begins a sleep of its own",
        file: "sleep.rs",
        from: "            // A ring of the last sleep is not one of this.
            self.sleep.retract();
        }
        self.sleep.announce();",
        to: "        } else {
            self.sleep.announce();
        }",
        noticed_by: "sleeping::a_ring_of_the_last_entry_does_not_silence_the_next",
    },
    Mutation {
        guard: "a ring that came before the monitor was armed shuts the gate",
        file: "sleep.rs",
        from: "!self.sleep.is_rung() && ",
        to: "",
        noticed_by: "sleeping::a_ring_that_comes_before_the_monitor_is_armed_shuts_the_gate",
    },
    Mutation {
        guard: "the sleeper looks at every leaf",
        file: "sleep.rs",
        from: "blocks.iter().all(",
        to: "blocks.iter().take(1).all(",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level_two_leaves",
    },
    Mutation {
        guard: "the sleeper looks at every summary word",
        file: "sleep.rs",
        from: "words.iter().all(",
        to: "words.iter().take(1).all(",
        noticed_by: "sleeping::the_gate_is_shut_while_there_is_work_in_the_last_slot",
    },
    Mutation {
        guard: "a gate that was shut is no time asleep",
        file: "sleep.rs",
        from: "self.open.set(self.open.get() | open);",
        to: "self.open.set(true);",
        noticed_by: "sleeping::a_shut_gate_is_no_time_asleep",
    },
    // The ready set: ready.rs
    Mutation {
        guard: "a waker releases what it wrote",
        file: "ready.rs",
        from: "self.0.fetch_or(bits, AcqRel)",
        to: "self.0.fetch_or(bits, Acquire)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "a waker acquires the announcement from a leaf that is a top word",
        file: "ready.rs",
        from: "self.0.fetch_or(bits, AcqRel)",
        to: "self.0.fetch_or(bits, Release)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "a waker acquires the announcement from a summary word that it writes",
        file: "ready.rs",
        from: "self.0.fetch_or(bit, Acquire)",
        to: "self.0.fetch_or(bit, Relaxed)",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "a waker acquires the announcement from a summary word that it only reads",
        file: "ready.rs",
        from: "self.0.load(Acquire) & bit == 0",
        to: "self.0.load(Relaxed) & bit == 0",
        noticed_by: "a_wake_that_has_returned_has_rung_even_if_another_has_not",
    },
    Mutation {
        guard: "the summary is looked at although the task was ready before",
        file: "ready.rs",
        from: "if let Some(summary) = self.summary {",
        to: "if before != bits && let Some(summary) = self.summary {",
        noticed_by: "a_wake_that_has_returned_does_not_depend_on_one_that_has_not",
    },
    Mutation {
        guard: "the leaf's bit is set before the summary's",
        file: "ready.rs",
        from: "        let before = self.ready.set(bits);
        if let Some(summary) = self.summary {
            summary.ensure(self.summary_bit);
        }",
        to: "        if let Some(summary) = self.summary {
            summary.set(self.summary_bit);
        }
        let before = self.ready.set(bits);",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "the owner acquires what the waker wrote",
        file: "ready.rs",
        from: "self.0.swap(0, AcqRel)",
        to: "self.0.swap(0, Release)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the owner's take of a leaf releases the clearing of its summary bit",
        file: "ready.rs",
        from: "self.0.swap(0, AcqRel)",
        to: "self.0.swap(0, Acquire)",
        noticed_by: "a_wake_during_the_poll_is_not_lost",
    },
    // The owner: executor.rs, slots.rs, task.rs, timer.rs
    Mutation {
        guard: "a task's bit is taken before it is polled",
        file: "executor.rs",
        from: "        let mut ready = Taken::from(&block.leaf);
        while let Some(bit) = ready.lowest() {
            ready.remove(bit);",
        to: "        let word = block.leaf.word();
        let mut ready = Taken { leaf: &block.leaf, bits: word.glance() };
        struct TakeLate<'a>(&'a ReadyWord);
        impl Drop for TakeLate<'_> {
            fn drop(&mut self) {
                self.0.take();
            }
        }
        let _take = TakeLate(word);
        while let Some(bit) = ready.lowest() {
            ready.remove(bit);",
        noticed_by: "a_wake_during_the_poll_is_not_lost",
    },
    Mutation {
        guard: "an empty leaf is taken once more after its summary bit is cleared",
        file: "executor.rs",
        from: "                word.clear_if_empty(1 << bit, block.leaf.word());",
        to: "                let was_empty = !block.leaf.word().is_ready();
                word.clear_if_empty(1 << bit, block.leaf.word());
                if was_empty {
                    continue;
                }",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "a summary bit is cleared before its leaf is taken for the last time",
        file: "executor.rs",
        from: "                word.clear_if_empty(1 << bit, block.leaf.word());
                polls += self.poll_block(block);",
        to: "                polls += self.poll_block(block);
                word.clear_if_empty(1 << bit, block.leaf.word());",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "what a panic leaves of a round goes back",
        file: "executor.rs",
        from: "self.leaf.insert(self.bits);",
        to: "",
        noticed_by: "bad_input::a_task_that_panics_ends_and_all_others_go_on",
    },
    Mutation {
        guard: "what a panic leaves of a round goes back up to the summary",
        file: "executor.rs",
        from: "self.leaf.insert(self.bits);",
        to: "let leaf = core::ptr::from_ref(self.leaf.word()).cast::<crate::sync::AtomicU64>();
            unsafe { &*leaf }.fetch_or(self.bits, crate::sync::Ordering::AcqRel);",
        noticed_by: "a_panic_loses_no_wake_that_was_taken_with_its_own",
    },
    Mutation {
        guard: "a task that is aborted leaves its slot",
        file: "slots.rs",
        from: "} else if let Some(task) = self.take(slot) {",
        to: "} else {",
        noticed_by: "a_wake_racing_cancellation_costs_one_poll_at_most",
    },
    Mutation {
        guard: "a handle is for one task, not for the next one in its slot",
        file: "slots.rs",
        from: "        if slot.task() != Some(task) {
            return;
        }",
        to: "",
        noticed_by: "bad_input::a_late_abort_does_not_hit_the_next_task_in_the_slot",
    },
    Mutation {
        guard: "nothing is spawned during a reset",
        file: "slots.rs",
        from: "self.open.replace(false)",
        to: "self.open.get()",
        noticed_by: "bad_input::tasks_that_spawn_while_they_are_dropped_by_a_reset_are_refused",
    },
    Mutation {
        guard: "a drop that panics does not keep the other tasks from being dropped",
        file: "slots.rs",
        from: "                self.0.abort_all();",
        to: "                let _ = self.0;",
        noticed_by: "bad_input::a_drop_that_panics_in_the_drop_of_an_executor_leaves_no_task",
    },
    Mutation {
        guard: "a drop that panics does not keep timers and wakes from being forgotten",
        file: "executor.rs",
        from: "        let _forget = Forget(&self.core.local);
        self.core.local.slots.clear();",
        to: "        self.core.local.slots.clear();
        drop(Forget(&self.core.local));",
        noticed_by: "bad_input::a_drop_that_panics_in_a_reset_stops_nothing_of_it",
    },
    Mutation {
        guard: "a reset forgets the wake of block_on's future",
        file: "executor.rs",
        from: "        self.0.shared.root.word().take();",
        to: "",
        noticed_by: "bad_input::a_reset_forgets_the_wakes_of_tasks_and_of_block_on",
    },
    Mutation {
        guard: "a reset forgets the wakes of the tasks",
        file: "executor.rs",
        from: "            block.leaf.word().take();
        }
    }",
        to: "            let _ = block;
        }
    }",
        noticed_by: "bad_input::a_reset_forgets_the_wakes_of_tasks_and_of_block_on",
    },
    Mutation {
        guard: "an abort ends with the poll that panics, and does not hit the next task",
        file: "slots.rs",
        from: "        self.abort_polled.set(false);
        if",
        to: "        if",
        noticed_by: "bad_input::a_task_that_aborts_itself_and_panics_ends_no_other",
    },
    Mutation {
        guard: "a join handle looks at the task again after the clone of a waker",
        file: "join.rs",
        from: "        // First, as the clone of a waker may panic, or end the task.
        let waker = context.waker().clone();
        let join = this
            .join
            .take()
            .expect(\"a join handle is polled after it was ready\");
        if join.has_ended() {
            return Poll::Ready(join.into_output());
        }",
        to: "        let join = this
            .join
            .take()
            .expect(\"a join handle is polled after it was ready\");
        if join.has_ended() {
            return Poll::Ready(join.into_output());
        }
        let waker = context.waker().clone();",
        noticed_by: "bad_input::a_waker_whose_clone_ends_the_task_finds_the_join_handle_ready",
    },
    Mutation {
        guard: "a sleep looks at its timer again after the clone of a waker",
        file: "timer.rs",
        from: "State::Fired => Poll::Ready(()),\n            State::Set | State::Unset",
        to: "State::Fired | State::Set | State::Unset",
        noticed_by: "bad_input::a_waker_whose_clone_lets_the_timer_fire_finds_the_sleep_ready",
    },
    Mutation {
        guard: "unused storage is all zeros",
        file: "slots.rs",
        from: " vacant: Cell::new(0),",
        to: " vacant: Cell::new(u64::MAX),",
        noticed_by: "basics::unused_storage_takes_no_room_in_the_image",
    },
    Mutation {
        guard: "a timeout polls its future before it looks at the deadline",
        file: "timer.rs",
        from: "        if let Poll::Ready(output) = future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        sleep.poll(context).map(|()| Err(Elapsed))",
        to: "        if sleep.poll(context).is_ready() {
            return Poll::Ready(Err(Elapsed));
        }
        future.poll(context).map(Ok)",
        noticed_by: "bad_input::what_is_ready_at_the_first_poll_beats_a_deadline_in_the_past",
    },
    Mutation {
        guard: "equal deadlines fire in the order in which they were set",
        file: "timer_heap.rs",
        from: "(self.deadline.get(), self.sequence.get()) < (other.deadline.get(), other.sequence.get())",
        to: "self.deadline.get() <= other.deadline.get()",
        noticed_by: "timers::timers_fire_by_deadline_and_equal_ones_in_the_order_in_which_they_were_set",
    },
    Mutation {
        guard: "a sleep that is dropped takes its timer back",
        file: "timer_heap.rs",
        from: "        node.state.set(State::Unset);
    }",
        to: "    }",
        noticed_by: "timers::timers_fire_by_deadline_and_equal_ones_in_the_order_in_which_they_were_set",
    },
];
