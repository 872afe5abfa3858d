//! `cargo xtask`; see [`reveille_tests::cli`].

use std::process::ExitCode;

use reveille_tests::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    cli.execute().unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
