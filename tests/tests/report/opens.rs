//! Reports open: whole ones, and those of what benchmarks leave behind.

use serde_json::json;

use crate::{
    browser::{Page, open},
    inputs::{all, odd_ones},
};
use reveille_tests::report::Report;

/// Each chart, and whether there is something for it to draw.
fn charts(report: &Report) -> Vec<(&'static str, bool)> {
    let has_samples = report.cells.iter().any(|cell| !cell.samples_ns.is_empty());
    // A boot processor alone has no stages.
    let mut lanes = report.boots.iter().flat_map(|boot| &boot.chart.lanes);
    let has_stages = lanes.any(|lane| !lane.times.passages().is_empty());
    let linux = report.linux.as_ref();
    let has_linux = linux.is_some_and(|it| it.rows.iter().any(|row| row.median_ns.is_some()));
    vec![
        ("linux", has_linux),
        ("timeline", has_stages),
        ("heat", !report.heat.is_empty()),
        ("distributions", has_samples),
    ]
}

impl Page {
    /// It is there as a whole, says what is missing, and has asked nobody for anything.
    async fn is_whole(&self, report: &Report) {
        let text: String = self.js("return document.body.textContent", &[]).await;
        // Lines are broken anywhere.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = words(&text);
        for sentence in &report.missing {
            let plain = words(&sentence.replace('`', ""));
            let is_said = text.contains(&words(sentence)) || text.contains(&plain);
            assert!(is_said, "it does not say: {sentence}");
        }
        for (name, has_data) in charts(report) {
            let is_drawn: bool = self
                .js(
                    "return !!window.reveille.charts[arguments[0]]",
                    &[json!(name)],
                )
                .await;
            assert_eq!(is_drawn, has_data, "{name}");
            let is_empty: bool = self
                .js(
                    "const section = document.getElementById(arguments[0]);
                     return section.textContent.trim().length < 40",
                    &[json!(name)],
                )
                .await;
            assert!(!is_empty, "{name} says nothing");
        }
        assert_eq!(self.complaints().await, [""; 0]);
        let foreign: Vec<String> = self.requests().await;
        assert!(!foreign.is_empty(), "the log has not even the page itself");
        let is_own = |url: &String| {
            ["file:", "data:", "blob:"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        };
        let foreign: Vec<_> = foreign.into_iter().filter(|url| !is_own(url)).collect();
        assert_eq!(foreign, [""; 0]);
    }
}

#[test]
fn the_committed_results_open_without_a_complaint_and_ask_nobody_for_anything() {
    let report = all();
    open("all", &report, async |page| {
        page.scrolled_through().await;
        page.is_whole(&report).await;
        page.screenshot("desk").await;
    });
}

#[test]
fn whatever_a_benchmark_leaves_opens_with_what_there_is_and_says_what_is_missing() {
    for (name, report) in odd_ones() {
        open(name, &report, async |page| {
            page.scrolled_through().await;
            page.is_whole(&report).await;
            page.keeps_nobody_out(name).await;
            page.screenshot("desk").await;
        });
    }
}

#[test]
fn the_guard_that_looks_at_requests_sees_one() {
    let report = all();
    open("requests", &report, async |page| {
        page.requests().await;
        // Its policy refuses this, and the log has it all the same.
        let _asked: serde_json::Value = page
            .js("new Image().src = 'http://127.0.0.1:9/'; return null", &[])
            .await;
        page.settled().await;
        let asked = page.requests().await;
        let complaints = page.complaints().await;
        assert!(
            asked.iter().any(|url| url.starts_with("http:"))
                || complaints
                    .iter()
                    .any(|it| it.contains("Content Security Policy")),
            "{asked:?} {complaints:?}"
        );
    });
}
