//! The words of the drawing: what it is of, what came of it, and what each CPU's figures are.

use reveille_smp::{
    outcome::Outcome,
    record::hypervisor_name,
    table::{Micros, Millis},
};

use crate::bootchart::{BootChart, Lane, Turn};

/// So many failures are told in the sentence for those who do not see the drawing.
const MOST_TOLD: usize = 8;

/// A time for a person: in milliseconds, or microseconds where it is short.
pub(super) fn time(nanos: u64) -> String {
    match nanos {
        0..1_000_000 if nanos > 0 => format!("{} µs", Micros { nanos }),
        _ => format!("{} ms", Millis { nanos }),
    }
}

/// What came of it, such as `7 of 7 APs online in 14.5 ms`.
pub(super) fn headline(chart: &BootChart) -> String {
    let BootChart { aps, online, .. } = chart;
    match chart.online_ns {
        _ if *aps == 0 => "no APs to wake".to_owned(),
        Some(online_ns) => format!("{online} of {aps} APs online in {}", time(online_ns)),
        None => format!("{online} of {aps} APs online"),
    }
}

/// What it is of.
pub(super) fn subject(chart: &BootChart) -> String {
    let cpus = chart.lanes.len();
    let noun = if cpus == 1 { "CPU" } else { "CPUs" };
    let machine = format!(
        "strategy {} · {}, {} · {cpus} {noun}",
        chart.strategy,
        chart.machine.trim(),
        hypervisor_name(&chart.hypervisor)
    );
    match &chart.model {
        Some(model) => {
            format!("{machine} · in the times of the model {model}, not this machine's own")
        }
        None => machine,
    }
}

/// All of that in sentences.
pub(super) fn description(chart: &BootChart) -> String {
    let failed: Vec<_> = chart
        .lanes
        .iter()
        .filter(|lane| lane.outcome.is_failure())
        .collect();
    let mut text = format!(
        "A timeline of a bring-up, a lane a CPU: {}. {}.",
        subject(chart),
        headline(chart)
    );
    for lane in failed.iter().take(MOST_TOLD) {
        text += &format!(" {}: {}.", name(lane), remark(chart, lane));
    }
    if failed.len() > MOST_TOLD {
        text += &format!(" {} more did not come online.", failed.len() - MOST_TOLD);
    }
    text
}

/// Whose a lane is.
pub(super) fn name(lane: &Lane) -> String {
    match lane.cpu {
        Some(cpu) => format!("CPU {cpu}"),
        None => format!("APIC {}", lane.apic_id),
    }
}

/// How its bring-up ended, such as `failed in join`.
pub(super) fn outcome(lane: &Lane) -> String {
    match &lane.step {
        Some(step) => format!("{} in {step}", lane.outcome),
        None => lane.outcome.to_string(),
    }
}

/// What is to be said of a CPU that did not come online, such as `failed in join: it was told to fail`.
pub(super) fn remark(chart: &BootChart, lane: &Lane) -> String {
    let mut text = match lane.outcome {
        Outcome::Bsp if chart.aps == 0 => "boot processor".to_owned(),
        Outcome::Bsp => "boot processor: it drives the others".to_owned(),
        _ => outcome(lane),
    };
    if let Some(reason) = &lane.reason {
        text += &format!(": {reason}");
    }
    text
}

/// All that is known of a CPU, a line for each kind.
pub(super) fn figures(chart: &BootChart, lane: &Lane) -> String {
    let place = lane.place.as_ref();
    let place = place.map_or_else(String::new, |place| format!(", {place}"));
    let mut lines = vec![format!(
        "CPU {} (APIC {}{place}): {}",
        lane.cpu
            .map_or_else(|| "-".to_owned(), |cpu| cpu.to_string()),
        lane.apic_id,
        remark(chart, lane)
    )];
    let times = &lane.times;
    let told = [
        ("INIT", times.init_ns),
        ("SIPI", times.sipi_ns),
        ("real mode", times.real_ns),
        ("long mode", times.long_ns),
        ("alive", times.alive_ns),
        ("online", times.online_ns),
    ];
    let told = told.into_iter();
    let told: Vec<_> = told
        .filter_map(|(what, at_ns)| Some(format!("{what} {}", time(at_ns?))))
        .collect();
    if !told.is_empty() {
        lines.push(told.join(", "));
        let plural = |count: u32, noun: &str| match count {
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        };
        let (sipis, polls) = (plural(lane.sipis, "SIPI"), plural(lane.polls, "poll"));
        lines.push(format!("{sipis}, {polls}; {}", certainty(lane)));
    }
    lines.join("\n")
}

fn certainty(lane: &Lane) -> String {
    match lane.uncertainty_ns {
        Some(0) => "times are exact".to_owned(),
        Some(nanos) => format!("its own times are certain to {}", time(nanos)),
        None => "its clock could not be compared: its own times are by that".to_owned(),
    }
}

/// A serialised step.
pub(super) fn turn(turn: &Turn) -> String {
    format!(
        "{} of CPU {}: {} to {}, {}",
        turn.step,
        turn.cpu,
        time(turn.began_ns),
        time(turn.ended_ns),
        time(turn.ended_ns.saturating_sub(turn.began_ns))
    )
}

/// What stands below the drawing: what its times are, and what it lacks.
pub(super) fn notes(chart: &BootChart, is_cut: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let lanes = chart
        .lanes
        .iter()
        .filter(|it| it.times.real_ns.or(it.times.long_ns).is_some());
    let mut first = "Times are counted from the first INIT or request".to_owned();
    if let Some(nanos) = lanes.clone().filter_map(|it| it.uncertainty_ns).max() {
        first += &format!(
            "; those of APs from real mode on are certain to {}",
            time(nanos)
        );
    }
    let apart = lanes.filter(|it| it.uncertainty_ns.is_none()).count();
    if apart > 0 {
        first += &format!("; {apart} of them (paler) by clocks that could not be compared");
    }
    notes.push(first + ".");
    if is_cut {
        let total = time(chart.total_ns);
        notes.push(format!(
            "The axis is cut: who is missing was given up by {total}, and what lies in the strip is not to scale."
        ));
    }
    if chart.bsp.is_none() && chart.serialised.is_none() && chart.gaps.is_empty() {
        let missing =
            "Polls, sleeps and serialised steps are missing: the boot was not traced (trace=on).";
        notes.push(missing.to_owned());
    }
    let gaps = chart.gaps.iter().map(|gap| format!("Missing: {gap}."));
    notes.extend(gaps);
    notes
}

/// As XML can have it: a firmware's table may say anything.
pub(super) fn clean(text: &str) -> String {
    // XML 1.0, "Characters": these two are none, and of the others that are none a `char` is one only if it controls.
    let is_none = |letter: char| match letter {
        '\n' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        _ => letter.is_control(),
    };
    text.replace(is_none, " ")
}
