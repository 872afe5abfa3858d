//! `cargo xtask`.
use reveille_tests::*;
use std::io::Write;
use std::time::Duration;
fn main() -> anyhow::Result<()> {
    setup::ensure(false)?;
    let kernel = kernel::Kernel::ready()?;
    let machine = qemu::machine::Machine::new(2);
    let e = guest::Guest::start(&kernel, &machine)?
        .watch(|s| {
            if let guest::Sight::Console(b) = s {
                std::io::stdout().write_all(b).unwrap()
            }
        })
        .run(Duration::from_secs(5))?;
    println!("{}", e.explain());
    Ok(())
}
