//! Where and how it was measured, and the commands that measure it again.

use maud::{Markup, html};

use super::words::{UNKNOWN, count, digits, mebibytes};
use crate::{
    bench::host::Host,
    report::data::{Origin, Report},
};

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
    html! {
        h3 { (origin.file) }
        @match &origin.command {
            Some(command) => pre tabindex="0" aria-label={ "Command of " (origin.file) } role="region" {
                code { (command) }
            },
            None => p.missing { "The file does not tell by which command it was measured." },
        }
        dl {
            div {
                dt { "Started" }
                dd {
                    @match &origin.started {
                        Some(started) => time datetime=(started) { (started) },
                        None => (UNKNOWN),
                    }
                }
            }
            @for it in &origin.hosts {
                div { dt { "Host" } dd { (host(it)) } }
                div { dt { "System" } dd { (it.system) } }
            }
            @if origin.hosts.is_empty() { div { dt { "Host" } dd { (UNKNOWN) } } }
            div { dt { "Reveille" } dd { (origin.reveille) } }
            div { dt { "Kernel" } dd { (origin.kernel) } }
            div { dt { "QEMU" } dd { (origin.qemu) } }
            div { dt { "Compiler" } dd { "rustc " (origin.rustc) } }
            div {
                dt { "Boots" }
                dd {
                    (count(origin.boots_ok as usize, "boot"))
                    ", asked for " (asked(origin.runs)) " of each machine with "
                    (origin.rounds.map_or_else(|| format!("{} of rounds", asked(None)), |it| count(it as usize, "round")))
                    @if origin.boots_failed > 0 { "; " b { (origin.boots_failed) " failed" } }
                    @match origin.busy_boots {
                        Some(0) => {},
                        Some(busy) => { "; the host was busy otherwise in " (busy) },
                        None => "; whether the host was busy otherwise is unknown",
                    }
                }
            }
        }
    }
}

/// What was asked for, if anybody tells.
fn asked(number: Option<u32>) -> String {
    number.map_or_else(|| format!("an {UNKNOWN} number"), |it| it.to_string())
}

/// Its CPUs, and its memory if it told that.
fn host(host: &Host) -> String {
    let cpus = count(host.cpus as usize, "CPU");
    let gibibytes = mebibytes(host.memory_bytes as f64) / 1024.0;
    match host.memory_bytes {
        0 => format!("{cpus} ({})", host.cpu),
        _ => format!("{cpus} ({}), {} GiB", host.cpu, digits(gibibytes)),
    }
}
