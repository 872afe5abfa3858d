//! Drawings of boots of every kind, read back as XML.

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};
use roxmltree::{Document as Xml, Node as Element};

use super::{draw, layout};
use crate::bootchart::{BootChart, Doing, Lane, Span, Turn, gap::Gap, stage::Times};

/// A boot of so many CPUs, which all come up.
fn boot(cpus: u32) -> BootChart {
    let spans = (0..u64::from(cpus) * 3).map(|number| Span {
        doing: if number % 3 == 2 {
            Doing::Sleep
        } else {
            Doing::Poll
        },
        began_ns: number * 50_000,
        ended_ns: number * 50_000 + 40_000,
    });
    let turns = (1..cpus).map(|cpu| Turn {
        cpu: CpuIndex(cpu),
        step: "join".to_owned(),
        began_ns: 600_000 + u64::from(cpu) * 100_000,
        ended_ns: 680_000 + u64::from(cpu) * 100_000,
    });
    let lanes: Vec<_> = (0..cpus).map(lane).collect();
    let online_ns = lanes.last().and_then(|it| it.times.online_ns);
    BootChart {
        machine: "BOCHS BXPC".to_owned(),
        hypervisor: "TCGTCGTCGTCG".to_owned(),
        model: None,
        strategy: "parallel".to_owned(),
        aps: cpus - 1,
        online: cpus - 1,
        online_ns,
        total_ns: online_ns.unwrap_or_default() + 70_000,
        lanes,
        bsp: Some(spans.collect()),
        serialised: Some(turns.collect()),
        gaps: Vec::new(),
    }
}

fn lane(cpu: u32) -> Lane {
    let at = |nanos: u64| Some(u64::from(cpu) * 100_000 + nanos);
    let times = Times {
        init_ns: Some(u64::from(cpu) * 5_000),
        sipi_ns: at(200_000),
        real_ns: at(350_000),
        long_ns: at(360_000),
        alive_ns: at(500_000),
        online_ns: at(700_000),
    };
    let is_bsp = cpu == 0;
    Lane {
        cpu: Some(CpuIndex(cpu)),
        apic_id: ApicId(cpu),
        place: Some(format!("0/{cpu}/0")),
        outcome: if is_bsp {
            Outcome::Bsp
        } else {
            Outcome::Online
        },
        step: None,
        reason: None,
        times: if is_bsp { Times::default() } else { times },
        sipis: u32::from(!is_bsp),
        polls: 3,
        uncertainty_ns: Some(30_000),
    }
}

/// What became of a CPU: it came to so many of its stages.
fn becomes(chart: &mut BootChart, cpu: usize, outcome: Outcome, stages: usize, reason: &str) {
    let lane = &mut chart.lanes[cpu];
    lane.outcome = outcome;
    lane.reason = Some(reason.to_owned());
    let times = &mut lane.times;
    let all = [
        &mut times.init_ns,
        &mut times.sipi_ns,
        &mut times.real_ns,
        &mut times.long_ns,
        &mut times.alive_ns,
        &mut times.online_ns,
    ];
    all.into_iter().skip(stages).for_each(|it| *it = None);
    chart.online -= 1;
}

/// One of each kind that is not online, and a wait for them that is long.
fn failed(cpus: u32) -> BootChart {
    let mut chart = boot(cpus);
    let step = "join";
    becomes(
        &mut chart,
        1,
        Outcome::NeverStarted,
        2,
        "it gave no sign of life: is it really there?",
    );
    becomes(&mut chart, 2, Outcome::Failed, 5, "it was told to fail");
    chart.lanes[2].step = Some(step.to_owned());
    becomes(
        &mut chart,
        3,
        Outcome::Late,
        5,
        &"it answered after its deadline; ".repeat(9),
    );
    becomes(
        &mut chart,
        4,
        Outcome::StuckRealMode,
        3,
        "it started in real mode and went no further",
    );
    becomes(&mut chart, 5, Outcome::Skipped, 0, "left out by cpus=");
    becomes(
        &mut chart,
        6,
        Outcome::Disabled,
        0,
        "the firmware lists it as disabled",
    );
    chart.lanes[6].cpu = None;
    chart.total_ns *= 40;
    chart
}

