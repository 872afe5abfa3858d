//! A lane a CPU: its stages, and what became of it.

use std::ops::Range;

use reveille_smp::outcome::Outcome;
use svg::node::element::Group;

use super::{
    layout::{LEFT, Lanes, PLOT, cut, width},
    scale::Scale,
    shapes::{cross, rect, text, title},
    style, words,
};
use crate::bootchart::{BootChart, Lane, stage::Stage};

/// Room between a bar and the words beside it.
const GAP: f64 = 6.0;

/// Stages that are shorter on the screen are a part of what comes next.
const FINEST: f64 = 0.2;

/// The lanes, each a group with all that is known of its CPU under the pointer.
pub(super) fn draw(chart: &BootChart, scale: &Scale, lanes: &Lanes) -> Group {
    let mut group = Group::new();
    for (place, lane) in chart.lanes.iter().enumerate() {
        group = group.add(one(chart, lane, scale, lanes, place));
    }
    group
}

fn one(chart: &BootChart, lane: &Lane, scale: &Scale, lanes: &Lanes, place: usize) -> Group {
    let (y, height) = lanes.bar(place);
    let whole = LEFT..PLOT.end + GAP * 3.0;
    let mut group = Group::new()
        .set("class", "lane")
        .add(title(&words::figures(chart, lane)))
        .add(rect("hit", &whole, lanes.y(place), lanes.height));
    if place.is_multiple_of(lanes.names_each()) {
        group = named(group, lane, lanes, place);
    }
    if is_left_out(lane.outcome) {
        return group.add(rect("out", &PLOT, y, height));
    }
    if let Some(from) = lost_from(lane, scale) {
        let hatched = rect("hatched", &(from..PLOT.end), y, height);
        group = group.add(hatched.set("fill", "url(#bootchart-lost)"));
    }
    for (stage, x) in passages(lane, scale) {
        let mut class = style::stage(stage);
        if is_own_time(stage) && lane.uncertainty_ns.is_none() {
            class += " unsure";
        }
        group = group.add(rect(&class, &x, y, height));
    }
    if lane.outcome.is_failure() {
        let middle = lanes.y(place) + lanes.height / 2.0;
        let half = (lanes.height / 4.0).clamp(1.5, 4.5);
        group = group.add(cross(PLOT.end + GAP + half, middle, half));
    }
    match lane.times.online_ns.filter(|_| lanes.are_readable()) {
        Some(online_ns) => {
            let (y, letters) = (lanes.words_y(place..place + 1), lanes.letters());
            let mut at = words::time(online_ns);
            if lane.uncertainty_ns.is_none() {
                at += "?";
            }
            group.add(text("pale", &at, scale.x(online_ns) + GAP, y, letters))
        }
        None => group,
    }
}

/// The lane's name, with the CPU's place where there is room for it.
fn named(group: Group, lane: &Lane, lanes: &Lanes, place: usize) -> Group {
    let (y, letters) = (lanes.words_y(place..place + 1), lanes.letters());
    let x = PLOT.start - GAP;
    let name = words::name(lane);
    let group = group.add(text("ink end", &name, x, y, letters));
    match &lane.place {
        Some(at) if lanes.are_readable() => {
            let room = x - LEFT - width(&name, letters) - GAP;
            let at = cut(at, letters, room.max(letters * 2.0));
            group.add(text("pale", &at, LEFT, y, letters))
        }
        _ => group,
    }
}

/// Whether nobody meant to wake it.
pub(super) fn is_left_out(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Skipped | Outcome::Disabled)
}

/// Whether the stage ends at a time by the CPU's own clock.
fn is_own_time(stage: Stage) -> bool {
    stage != Stage::Init
}

/// From where on nothing was heard of a CPU that failed: behind the last place to which it is known to have come, which
/// may be the whole way, too late.
pub(super) fn lost_from(lane: &Lane, scale: &Scale) -> Option<f64> {
    if !lane.outcome.is_failure() {
        return None;
    }
    let last = lane.times.passages().pop();
    let last_ns = last.map_or(0, |it| it.ended_ns.unwrap_or(it.began_ns));
    Some(scale.x(last_ns))
}

