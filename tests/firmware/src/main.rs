//! The firmware's image. What it does, in order, is in `image/boot.rs`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image;

/// What a build of the whole workspace for the host gets.
#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a firmware: `cargo xtask run --firmware mailbox` builds it and boots it");
    std::process::exit(1);
}
