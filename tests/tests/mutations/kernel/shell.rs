//! The guards of the shell: whoever waits for something hears of it.

use crate::Mutation;

const WOKEN: &str = "lib::interruption::tests::whoever_waits_for_it_is_woken_when_it_is_asked_for";
const ENDED: &str = "lib::shell::jobs::tests::whoever_waits_for_an_end_is_woken_by_it";
const PRESSED: &str = "lib::shell::typed_keys::tests::whoever_waits_for_a_key_is_woken_by_it";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        guard: "a command that waits hears that it is to end",
        file: "interruption.rs",
        from: "wish.waiting.wake();",
        to: "",
        noticed_by: WOKEN,
    },
    Mutation {
        guard: "a command that waits for its end can be told",
        file: "interruption.rs",
        from: "wish.waiting.register(context.waker());",
        to: "",
        noticed_by: WOKEN,
    },
    Mutation {
        guard: "the shell hears that a command has ended",
        file: "shell/jobs.rs",
        from: "            waker.wake();\n",
        to: "            drop(waker);\n",
        noticed_by: ENDED,
    },
    Mutation {
        guard: "the shell can be told that a command has ended, each time that it waits",
        file: "shell/jobs.rs",
        from: "self.0.waiting.replace(Some(context.waker().clone()));",
        to: "",
        noticed_by: ENDED,
    },
    Mutation {
        guard: "a view hears of a key",
        file: "shell/typed_keys.rs",
        from: "            waker.wake();\n",
        to: "            drop(waker);\n",
        noticed_by: PRESSED,
    },
];
