//! The models that come with Reveille.

use anyhow::{Context, Result};

macro_rules! models {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../models/", $name, ".toml")))),*]
    };
}

/// Each by its name, with its text.
pub(super) const NAMED: &[(&str, &str)] = models![
    "haswell-28",
    "qemu-kvm",
    "qemu-tcg",
    "sapphire-rapids-1920",
    "skylake-112",
    "skylake-96",
    "synthetic",
    "zen3",
];

/// The text of one of them.
pub(super) fn text(name: &str) -> Result<&'static str> {
    let found = NAMED.iter().find(|(known, _)| *known == name);
    let (_, text) = found.with_context(|| {
        let names: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
        format!(
            "there is no model {name}; there are {}, and every path that ends in .toml",
            names.join(", ")
        )
    })?;
    Ok(text)
}
