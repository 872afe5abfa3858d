//! The guards of the readings of clocks.

use crate::Mutation;

const A_READING: &str =
    "loom_clock::a_reading_that_is_asked_for_comes_and_lies_between_the_two_of_the_bsp";

pub(super) const MUTATIONS: &[Mutation] = &[
    // clock_line.rs
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
];
