//! `cargo xtask`.
fn main() -> anyhow::Result<()> {
    reveille_tests::setup::ensure(std::env::args().any(|a| a == "--dry-run"))
}
