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
        from: "look(self.root) && self.tops.iter().all(look)",
        to: "look(self.root) || true",
        noticed_by: "two_wakers_against_a_sleeper_in_one_level",
    },
    Mutation {
        guard: "the sleeper looks at the root's word too",
        file: "sleep.rs",
        from: "look(self.root) && self.tops",
        to: "self.tops",
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
        from: "summary.fetch_or(self.summary_bit, AcqRel)",
        to: "summary.fetch_or(self.summary_bit, crate::sync::Ordering::Release)",
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
        guard: "the summary's bit releases the leaf's",
        file: "ready.rs",
        from: "summary.fetch_or(self.summary_bit, AcqRel)",
        to: "summary.fetch_or(self.summary_bit, Acquire)",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
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
        guard: "the owner's take of a leaf releases the cleared summary",
        file: "ready.rs",
        from: "word.swap(0, AcqRel)",
        to: "word.swap(0, Acquire)",
        noticed_by: "a_wake_during_the_poll_is_not_lost",
    },
    Mutation {
        guard: "the leaf is taken after its summary bit",
        file: "executor.rs",
        from: "                bits: take(word),",
        to: "                bits: word.load(crate::sync::Ordering::Acquire),",
        noticed_by: "two_wakers_against_a_sleeper_in_two_levels_one_leaf",
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
        let noticed = !copy.run(file, Some(test)).status.success();
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
    root: PathBuf,
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
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        for entry in fs::read_dir(workspace).unwrap() {
            let entry = entry.unwrap();
            let to = root.join(entry.file_name());
            if entry.path() == crate_dir {
                copy_tree(&entry.path(), &to);
            } else if entry.path().join("Cargo.toml").exists() {
                std::os::unix::fs::symlink(entry.path(), to).unwrap();
            } else if entry.file_name() != ".git" && entry.path().is_file() {
                fs::copy(entry.path(), to).unwrap();
            }
        }
        Self { root }
    }

    fn mutate(&self, mutation: &Mutation) -> Restore {
        let path = self.root.join("executor/src").join(mutation.file);
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
            .current_dir(&self.root)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", flags)
            .env("CARGO_TARGET_DIR", self.root.join("target").join(file))
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
