//! What holds of every page, whatever is in the report.

use std::collections::HashSet;

use super::{
    html::{Element, elements},
    sample::{self, HOSTILE},
    words::{between, digits, interval, millis},
    *,
};
use crate::report::data::{Boot, Heat};

fn written(report: &Report) -> String {
    let mut bytes = Vec::new();
    write(report, &mut bytes).expect("a vector takes all");
    String::from_utf8(bytes).expect("HTML is text")
}

fn ids(elements: &[Element]) -> Vec<&str> {
    elements.iter().filter_map(|it| it.get("id")).collect()
}

/// A report in which there is nothing.
fn empty() -> Report {
    Report {
        title: "Reveille".to_owned(),
        missing: vec!["There is nothing.".to_owned()],
        ..Report::default()
    }
}

#[test]
fn a_page_is_well_formed_with_one_heading_at_its_head_and_ids_that_occur_once() {
    for report in [sample::report(), empty()] {
        let elements = elements(&written(&report));
        let count = |name: &str| elements.iter().filter(|it| it.name == name).count();
        assert_eq!((count("h1"), count("main"), count("nav")), (1, 1, 1));
        let ids = ids(&elements);
        assert_eq!(
            ids.iter().collect::<HashSet<_>>().len(),
            ids.len(),
            "{ids:?}"
        );
        for (section, _) in CONTENTS {
            assert!(ids.contains(&section), "{section}");
        }
    }
}

#[test]
fn each_label_reference_and_link_leads_to_an_element() {
    let elements = elements(&written(&sample::report()));
    let ids = ids(&elements);
    for element in &elements {
        let link = element.get("href").map(|it| it.trim_start_matches('#'));
        let named = [link, element.get("for"), element.get("aria-labelledby")];
        for id in named.into_iter().flatten() {
            assert!(ids.contains(&id), "{id}");
        }
    }
}

#[test]
fn headings_leave_no_level_out() {
    let elements = elements(&written(&sample::report()));
    let levels = elements.iter().filter_map(|it| match it.name.as_str() {
        "h1" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        _ => None,
    });
    levels.fold(0, |before, level| {
        assert!(level <= before + 1, "h{level} after h{before}");
        level
    });
}