/// A CPU's way up is seen however short it is, in pixels.
pub(super) const SEEN: f64 = 1.0;

/// Where its stages lie. One without an end is not there: nobody knows how long it was in it.
fn passages(lane: &Lane, scale: &Scale) -> Vec<(Stage, Range<f64>)> {
    let mut placed: Vec<(Stage, Range<f64>)> = Vec::new();
    let mut all = lane.times.passages();
    all.retain(|it| it.ended_ns.is_some());
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return placed;
    };
    let (start, last) = (scale.x(first.began_ns), last.stage);
    let mut from = start;
    for passage in &all {
        let until = passage.ended_ns.map_or(from, |it| scale.x(it));
        if until - from >= FINEST {
            placed.push((passage.stage, from..until));
            from = until;
        }
    }
    if from - start < SEEN {
        let start = start.min(scale.edges.end - SEEN);
        placed = vec![(last, start..start + SEEN)];
    }
    placed
}

#[cfg(test)]
mod tests {
    use reveille_smp::cpu::{ApicId, CpuIndex};

    use super::*;
    use crate::bootchart::stage::Milestones;

    fn lane(times: [Option<u64>; 6], outcome: Outcome) -> Lane {
        let [init_ns, sipi_ns, real_ns, long_ns, alive_ns, online_ns] = times;
        Lane {
            cpu: Some(CpuIndex(1)),
            apic_id: ApicId(1),
            place: None,
            outcome,
            step: None,
            reason: None,
            times: Milestones {
                init_ns,
                sipi_ns,
                real_ns,
                long_ns,
                alive_ns,
                online_ns,
            },
            sipis: 1,
            polls: 2,
            uncertainty_ns: Some(10),
        }
    }

    fn scale(lane: &Lane) -> Scale {
        let chart = BootChart {
            machine: String::new(),
            hypervisor: String::new(),
            model: None,
            strategy: String::new(),
            aps: 1,
            online: 0,
            online_ns: None,
            total_ns: 1_000,
            lanes: vec![lane.clone()],
            bsp: None,
            serialised: None,
            gaps: Vec::new(),
        };
        Scale::of(&chart, 0.0..1_000.0)
    }

    #[test]
    fn stages_follow_each_other_even_where_two_clocks_cross() {
        let lane = lane(
            [
                Some(0),
                Some(500),
                Some(490),
                Some(600),
                Some(600),
                Some(900),
            ],
            Outcome::Online,
        );
        let scale = scale(&lane);
        let placed = passages(&lane, &scale);
        let expected = [
            (Stage::Init, 0.0..500.0),
            (Stage::RealMode, 500.0..600.0),
            (Stage::Alive, 600.0..900.0),
        ];
        assert_eq!(placed, expected);
        assert_eq!(lost_from(&lane, &scale), None);
    }

    #[test]
    fn a_way_up_that_is_too_short_to_be_seen_is_a_mark() {
        let (mut quick, slow) = (1, 1_000_000);
        let times = [(); 6].map(|()| {
            quick += 1;
            Some(quick)
        });
        let lane = lane(times, Outcome::Online);
        let mut long = lane.clone();
        long.times.online_ns = Some(slow);
        let placed = passages(&lane, &scale(&long));
        assert_eq!(placed.len(), 1);
        assert!((placed[0].1.end - placed[0].1.start - SEEN).abs() < 1e-9);
    }

    #[test]
    fn a_cpu_is_lost_behind_the_last_that_is_known_of_it() {
        let stuck = lane(
            [Some(0), Some(400), Some(600), None, None, None],
            Outcome::StuckRealMode,
        );
        let scale = scale(&stuck);
        assert_eq!(passages(&stuck, &scale).len(), 2);
        assert_eq!(lost_from(&stuck, &scale), Some(scale.x(600)));
        let mut late = lane(
            [Some(0), Some(400), Some(600), None, None, Some(800)],
            Outcome::Late,
        );
        late.times.alive_ns = Some(700);
        assert_eq!(lost_from(&late, &scale), Some(scale.x(800)));
        let silent = lane([None; 6], Outcome::NeverStarted);
        assert_eq!(lost_from(&silent, &scale), Some(0.0));
    }
}
