//! The guards of the rendezvous.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
    // rendezvous.rs
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
];
