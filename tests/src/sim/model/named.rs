//! The models that come with Reveille.

use anyhow::{Context, Result};

/// Each by its name, with its text.
pub(super) const NAMED: &[(&str, &str)] = &[];

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
