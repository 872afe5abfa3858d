//! The C++ compiler, as the crate `cc` looks for it.

use std::{env, process::Command};

/// Whether there is one, whoever installed it.
pub(super) fn installed() -> bool {
    let program = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}
