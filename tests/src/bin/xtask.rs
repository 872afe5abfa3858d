//! `cargo xtask`; see [`reveille_tests::cli`].

use std::process::ExitCode;

use clap::Parser;
use reveille_tests::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().execute().unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
