//! Drawings of boots of every kind, read back as XML.

mod boots;
mod extremes;

use reveille_smp::outcome::Outcome;
use roxmltree::{Document as Xml, Node as Element};

use self::boots::{becomes, boot, failed, is_ahead, kinds};
use super::{draw, layout};

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

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_stage(node: &Element<'_, '_>) -> bool {
    (0..5).any(|stage| has_class(*node, &format!("s{stage}")))
}

/// No words stand on a stage: what is below them is paper.
fn hides_no_stage(kind: &str, xml: &Xml<'_>) {
    // Numbers are told to a hundredth of a pixel.
    const ROUNDED: f64 = 0.03;
    let remarks = of_class(xml, "remarks")[0];
    let papers = remarks.descendants().filter(|it| has_class(*it, "paper"));
    let papers: Vec<_> = papers.collect();
    let overlap = |one: Element<'_, '_>, other: Element<'_, '_>, from: &str, long: &str| {
        let end = |it| number(it, from) + number(it, long);
        end(one).min(end(other)) - number(one, from).max(number(other, from))
    };
    for stage in xml.descendants().filter(is_stage) {
        // That of the legend is no lane's.
        if !stage.ancestors().any(|it| has_class(it, "lane")) {
            continue;
        }
        for paper in &papers {
            let hidden = overlap(*paper, stage, "x", "width") > ROUNDED
                && overlap(*paper, stage, "y", "height") > ROUNDED;
            assert!(!hidden, "{kind}: {paper:?} hides {stage:?}");
        }
    }
}

/// The stages of a lane follow each other.
fn is_in_order(kind: &str, lane: Element<'_, '_>) {
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
        hides_no_stage(kind, &xml);
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
        let seen = in_one_line(&words(remarks[0]));
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
            // All of it, in the lane or in the lines below.
            let reason = in_one_line(reason);
            assert!(
                seen.contains(&reason),
                "{cpus} CPUs: {reason} is not in {seen}"
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

#[test]
fn a_clock_that_was_not_compared_leaves_the_lanes_of_the_others_as_they_are() {
    let lanes = |chart: &_| {
        let text = draw(chart);
        let xml = Xml::parse(&text).expect("it is XML");
        let lanes = of_class(&xml, "lane").into_iter();
        let lanes = lanes.map(|it| text[it.range()].to_owned());
        lanes.collect::<Vec<_>>()
    };
    let well = boot(8);
    let mut ahead = well.clone();
    is_ahead(&mut ahead, 5);
    let (mut expected, drawn) = (lanes(&well), lanes(&ahead));
    let odd = &drawn[5];
    assert!(odd.contains("unsure") && odd.contains(" ms?"), "{odd}");
    expected[5].clone_from(&drawn[5]);
    assert_eq!(drawn, expected);
    // Where nobody's clock was compared, all of them make the axis.
    (1..8).for_each(|cpu| ahead.lanes[cpu].uncertainty_ns = None);
    let longest = ahead.times_on_axis().filter_map(|it| it.last_ns()).max();
    assert_eq!(longest, ahead.lanes[5].times.online_ns);
}

#[test]
fn where_nobody_is_missing_the_axis_is_whole_however_late_that_was_known() {
    let mut chart = boot(8);
    chart.total_ns *= 40;
    let text = draw(&chart);
    let xml = Xml::parse(&text).expect("it is XML");
    assert!(of_class(&xml, "strip").is_empty());
    assert!(!text.contains("given up"), "{text}");
}

#[test]
fn a_long_reason_of_a_cpu_that_came_far_stands_below_and_its_stages_are_seen() {
    let mut chart = boot(8);
    let reason = "it answered after its deadline; ".repeat(5);
    for cpu in [6, 7] {
        becomes(&mut chart, cpu, Outcome::Failed, 5, reason.trim());
    }
    let text = draw(&chart);
    let xml = Xml::parse(&text).expect("it is XML");
    hides_no_stage("late", &xml);
    let seen = in_one_line(&words(of_class(&xml, "remarks")[0]));
    assert_eq!(seen.matches(reason.trim()).count(), 1, "told once: {seen}");
    assert!(seen.contains("CPUs 6-7: failed: "), "{seen}");
}

#[test]
fn who_is_alone_or_has_left_out_all_others_has_no_aps_to_wake() {
    let mut left_out = boot(4);
    for cpu in 1..4 {
        becomes(&mut left_out, cpu, Outcome::Skipped, 0, "left out by cpus=");
    }
    (left_out.aps, left_out.online, left_out.online_ns) = (0, 0, None);
    let text = draw(&left_out);
    assert!(text.contains("no APs to wake"), "{text}");
    assert!(!text.contains("drives the others"), "{text}");
    assert!(draw(&boot(4)).contains("drives the others"));
}
