//! The page's scripts, in the order in which they build on each other. Each is an element of its own, so that one
//! that fails leaves the others alone.

/// The plotting library, unmodified.
pub(super) const ECHARTS: &str = include_str!("vendor/echarts.min.js");

/// Ours.
pub(super) const OURS: [&str; 13] = [
    include_str!("js/start.js"),
    include_str!("js/words.js"),
    include_str!("js/theme.js"),
    include_str!("js/chart.js"),
    include_str!("js/tables.js"),
    include_str!("js/growth.js"),
    include_str!("js/linux.js"),
    include_str!("js/bars.js"),
    include_str!("js/lanes.js"),
    include_str!("js/timeline.js"),
    include_str!("js/heat.js"),
    include_str!("js/distributions.js"),
    include_str!("js/print.js"),
];

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn no_script_ends_its_own_element() {
        for script in OURS.iter().chain([&ECHARTS]) {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
    }

    #[test]
    fn the_library_is_the_one_whose_checksum_is_beside_it() {
        let digest = Sha256::digest(ECHARTS);
        let sum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let told = include_str!("vendor/README.md");
        assert!(told.contains(&sum), "vendor/README.md does not have {sum}");
    }
}
