//! The guards of what the kernel has from its devices.

mod shell;

use crate::{Mutation, Subject};

pub(crate) const SUBJECT: Subject = Subject {
    folders: &["kernel"],
    package: "reveille-kernel",
    loom: &["--lib"],
    rustflags: "",
    module: "",
    mutations: &[MUTATIONS, shell::MUTATIONS],
};

const ANNOUNCED: &str = "lib::console::ring_model::a_byte_that_is_announced_is_there";
const OVERWRITTEN: &str = "lib::console::ring_model::a_byte_that_was_not_taken_is_not_overwritten";
const HELD_BACK: &str =
    "lib::console::receiver::tests::a_sender_that_does_not_stop_is_held_back_and_loses_nothing";

const MUTATIONS: &[Mutation] = &[
    // console/ring.rs
    Mutation {
        guard: "a byte is announced behind its being written",
        file: "console/ring.rs",
        from: "self.put.store(put.wrapping_add(1), Ordering::Release);",
        to: "self.put.store(put.wrapping_add(1), Ordering::Relaxed);",
        noticed_by: ANNOUNCED,
    },
    Mutation {
        guard: "a byte is read behind its announcement",
        file: "console/ring.rs",
        from: "let there = self.put.load(Ordering::Acquire)",
        to: "let there = self.put.load(Ordering::Relaxed)",
        noticed_by: ANNOUNCED,
    },
    Mutation {
        guard: "a place is given back behind its being read",
        file: "console/ring.rs",
        from: "self.taken.store(taken, Ordering::Release);",
        to: "self.taken.store(taken, Ordering::Relaxed);",
        noticed_by: OVERWRITTEN,
    },
    Mutation {
        guard: "a place is used again behind its being given back",
        file: "console/ring.rs",
        from: "if put.wrapping_sub(self.taken.load(Ordering::Acquire))",
        to: "if put.wrapping_sub(self.taken.load(Ordering::Relaxed))",
        noticed_by: OVERWRITTEN,
    },
    // console/receiver.rs
    Mutation {
        guard: "a byte stays in the UART while the ring is full",
        file: "console/receiver.rs",
        from: "if self.ring.is_full() {",
        to: "if false {",
        noticed_by: HELD_BACK,
    },
    Mutation {
        guard: "who lets the sender go on fetches what the UART has kept",
        file: "console/receiver.rs",
        from: "            uart.let_send(true, self.by_interrupt.load(Ordering::Relaxed));\n            self.take_in(uart);",
        to: "            uart.let_send(true, self.by_interrupt.load(Ordering::Relaxed));",
        noticed_by: HELD_BACK,
    },
];
