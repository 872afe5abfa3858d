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
const NOT_HELD_BACK: &str =
    "lib::console::receiver::tests::a_sender_that_cannot_be_held_back_fills_the_uart_and_no_more";
const GONE: &str =
    "lib::console::receiver::tests::a_uart_that_is_gone_or_stuck_is_not_read_for_ever";

const LAST_ALIVE: &str =
    "lib::vmm_probe::alive_count_model::of_aps_that_are_alive_at_once_one_is_the_last";

const ALIVE_AGAIN: &str =
    "lib::vmm_probe::alive_count_model::an_ap_that_is_alive_again_does_not_stand_for_another";

const MUTATIONS: &[Mutation] = &[
    // vmm_probe/alive_count.rs
    Mutation {
        guard: "of all APs that are alive at once one alone is the last",
        file: "vmm_probe/alive_count.rs",
        from: "self.0.fetch_sub(1, Ordering::Relaxed) == 1",
        to: "{ let left = self.0.load(Ordering::Relaxed); self.0.store(left.wrapping_sub(1), Ordering::Relaxed); left == 1 }",
        noticed_by: LAST_ALIVE,
    },
    Mutation {
        guard: "an AP that is alive again is not counted again",
        file: "vmm_probe/alive_count.rs",
        from: "&& !ap.0.swap(true, Ordering::Relaxed)",
        to: "&& !ap.0.swap(false, Ordering::Relaxed)",
        noticed_by: ALIVE_AGAIN,
    },
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
        from: "if !has_room {",
        to: "if false {",
        noticed_by: NOT_HELD_BACK,
    },
    Mutation {
        guard: "a sender is held back while there is room for what it has on its way",
        file: "console/receiver.rs",
        from: "const RESERVE: u32 = 256;",
        to: "const RESERVE: u32 = 64;",
        noticed_by: HELD_BACK,
    },
    Mutation {
        guard: "a UART that is gone has no bytes",
        file: "console/receiver.rs",
        from: "if status == u8::MAX && !uart.is_there() {",
        to: "if false {",
        noticed_by: GONE,
    },
    Mutation {
        guard: "no call fetches without an end",
        file: "console/receiver.rs",
        from: "const MOST_AT_ONCE: usize = RING_SIZE + FIFO_DEPTH as usize;",
        to: "const MOST_AT_ONCE: usize = 16 * RING_SIZE;",
        noticed_by: GONE,
    },
    Mutation {
        guard: "who lets the sender go on fetches what the UART has kept",
        file: "console/receiver.rs",
        from: "        uart.let_send(true, self.by_interrupt.load(Ordering::Relaxed));\n        self.take_in(uart);",
        to: "        uart.let_send(true, self.by_interrupt.load(Ordering::Relaxed));",
        noticed_by: NOT_HELD_BACK,
    },
];
