//! What must hold for every MADT, every SRAT, every start info, every command line and all that is typed,
//! whoever wrote it.
//!
//! Each module has one function `check` that takes any bytes and panics if an invariant is broken;
//! that bytes are refused is no fault, and what it returns.
//! Two callers share them: the fuzzer, which looks for such bytes (`src/bin/`, `cargo xtask fuzz`),
//! and an ordinary test, which tries the committed inputs in every test run (`tests/corpus.rs`).
//!
//! The fuzzer is libFuzzer, by the crate `libfuzzer-sys`. It is built by the pinned stable compiler,
//! whose LLVM counts edges and compares (SanitizerCoverage) without any sanitizer. What is fuzzed
//! forbids `unsafe` or has none on the way, so a memory error could only be a panic, and an
//! address sanitizer, which needs a nightly toolchain, would halve the speed and find nothing.

#![forbid(unsafe_code)]

pub mod boot_info;
pub mod command_line;
pub mod madt;
mod prompt;
pub mod shell;
mod sparse;
pub mod srat;
