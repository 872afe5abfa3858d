//! The guards of changes that no CPU may miss.

use crate::Mutation;

const CALLED: &str = "loom_changes::a_cpu_that_comes_as_a_change_is_made_is_called_or_catches_up";
const TWICE: &str =
    "loom_changes::a_cpu_that_comes_twice_as_a_change_is_made_has_followed_in_the_end";

pub(super) const MUTATIONS: &[Mutation] = &[
    // changes.rs
    Mutation {
        guard: "a change is counted before it is looked who takes calls",
        file: "changes.rs",
        from: "        self.0.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);",
        to: "        self.0.fetch_add(1, Ordering::Release);",
        noticed_by: CALLED,
    },
    Mutation {
        guard: "a CPU takes calls before it looks at the count",
        file: "changes.rs",
        from: "        fence(Ordering::SeqCst);
        let made",
        to: "        let made",
        noticed_by: CALLED,
    },
    Mutation {
        guard: "the count releases the change",
        file: "changes.rs",
        from: "self.0.fetch_add(1, Ordering::Release)",
        to: "self.0.fetch_add(1, Ordering::Relaxed)",
        noticed_by: TWICE,
    },
    Mutation {
        guard: "a CPU that looks at the count acquires the change",
        file: "changes.rs",
        from: "self.0.load(Ordering::Acquire)",
        to: "self.0.load(Ordering::Relaxed)",
        noticed_by: TWICE,
    },
    Mutation {
        guard: "a CPU has seen what it read before it followed",
        file: "changes.rs",
        from: "            follow();
            seen.0.store(made, Ordering::Relaxed);",
        to: "            follow();
            seen.0.store(self.0.load(Ordering::Acquire), Ordering::Relaxed);",
        noticed_by: TWICE,
    },
    Mutation {
        guard: "a CPU that has not seen a change follows it",
        file: "changes.rs",
        from: "            follow();
            seen",
        to: "            let _ = follow;
            seen",
        noticed_by: CALLED,
    },
];