fn kinds() -> Vec<(&'static str, BootChart)> {
    let mut model = boot(8);
    model.model = Some("skylake-112".to_owned());
    let mut mailbox = boot(8);
    mailbox.lanes.iter_mut().for_each(|it| {
        it.times.init_ns = None;
        it.times.real_ns = None;
    });
    let mut strange = boot(8);
    strange.lanes[5].uncertainty_ns = None;
    strange.lanes[5].times.real_ns = Some(1);
    let mut untraced = boot(8);
    (untraced.bsp, untraced.serialised) = (None, None);
    let mut overwritten = untraced.clone();
    overwritten.gaps = vec![Gap::BspOverwritten, Gap::ApOverwritten(CpuIndex(3))];
    let mut alone = boot(1);
    (alone.aps, alone.online, alone.total_ns) = (0, 0, 0);
    let mut silent = boot(4);
    for cpu in 1..4 {
        becomes(&mut silent, cpu, Outcome::NeverStarted, 0, "silence");
    }
    (silent.online_ns, silent.total_ns) = (None, 2_000_000_000);
    let mut all_failed = boot(512);
    for cpu in 1..512 {
        let reason = format!("reason {}", cpu % 3);
        becomes(&mut all_failed, cpu, Outcome::StuckLongMode, 4, &reason);
    }
    let mut hostile = boot(4);
    hostile.machine = "<A&\u{1}\"B>]]>".to_owned();
    vec![
        ("4", boot(4)),
        ("64", boot(64)),
        ("255", boot(255)),
        ("512", boot(512)),
        ("failed of 8", failed(8)),
        ("failed of 255", failed(255)),
        ("all failed of 512", all_failed),
        ("all silent", silent),
        ("model", model),
        ("mailbox", mailbox),
        ("strange clock", strange),
        ("not traced", untraced),
        ("overwritten", overwritten),
        ("alone", alone),
        ("hostile", hostile),
    ]
}

fn number(node: Element<'_, '_>, name: &str) -> f64 {
    let text = node
        .attribute(name)
        .unwrap_or_else(|| panic!("{node:?} has no {name}"));
    text.parse()
        .unwrap_or_else(|_| panic!("{name}={text} is no number"))
}

fn has_class(node: Element<'_, '_>, class: &str) -> bool {
    node.attribute("class")
        .is_some_and(|it| it.split(' ').any(|it| it == class))
}

fn of_class<'a>(xml: &'a Xml<'a>, class: &str) -> Vec<Element<'a, 'a>> {
    xml.descendants()
        .filter(|it| has_class(*it, class))
        .collect()
}

fn words(node: Element<'_, '_>) -> String {
    let texts = node.descendants().filter(|it| it.is_text());
    let texts = texts.filter_map(|it| it.text());
    texts.collect::<Vec<_>>().join(" ")
}

/// Nothing is drawn outside of the paper, words included.
fn lies_inside(kind: &str, xml: &Xml<'_>) {
    let (width, height) = (
        number(xml.root_element(), "width"),
        number(xml.root_element(), "height"),
    );
    let is_inside = |x: f64, y: f64| (0.0..=width).contains(&x) && (0.0..=height).contains(&y);
    // Not the pattern, which is a paper of its own.
    let drawn = xml
        .descendants()
        .filter(|it| !it.ancestors().any(|it| it.has_tag_name("defs")));
    for node in drawn {
        let corners = match node.tag_name().name() {
            "rect" => {
                let (x, y) = (number(node, "x"), number(node, "y"));
                assert!(number(node, "width") >= 0.0, "{kind}: {node:?}");
                vec![
                    (x, y),
                    (x + number(node, "width"), y + number(node, "height")),
                ]
            }
            "line" => vec![
                (number(node, "x1"), number(node, "y1")),
                (number(node, "x2"), number(node, "y2")),
            ],
            "text" => {
                let words = words(node);
                let long = layout::width(words.trim(), number(node, "font-size"));
                let (x, y) = (number(node, "x"), number(node, "y"));
                let from = match () {
                    () if has_class(node, "end") => x - long,
                    () if has_class(node, "middle") => x - long / 2.0,
                    () => x,
                };
                vec![(from, y), (from + long, y)]
            }
            _ => vec![],
        };
        for (x, y) in corners {
            assert!(
                is_inside(x, y),
                "{kind}: {x}, {y} of {node:?} {}",
                words(node)
            );
        }
    }
}

/// The stages of a lane follow each other.
fn is_in_order(kind: &str, lane: Element<'_, '_>) {
    let is_stage = |it: &Element<'_, '_>| (0..5).any(|stage| has_class(*it, &format!("s{stage}")));
    let stages: Vec<_> = lane.children().filter(is_stage).collect();
    for pair in stages.windows(2) {
        let end = number(pair[0], "x") + number(pair[0], "width");
        assert!(
            (end - number(pair[1], "x")).abs() < 0.03,
            "{kind}: {}",
            words(lane)
        );
        assert!(pair[0].attribute("class") < pair[1].attribute("class"));
    }
}

