//! The guards of what a CPU tells from an NMI of what it does.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[
    // probe.rs
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
