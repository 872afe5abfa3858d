//! What the page has in it that is not ours, and on what terms: their licences ask to be passed on with it.

use maud::{Markup, html};

/// Whose they are, and the text.
const LICENCES: [(&str, &str); 5] = [
    ("Apache ECharts: NOTICE", include_str!("vendor/NOTICE")),
    (
        "Apache ECharts: Apache License 2.0",
        include_str!("vendor/LICENSE"),
    ),
    (
        "d3, a part of it in ECharts: BSD 3-Clause",
        include_str!("vendor/LICENSE-d3"),
    ),
    (
        "zrender, in ECharts: BSD 3-Clause",
        include_str!("vendor/LICENSE-zrender"),
    ),
    (
        "tslib, in ECharts: Zero-Clause BSD",
        include_str!("vendor/LICENSE-tslib"),
    ),
];

/// All of them, below a line that unfolds them.
pub(super) fn folded() -> Markup {
    html! {
        details.licences {
            summary { "Licences" }
            p { "The charts are drawn by Apache ECharts, which is part of this file." }
            @for (name, text) in LICENCES {
                p { b { (name) } }
                pre tabindex="0" role="region" aria-label=(name) { (text) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_licence_is_the_one_that_it_is_said_to_be() {
        let has = [
            "The Apache Software Foundation",
            "Apache License",
            "Mike Bostock",
            "Baidu Inc.",
            "Microsoft Corporation",
        ];
        for ((name, text), words) in LICENCES.iter().zip(has) {
            assert!(text.contains(words), "{name}");
        }
    }
}