#[test]
fn a_drawing_of_any_boot_has_a_lane_a_cpu_and_lies_within_its_paper() {
    for (kind, chart) in kinds() {
        let text = draw(&chart);
        let xml = Xml::parse(&text).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(xml.root_element().attribute("role"), Some("img"));
        let lanes = of_class(&xml, "lane");
        assert_eq!(lanes.len(), chart.lanes.len(), "{kind}");
        lies_inside(kind, &xml);
        lanes.iter().for_each(|lane| is_in_order(kind, *lane));
        assert_eq!(
            draw(&chart),
            text,
            "{kind}: the same chart gives the same bytes"
        );
    }
}

#[test]
fn whoever_does_not_see_it_is_told_what_came_of_it() {
    let text = draw(&failed(8));
    let xml = Xml::parse(&text).expect("it is XML");
    let told = xml
        .root_element()
        .attribute("aria-labelledby")
        .expect("it is named");
    let told = told.split(' ').map(|id| {
        let is_it = |it: &Element<'_, '_>| it.attribute("id") == Some(id);
        words(xml.descendants().find(is_it).expect(id))
    });
    let told = told.collect::<Vec<_>>().join(" ");
    for part in [
        "1 of 7 APs online in 1.40 ms",
        "QEMU TCG",
        "CPU 2: failed in join: it was told to fail",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

#[test]
fn who_did_not_come_online_is_crossed_and_has_its_reason() {
    for cpus in [8, 255] {
        let chart = failed(cpus);
        let text = draw(&chart);
        let xml = Xml::parse(&text).expect("it is XML");
        let remarks = of_class(&xml, "remarks");
        let seen = words(remarks[0]);
        for (lane, drawn) in chart.lanes.iter().zip(of_class(&xml, "lane")) {
            let crosses = drawn
                .children()
                .filter(|it| has_class(*it, "cross"))
                .count();
            assert_eq!(
                crosses,
                usize::from(lane.outcome.is_failure()),
                "{}",
                words(drawn)
            );
            let Some(reason) = &lane.reason else { continue };
            assert!(
                words(drawn).contains(reason.as_str()),
                "under the pointer: {reason}"
            );
            let start: String = reason.chars().take(20).collect();
            assert!(
                seen.contains(&start),
                "{cpus} CPUs: {start} is not in {seen}"
            );
        }
    }
}

#[test]
fn what_was_not_traced_or_is_overwritten_is_not_drawn_and_told() {
    let all = kinds();
    let of = |kind: &str| {
        let chart = &all.iter().find(|(it, _)| *it == kind).expect(kind).1;
        draw(chart)
    };
    let whole = of("4");
    assert!(whole.contains("BSP polls") && whole.contains("serialised steps"));
    let untraced = of("not traced");
    assert!(untraced.contains("the boot was not traced"));
    let overwritten = of("overwritten");
    for text in [&untraced, &overwritten] {
        assert!(!text.contains("BSP polls") && !text.contains("class=\"turn\""));
    }
    assert!(overwritten.contains("Missing: what CPU 3 did first is overwritten"));
    assert!(!overwritten.contains("the boot was not traced"));
    assert!(of("strange clock").contains("unsure"));
    assert!(of("model").contains("skylake-112"));
}

#[test]
fn a_boot_of_512_cpus_is_a_small_file() {
    const LIMIT: usize = 1_000_000;
    for (kind, chart) in kinds() {
        let bytes = draw(&chart).len();
        assert!(bytes < LIMIT, "{kind}: {bytes} bytes");
    }
}

#[test]
fn a_long_wait_for_nobody_leaves_the_others_their_room() {
    let chart = failed(8);
    let text = draw(&chart);
    let xml = Xml::parse(&text).expect("it is XML");
    assert_eq!(of_class(&xml, "strip").len(), 1);
    let last = of_class(&xml, "lane")[7];
    let widest = last.children().filter(|it| has_class(*it, "s4"));
    let widest = widest.map(|it| number(it, "width")).fold(0.0, f64::max);
    assert!(widest > 50.0, "{widest}");
    assert!(of_class(&Xml::parse(&draw(&boot(8))).expect("it is XML"), "strip").is_empty());
}
