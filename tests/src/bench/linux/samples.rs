//! What a boot gave, as results have it: times by names that are not of a strategy or a yardstick.

use std::{collections::BTreeMap, time::Duration};

use reveille_smp::record::Boot;

use super::{console::Up, inside::Inside, outside::Outside};
use crate::{bench::results::Samples, records::Records};

/// All CPUs of Linux: `online_ns`, from line to line.
pub const BRING_UP: &str = "bring-up";

/// Our round 0: `kick_ns`, `alive_ns`, `online_ns`.
pub const COLD: &str = "cold";

/// From our kernel's first instruction to its first INIT: `total_ns`.
pub const BEFORE: &str = "entry-to-kick";

/// From the first INIT to the last AP's first SIPI, `kick_ns`, and to its APIC enabled, `alive_ns`.
pub const ALL_APICS: &str = "first-init-to-apics";

/// From its INIT to its APIC enabled, the middle one of the APs: `alive_ns`.
pub const AN_APIC: &str = "init-to-apic";

/// The parts of [`Inside`], each with its `total_ns`, in the order of its fields.
pub const PARTS: [&str; 7] = [
    "prepare", "kick", "answer", "online", "seen", "whole", "trace",
];

/// Samples by their names.
pub type Named = BTreeMap<String, Samples>;

/// Of a boot of ours, beside its rounds.
pub fn of_ours(boot: &Boot, records: &Records) -> Named {
    let mut named = Named::new();
    if let Ok(bringup) = records.bringup() {
        let cold = Samples {
            kick_ns: bringup.kick_ns.into_iter().collect(),
            alive_ns: bringup.alive_ns.into_iter().collect(),
            online_ns: bringup.online_ns.into_iter().collect(),
            ..Samples::default()
        };
        named.insert(COLD.to_owned(), cold);
    }
    if let Some(before) = boot.entry_to_kick_ns {
        named.insert(BEFORE.to_owned(), total(before));
    }
    named
}

/// Of Linux's console.
pub fn of_console(up: &Up) -> Named {
    let samples = Samples {
        online_ns: vec![nanoseconds(up.took)],
        ..Samples::default()
    };
    Named::from([(BRING_UP.to_owned(), samples)])
}

/// Of QEMU's trace.
pub fn of_outside(outside: &Outside) -> Named {
    let mut named = Named::new();
    let all = Samples {
        kick_ns: vec![nanoseconds(outside.kicked)],
        alive_ns: vec![nanoseconds(outside.enabled)],
        ..Samples::default()
    };
    named.insert(ALL_APICS.to_owned(), all);
    let mut each = outside.each.clone();
    each.sort_unstable();
    if let Some(middle) = each.get(each.len() / 2) {
        let an_apic = Samples {
            alive_ns: vec![nanoseconds(*middle)],
            ..Samples::default()
        };
        named.insert(AN_APIC.to_owned(), an_apic);
    }
    named
}

/// Of Linux's trace.
pub fn of_inside(inside: &Inside) -> Named {
    let Inside {
        prepare_ns,
        kick_ns,
        answer_ns,
        online_ns,
        seen_ns,
        total_ns,
        trace_ns,
    } = *inside;
    let times = [
        prepare_ns, kick_ns, answer_ns, online_ns, seen_ns, total_ns, trace_ns,
    ];
    let named = PARTS.iter().zip(times);
    named
        .map(|(name, time)| ((*name).to_owned(), total(time)))
        .collect()
}

fn total(time_ns: u64) -> Samples {
    Samples {
        total_ns: vec![time_ns],
        ..Samples::default()
    }
}

/// As results have a time.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