#[test]
fn every_figure_of_every_cell_is_in_its_row_of_the_table_of_strategies() {
    let mut report = sample::report();
    for (number, cell) in (0..).zip(&mut report.cells) {
        // No two are the same.
        (cell.boots, cell.failed, cell.busy) = (50 + number, 20 + number, Some(10 + number));
    }
    let elements = elements(&written(&report));
    // The cells of a row are between its beginning and the next one's.
    let begins = |(place, it): (usize, &Element)| (it.name == "tr").then_some(place);
    let begins: Vec<usize> = elements.iter().enumerate().filter_map(begins).collect();
    for cell in &report.cells {
        let is_its = |place: &&usize| {
            let row = &elements[**place];
            row.get("data-machine") == Some(&cell.machine)
                && row.get("data-contender") == Some(&cell.contender)
        };
        let begin = *begins.iter().find(is_its).expect("it has a row");
        let cells = elements[begin + 1..]
            .iter()
            .take_while(|it| it.name != "tr");
        let is_cell = |it: &&Element| ["th", "td"].contains(&it.name.as_str());
        let told: Vec<_> = cells
            .filter(is_cell)
            .map(|it| (it.text.clone(), it.get("data-value").map(str::to_owned)))
            .collect();
        let figure = |value: String, text: String| (text, Some(value));
        let number = |value: u32| figure(value.to_string(), value.to_string());
        let time = |nanos: Option<u64>| nanos.expect("it was measured");
        let (low, high) = (time(cell.low_ns), time(cell.high_ns));
        let ratio = |value: Option<f64>, text: &dyn Fn(f64) -> String| match value {
            Some(value) => figure(value.to_string(), text(value)),
            None => (String::new(), None),
        };
        let ends = |low| between((low, cell.ratio_high.expect("it has both")));
        let mark = if cell.is_yardstick { "†" } else { "" };
        let expected = [
            (cell.machine.clone(), None),
            number(cell.cpus),
            (format!("{}{mark}", cell.contender), None),
            figure(
                time(cell.median_ns).to_string(),
                millis(time(cell.median_ns)),
            ),
            figure(low.to_string(), interval(Some((low, high)))),
            ratio(cell.ratio, &digits),
            ratio(cell.ratio_low, &ends),
            number(cell.boots),
            number(cell.failed),
            number(cell.busy.expect("it is told")),
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn what_a_guest_calls_itself_is_text_everywhere() {
    let page = written(&sample::report());
    let elements = elements(&page);
    assert!(elements.iter().all(|it| it.name != "img"));
    let scripts = elements.iter().filter(|it| it.name == "script");
    assert_eq!(scripts.count(), 2 + 1 + scripts::OURS.len(), "one got out");
    let said = elements
        .iter()
        .filter(|it| it.name == "li" && it.text.contains(HOSTILE));
    // Once as the failure of each machine, and once as the reason of the CPU that is stuck.
    assert_eq!(said.count(), 3);
    let data = elements
        .iter()
        .find(|it| it.get("id") == Some("data"))
        .expect("it is there");
    let read: Report = serde_json::from_str(&data.text).expect("it is the report");
    assert_eq!(read, sample::report());
}

#[test]
fn every_chart_says_its_result_in_words_and_has_its_figures_as_a_table() {
    let elements = elements(&written(&sample::report()));
    let canvases: Vec<_> = elements
        .iter()
        .filter(|it| it.get("class") == Some("canvas"))
        .collect();
    assert_eq!(canvases.len(), 5);
    for canvas in canvases {
        assert_eq!(canvas.get("role"), Some("img"));
        assert!(
            canvas.get("aria-label").is_some_and(|says| says.len() > 20),
            "{canvas:?}"
        );
    }
    let folded = elements.iter().filter(|it| it.name == "details");
    let is_of_figures = |it: &&Element| it.text.contains("The figures as a table");
    assert_eq!(folded.filter(is_of_figures).count(), 5);
}

#[test]
fn where_there_is_nothing_to_draw_the_page_says_what_is_missing_and_has_no_chart() {
    let elements = elements(&written(&empty()));
    assert!(elements.iter().all(|it| it.name != "figure"));
    let said = elements
        .iter()
        .filter(|it| it.name == "p" && it.get("class") == Some("missing"));
    assert_eq!(said.count(), CONTENTS.len() - 1);
}

#[test]
fn nothing_is_fetched() {
    let elements = elements(&written(&sample::report()));
    assert!(
        elements
            .iter()
            .all(|it| it.get("src").is_none() && it.name != "link")
    );
    let links = elements.iter().filter_map(|it| it.get("href"));
    assert!(links.clone().count() > 0);
    assert!(links.into_iter().all(|href| href.starts_with('#')));
}

#[test]
fn a_page_is_small_without_data_and_fits_a_mail_with_five_hundred_cpus() {
    assert!(written(&empty()).len() < 1_500_000);
    assert!(written(&large(512)).len() < 5_000_000);
}

/// A boot of many CPUs, and the calls between some of them.
fn large(cpus: u32) -> Report {
    let mut report = sample::report();
    let Boot { chart, .. } = report.boots[0].clone();
    let mut large = chart.clone();
    let (bsp, ap) = (chart.lanes[0].clone(), chart.lanes[1].clone());
    large.lanes = (1..cpus)
        .map(|cpu| {
            let mut lane = ap.clone();
            lane.cpu = Some(reveille_smp::cpu::CpuIndex(cpu));
            lane
        })
        .collect();
    large.lanes.insert(0, bsp);
    let spans = large.bsp.iter().flatten().copied();
    large.bsp = Some(spans.cycle().take(cpus as usize * 8).collect());
    let turns = large.serialised.iter().flatten().cloned();
    large.serialised = Some(turns.cycle().take(cpus as usize).collect());
    report.boots.push(Boot {
        machine: format!("q35 tcg {cpus}"),
        cpus,
        chart: large,
    });
    report.heat.push(Heat {
        machine: "q35 tcg 112".to_owned(),
        cpus: (0..112).collect(),
        samples: 100,
        pairs: sample::pairs(112),
    });
    report
}

#[test]
fn the_licences_of_what_is_not_ours_are_in_each_page() {
    for report in [sample::report(), empty()] {
        let page = written(&report);
        let elements = elements(&page);
        let folded = elements
            .iter()
            .find(|it| it.name == "details" && it.get("class") == Some("licences"));
        let folded = folded.expect("they are at its end");
        for file in [
            include_str!("vendor/NOTICE"),
            include_str!("vendor/LICENSE"),
            include_str!("vendor/LICENSE-d3"),
            include_str!("vendor/LICENSE-zrender"),
            include_str!("vendor/LICENSE-tslib"),
        ] {
            assert!(folded.text.contains(file), "{file:.60}");
        }
    }
}

#[test]
fn what_nobody_knows_is_called_unknown_and_is_no_figure() {
    let mut report = sample::report();
    let origin = &mut report.origins[0];
    (origin.started, origin.command, origin.runs) = (None, None, None);
    origin.hosts.clear();
    origin.busy_boots = None;
    report.cells[0].busy = None;
    let page = written(&report);
    let elements = elements(&page);
    assert!(elements.iter().all(|it| it.name != "time"));
    let text = |id: &str| {
        let element = elements.iter().find(|it| it.get("id") == Some(id));
        element.expect("it is there").text.clone()
    };
    for (id, words) in [
        ("summary", "day unknown"),
        ("summary", "host: unknown."),
        ("machine", "whether the host was busy otherwise is unknown"),
        ("machine", "does not tell by which command"),
        (
            "machine",
            "9 boots, asked for an unknown number of each machine with 9 rounds",
        ),
        ("strategies", "unknown"),
    ] {
        assert!(text(id).contains(words), "{id} does not say: {words}");
    }
    for id in ["summary", "machine"] {
        assert!(!text(id).contains("0 CPUs") && !text(id).contains("0.00 GiB"));
    }
}

#[test]
fn what_intervals_are_worth_stands_beside_them() {
    let mut report = sample::report();
    report.cells[1].level = Some(0.5);
    let elements = elements(&written(&report));
    for (id, words) in [
        ("strategies", "An interval is right in 50 % of all cases"),
        ("growth", "the worst of them in 50 % of all cases"),
    ] {
        let section = elements.iter().find(|it| it.get("id") == Some(id));
        let text = &section.expect("it is there").text;
        assert!(text.contains(words), "{text}");
    }
}
