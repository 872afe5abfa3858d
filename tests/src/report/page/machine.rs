//! Where and how it was measured, and the commands that measure it again.

use maud::{Markup, html};

use super::words::{count, digits, mebibytes};
use crate::report::data::{Origin, Report};

/// The section.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section #machine aria-labelledby="machine-head" {
            h2 #machine-head { "Machine and commands" }
            @if report.origins.is_empty() {
                p.missing { "No file of results says how this was measured." }
            }
            @for origin in &report.origins { (one(origin)) }
        }
    }
}

fn one(origin: &Origin) -> Markup {
    let gibibytes = digits(mebibytes(origin.host_memory_bytes as f64) / 1024.0);
    html! {
        h3 { (origin.file) }
        pre tabindex="0" aria-label={ "Command of " (origin.file) } role="region" { code { (origin.command) } }
        dl {
            div { dt { "Started" } dd { time datetime=(origin.started) { (origin.started) } } }
            div { dt { "Host" } dd { (count(origin.host_cpus as usize, "CPU")) " (" (origin.host_cpu) "), " (gibibytes) " GiB" } }
            div { dt { "System" } dd { (origin.host_system) } }
            div { dt { "Reveille" } dd { (origin.reveille) } }
            div { dt { "Kernel" } dd { (origin.kernel) } }
            div { dt { "QEMU" } dd { (origin.qemu) } }
            div { dt { "Compiler" } dd { "rustc " (origin.rustc) } }
            div {
                dt { "Boots" }
                dd {
                    (count(origin.boots_ok as usize, "boot"))
                    ", asked for " (origin.runs) " of each machine with " (count(origin.rounds as usize, "round"))
                    @if origin.boots_failed > 0 { "; " b { (origin.boots_failed) " failed" } }
                    @if origin.busy_boots > 0 { "; the host was busy otherwise in " (origin.busy_boots) }
                }
            }
        }
    }
}
