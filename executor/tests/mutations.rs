//! Each guard matters: with it removed or weakened, a model or a test fails.
//!
//! A mutation is a replacement in one source file. The check copies the workspace's manifests and
//! this crate into the target folder, applies one mutation at a time there, and runs the test that
//! has to notice. A mutation whose text is no longer found, that does not compile, or that goes
//! unnoticed, is a failure.
//!
//! It takes minutes, and is asked for: `cargo test -p reveille-executor --test mutations -- --ignored`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Mutation {
    /// What is lost.
    guard: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The test that fails: of `tests/loom.rs`, or as `file::test` of another.
    noticed_by: &'static str,
}

const MUTATIONS: &[Mutation] = &[
    // The sleep: sleep.rs
    Mutation {
        guard: "the sleeper looks again after it has announced its sleep",
        file: "sleep.rs",
        from: "look(self.root.word())",
        to: "let _ = look;
        true || look(self.root.word())",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the sleeper looks at the root's word too",
        file: "sleep.rs",
        from: "look(self.root.word())",
        to: "true",
        noticed_by: "a_waker_against_the_sleep_of_block_on_itself",
    },
    Mutation {
        guard: "the sleeper's look is a read-modify-write",
        file: "sleep.rs",
        from: "word.fetch_or(0, Release) == 0",
        to: "word.load(Acquire) == 0",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the sleeper's look releases the announcement",
        file: "sleep.rs",
        from: "word.fetch_or(0, Release) == 0",
        to: "word.fetch_or(0, Relaxed) == 0",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the announcement comes before the look",
        file: "sleep.rs",
        from: "        if !self.entered.replace(true) {
            self.sleep.announce();
        }
        monitor(core::ptr::from_ref(&self.sleep.0).cast());
        self.nothing_is_ready()",
        to: "        let _ = &monitor;
        let nothing_is_ready = self.nothing_is_ready();
        if !self.entered.replace(true) {
            self.sleep.announce();
        }
        nothing_is_ready",
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
        from: "            self.sleep.retract();",
        to: "",
        noticed_by: "sleeping::only_a_sleeping_executor_is_rung_and_once_a_sleep",
    },
    // The ready set: ready.rs
    Mutation {
        guard: "a waker releases what it wrote",
        file: "ready.rs",
        from: "self.ready.fetch_or(bits, AcqRel)",
        to: "self.ready.fetch_or(bits, Acquire)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "a waker acquires the announcement from a leaf that is a top word",
        file: "ready.rs",
        from: "self.ready.fetch_or(bits, AcqRel)",
        to: "self.ready.fetch_or(bits, crate::sync::Ordering::Release)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "a waker acquires the announcement from a summary word that it writes",
        file: "ready.rs",
        from: "summary.fetch_or(self.summary_bit, Acquire)",
        to: "summary.fetch_or(self.summary_bit, Relaxed)",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "a waker acquires the announcement from a summary word that it only reads",
        file: "ready.rs",
        from: "summary.load(Acquire)",
        to: "summary.load(Relaxed)",
        noticed_by: "a_wake_that_has_returned_has_rung_even_if_another_has_not",
    },
    Mutation {
        guard: "the summary is looked at although the task was ready before",
        file: "ready.rs",
        from: "if let Some(summary) = self.summary\n",
        to: "if before & bits != bits\n            && let Some(summary) = self.summary\n",
        noticed_by: "a_wake_that_has_returned_does_not_depend_on_one_that_has_not",
    },
    Mutation {
        guard: "the leaf's bit is set before the summary's",
        file: "ready.rs",
        from: "let before = self.ready.fetch_or(bits, AcqRel);",
        to: "if let Some(summary) = self.summary {
            summary.fetch_or(self.summary_bit, AcqRel);
        }
        let before = self.ready.fetch_or(bits, AcqRel);
        if self.summary.is_some() {
            return before & bits == bits;
        }",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "the owner acquires what the waker wrote",
        file: "ready.rs",
        from: "word.swap(0, AcqRel)",
        to: "word.swap(0, crate::sync::Ordering::Release)",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the owner's take of a leaf releases the clearing of its summary bit",
        file: "ready.rs",
        from: "word.swap(0, AcqRel)",
        to: "word.swap(0, Acquire)",
        noticed_by: "a_wake_during_the_poll_is_not_lost",
    },
    // The owner: executor.rs, slots.rs, task.rs, timer.rs
    Mutation {
        guard: "a task's bit is taken before it is polled",
        file: "executor.rs",
        from: "        let mut ready = Taken::from(block.leaf.word());
        while let Some(bit) = ready.lowest() {
            ready.remove(bit);",
        to: "        let word = block.leaf.word();
        let bits = word.load(crate::sync::Ordering::Acquire);
        let mut ready = Taken { word, bits };
        struct Clear<'a>(&'a AtomicU64, u64);
        impl Drop for Clear<'_> {
            fn drop(&mut self) {
                self.0.fetch_and(!self.1, AcqRel);
            }
        }
        let _clear = Clear(word, bits);
        while let Some(bit) = ready.lowest() {
            ready.remove(bit);",
        noticed_by: "a_wake_during_the_poll_is_not_lost",
    },
    Mutation {
        guard: "an empty leaf is taken once more after its summary bit is cleared",
        file: "executor.rs",
        from: "                    word.fetch_and(!(1 << bit), Relaxed);
                }",
        to: "                    word.fetch_and(!(1 << bit), Relaxed);
                    continue;
                }",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "a summary bit is cleared before its leaf is taken for the last time",
        file: "executor.rs",
        from: "                    word.fetch_and(!(1 << bit), Relaxed);
                }
                polls += self.poll_block(block);",
        to: "                    polls += self.poll_block(block);
                    word.fetch_and(!(1 << bit), Relaxed);
                    continue;
                }
                polls += self.poll_block(block);",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
    },
    Mutation {
        guard: "what a panic leaves of a round goes back",
        file: "executor.rs",
        from: "self.word.fetch_or(self.bits, AcqRel);",
        to: "",
        noticed_by: "bad_input::a_task_that_panics_ends_and_all_others_go_on",
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

#[test]
#[ignore = "builds and runs the models once for each guard: minutes"]
fn every_guard_is_noticed_when_it_is_gone() {
    let copy = Copy::of_this_crate();
    let all = copy.run("loom", None);
    assert!(
        all.status.success(),
        "the models fail by themselves:\n{}",
        text(&all)
    );

    let mut unnoticed = Vec::new();
    for mutation in MUTATIONS {
        let (file, test) = mutation
            .noticed_by
            .split_once("::")
            .unwrap_or(("loom", mutation.noticed_by));
        let restore = copy.mutate(mutation);
        let built = copy.build(file);
        assert!(
            built.status.success(),
            "without \"{}\":\n{}",
            mutation.guard,
            text(&built)
        );
        let ran = copy.run(file, Some(test));
        let endless = text(&ran).contains("maximum number of branches");
        assert!(
            !endless,
            "without \"{}\" the model does not end",
            mutation.guard
        );
        let noticed = !ran.status.success();
        drop(restore);
        println!(
            "{} {}",
            if noticed { "noticed  " } else { "UNNOTICED" },
            mutation.guard
        );
        if !noticed {
            unnoticed.push(mutation.guard);
        }
    }
    assert!(unnoticed.is_empty(), "not noticed: {unnoticed:#?}");
}

/// A workspace in which only this crate is a copy; the others are links.
struct Copy {
    sources: PathBuf,
    target: PathBuf,
}

/// Puts a file back as it was.
struct Restore {
    path: PathBuf,
    text: String,
}

impl Copy {
    fn of_this_crate() -> Self {
        let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = crate_dir.parent().unwrap();
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutations");
        let sources = root.join("workspace");
        let _ = fs::remove_dir_all(&sources);
        fs::create_dir_all(&sources).unwrap();
        for entry in fs::read_dir(workspace).unwrap() {
            let entry = entry.unwrap();
            let to = sources.join(entry.file_name());
            if entry.path() == crate_dir {
                copy_tree(&entry.path(), &to);
            } else if entry.path().join("Cargo.toml").exists() {
                std::os::unix::fs::symlink(entry.path(), to).unwrap();
            } else if entry.file_name() != ".git" && entry.path().is_file() {
                fs::copy(entry.path(), to).unwrap();
            }
        }
        // What an earlier check has built stays.
        let target = root.join("target");
        Self { sources, target }
    }

    fn mutate(&self, mutation: &Mutation) -> Restore {
        let path = self.sources.join("executor/src").join(mutation.file);
        let text = fs::read_to_string(&path).unwrap();
        let places = text.matches(mutation.from).count();
        assert_eq!(
            places, 1,
            "\"{}\": its text is in {} {places} times",
            mutation.guard, mutation.file
        );
        fs::write(&path, text.replace(mutation.from, mutation.to)).unwrap();
        Restore { path, text }
    }

    fn build(&self, file: &str) -> Output {
        self.cargo(file).arg("--no-run").output().unwrap()
    }

    fn run(&self, file: &str, test: Option<&str>) -> Output {
        let mut cargo = self.cargo(file);
        if let Some(test) = test {
            cargo.args(["--", "--exact", test]);
        }
        let output = cargo.output().unwrap();
        assert!(
            !text(&output).contains(" 0 passed; 0 failed"),
            "there is no test {test:?} in {file}"
        );
        output
    }

    fn cargo(&self, file: &str) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        let flags = if file == "loom" { "--cfg loom" } else { "" };
        cargo
            .current_dir(&self.sources)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", flags)
            .env(
                "CARGO_TARGET_DIR",
                self.target
                    .join(if file == "loom" { "loom" } else { "host" }),
            )
            .args(["test", "--package", "reveille-executor", "--test", file]);
        cargo
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        fs::write(&self.path, &self.text).unwrap();
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
