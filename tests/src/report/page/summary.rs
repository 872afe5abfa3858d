//! The beginning: the result in a sentence, when and where it was measured, and what is missing.

use maud::{Markup, Render, html};

use super::{
    headline::headline,
    words::{UNKNOWN, count, day},
};
use crate::report::data::{Origin, Report};

/// The section.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section #summary aria-labelledby="summary-head" {
            h2 #summary-head { "Result" }
            p.headline { (headline(report)) }
            @for origin in &report.origins { p.origin { (origin) } }
            @if !report.missing.is_empty() {
                h3 { "What is missing" }
                ul.missing { @for sentence in &report.missing { li { (with_code(sentence)) } } }
            }
            noscript {
                p { "Without scripts there are no charts; their captions and tables below have all figures." }
            }
        }
    }
}

impl Render for Origin {
    fn render(&self) -> Markup {
        html! {
            (self.file) ", "
            @match &self.started {
                Some(started) => time datetime=(started) { (day(started)) },
                None => { "day " (UNKNOWN) },
            }
            ": Reveille " (self.reveille) ", QEMU " (self.qemu) "; host: "
            @for (index, host) in self.hosts.iter().enumerate() {
                @if index > 0 { "; and " }
                (count(host.cpus as usize, "CPU")) " (" (host.cpu) "), " (host.system)
            }
            @if self.hosts.is_empty() { (UNKNOWN) }
            "."
        }
    }
}

/// A sentence, in which what stands between backquotes is code.
fn with_code(sentence: &str) -> Markup {
    let parts: Vec<&str> = sentence.split('`').collect();
    // Without its second one a backquote is only a backquote.
    if parts.len().is_multiple_of(2) {
        return html! { (sentence) };
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backquotes_is_code_and_a_single_one_is_not() {
        let told = |text: &str| with_code(text).into_string();
        assert_eq!(told("`a <b>` gets it"), "<code>a &lt;b&gt;</code> gets it");
        assert_eq!(told("a ` b"), "a ` b");
    }
}
