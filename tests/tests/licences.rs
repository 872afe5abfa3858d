//! Everything in the dependency tree may be used under one of the licences in `deny.toml`.

use std::fs;

use cargo_metadata::{CargoOpt, MetadataCommand};
use reveille_tests::kernel::workspace;
use spdx::{Expression, Licensee, ParseMode};

fn allowed() -> Vec<Licensee> {
    let text = fs::read_to_string(workspace().join("deny.toml")).expect("deny.toml is there");
    let file: toml::Table = text.parse().expect("it is TOML");
    let names = file["licenses"]["allow"]
        .as_array()
        .expect("it allows a list");
    let parse = |name: &str| Licensee::parse(name).expect("each is an SPDX licence");
    names
        .iter()
        .map(|name| parse(name.as_str().expect("each is a name")))
        .collect()
}

#[test]
fn every_package_has_a_permissive_licence() {
    let allowed = allowed();
    let is_allowed = |expression: &str| {
        // Some older packages write `MIT/Apache-2.0`.
        let expression = Expression::parse_mode(expression, ParseMode::LAX).ok()?;
        Some(expression.evaluate(|need| allowed.iter().any(|licence| licence.satisfies(need))))
    };
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        // What only the fuzzer needs is an option.
        .features(CargoOpt::AllFeatures)
        .exec()
        .expect("metadata");
    assert!(metadata.packages.len() > 20, "the tree was not read");
    let refused: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| package.license.as_deref().and_then(is_allowed) != Some(true))
        .map(|package| format!("{} ({:?})", package.name, package.license))
        .collect();
    assert!(
        refused.is_empty(),
        "not under a licence that deny.toml allows: {refused:#?}"
    );
}
