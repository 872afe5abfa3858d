//! Each guard against a race matters: with it removed or weakened, a model or a test fails.
//!
//! A mutation is a replacement in one source file. The check copies the workspace's manifests and
//! one crate into the target folder, applies one mutation at a time there, and runs the test that
//! has to notice, so the source that ships carries no trace of it. A mutation whose text is no
//! longer found, that does not compile, that makes a model endless, or that goes unnoticed, is a
//! failure.
//!
//! It takes minutes, and is asked for: `cargo test -p reveille-tests --test mutations -- --ignored`.
//! With `GUARDS_SAMPLE=I/N` in the environment only every N-th mutation is tried, from the I-th on,
//! counted from 0.
#![cfg(unix)]

mod executor;
mod kernel;
mod sample;
mod sim;
mod smp;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A crate whose guards are checked.
pub(crate) struct Subject {
    /// The folders in the workspace that its guards are in; `file` counts from the one's `src`, or from
    /// the workspace where they are several.
    folders: &'static [&'static str],
    package: &'static str,
    /// What makes Cargo choose its models for loom.
    loom: &'static [&'static str],
    /// What makes the compiler build these: a crate may have loom in any build of its tests.
    rustflags: &'static str,
    /// The module that its models are in, with `::` behind it.
    module: &'static str,
    /// In as many lists as are easy to read.
    mutations: &'static [&'static [Mutation]],
}

impl Subject {
    fn all(&self) -> impl Iterator<Item = &'static Mutation> {
        self.mutations.iter().copied().flatten()
    }

    /// Those that are to be tried.
    fn mutations(&self) -> impl Iterator<Item = &'static Mutation> {
        sample::Sample::asked_for().of(self.all())
    }

    /// The file of a mutation, where this folder is the workspace.
    fn path(&self, workspace: &Path, mutation: &Mutation) -> PathBuf {
        let folder = match self.folders {
            [only] => workspace.join(only).join("src"),
            _ => workspace.to_owned(),
        };
        folder.join(mutation.file)
    }
}

/// One guard, and its removal.
pub(crate) struct Mutation {
    /// What is lost.
    guard: &'static str,
    /// The file.
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// What fails then: a model for loom, with its module if that is another one than the subject's;
    /// or as `file::test` a test of one of the test targets, as `lib::test` one of the library's own, if its
    /// models are there; for the simulator, the rule's name.
    noticed_by: &'static str,
}

#[test]
#[ignore = "builds and runs the models once for each guard: minutes"]
fn every_guard_of_the_executor_is_noticed_when_it_is_gone() {
    check(&executor::SUBJECT);
}

#[test]
#[ignore = "builds and runs the models once for each guard: minutes"]
fn every_guard_of_the_bring_up_is_noticed_when_it_is_gone() {
    check(&smp::SUBJECT);
}

#[test]
#[ignore = "builds and runs the tests once for each guard: minutes"]
fn every_guard_of_the_kernel_is_noticed_when_it_is_gone() {
    check(&kernel::SUBJECT);
}

#[test]
#[ignore = "builds the simulator once for each guard: minutes"]
fn every_bug_that_is_put_in_is_found_by_the_simulator() {
    sim::check();
}

#[test]
fn every_guard_stands_where_its_mutation_looks_for_it() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for subject in [
        &executor::SUBJECT,
        &smp::SUBJECT,
        &kernel::SUBJECT,
        &sim::SUBJECT,
    ] {
        for mutation in subject.all() {
            let text = fs::read_to_string(subject.path(workspace, mutation)).unwrap();
            mutation.check_place(&text);
        }
    }
}

impl Mutation {
    /// It must be clear what is replaced.
    fn check_place(&self, text: &str) {
        let places = text.matches(self.from).count();
        assert_eq!(
            places, 1,
            "\"{}\": its text is in {} {places} times",
            self.guard, self.file
        );
    }
}

fn check(subject: &'static Subject) {
    let copy = Copy::of(subject);
    let all = copy.run(LOOM, None);
    assert!(
        all.status.success(),
        "the models fail by themselves:\n{}",
        text(&all)
    );

    let mut unnoticed = Vec::new();
    for mutation in subject.mutations() {
        let (file, test) = match mutation.noticed_by.split_once("::") {
            Some((module, _)) if module.starts_with(LOOM) => (LOOM, mutation.noticed_by.to_owned()),
            Some(("lib", test)) => (LOOM, test.to_owned()),
            Some((file, test)) => (file, test.to_owned()),
            None => (LOOM, format!("{}{}", subject.module, mutation.noticed_by)),
        };
        let restore = copy.mutate(mutation);
        let built = copy.build(file);
        assert!(
            built.status.success(),
            "without \"{}\":\n{}",
            mutation.guard,
            text(&built)
        );
        let ran = copy.run(file, Some(&test));
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

/// Stands for the models among the test targets.
const LOOM: &str = "loom";

/// A workspace in which only the subject is a copy; the other crates are links.
struct Copy {
    subject: &'static Subject,
    sources: PathBuf,
    target: PathBuf,
}

/// Puts a file back as it was.
struct Restore {
    path: PathBuf,
    text: String,
}

impl Copy {
    fn of(subject: &'static Subject) -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("mutations-{}", subject.folders.join("-")));
        let sources = root.join("workspace");
        let _ = fs::remove_dir_all(&sources);
        fs::create_dir_all(&sources).unwrap();
        for entry in fs::read_dir(workspace).unwrap() {
            let entry = entry.unwrap();
            let to = sources.join(entry.file_name());
            if subject
                .folders
                .iter()
                .any(|&folder| entry.file_name() == folder)
            {
                copy_tree(&entry.path(), &to);
            } else if entry.path().join("Cargo.toml").exists() {
                std::os::unix::fs::symlink(entry.path(), to).unwrap();
            } else if entry.file_name() != ".git" && entry.path().is_file() {
                fs::copy(entry.path(), to).unwrap();
            }
        }
        // What an earlier check has built stays.
        let target = root.join("target");
        Self {
            subject,
            sources,
            target,
        }
    }

    fn mutate(&self, mutation: &Mutation) -> Restore {
        let path = self.subject.path(&self.sources, mutation);
        let text = fs::read_to_string(&path).unwrap();
        mutation.check_place(&text);
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
        let is_loom = file == LOOM;
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(&self.sources)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            // Nobody reads where in the source a mutation is noticed, or the shortest schedule.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env(
                "RUSTFLAGS",
                if is_loom { self.subject.rustflags } else { "" },
            )
            .env(
                "CARGO_TARGET_DIR",
                self.target.join(if is_loom { LOOM } else { "host" }),
            )
            .args(["test", "--package", self.subject.package]);
        if is_loom {
            cargo.args(self.subject.loom);
        } else {
            cargo.args(["--test", file]);
        }
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
