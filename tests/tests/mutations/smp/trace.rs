//! The guards of what a CPU notes as it runs.

use crate::Mutation;

const A_TRACE_READ: &str = "loom_trace::who_reads_while_a_cpu_notes_is_told_whole_events_only";
const A_TRACE_INTERRUPTED: &str =
    "loom_trace::an_nmi_in_the_middle_of_a_write_leaves_one_of_the_two_events_and_it_is_whole";

pub(super) const MUTATIONS: &[Mutation] = &[
    // trace/ring.rs
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
];
