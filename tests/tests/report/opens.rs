//! Reports open: whole ones, and those of what benchmarks leave behind.

use std::{collections::HashSet, fs};

use serde_json::json;

use reveille_tests::report::data::Quantity;

use crate::{
    browser::{Page, open, write},
    inputs::{all, odd_ones},
};
use reveille_tests::report::Report;

/// Whether two sizes of one kind of machine have something of one kind to draw. All of these are of one kind.
fn grows(report: &Report) -> bool {
    let timed = report.cells.iter().filter(|cell| cell.median_ns > Some(0));
    let is_drawn = |quantity: Quantity| {
        let points = report.growth.iter().filter(|it| it.what == quantity);
        let drawn = points.filter(|it| it.median > Some(0.0));
        drawn.map(|it| it.cpus).collect::<HashSet<_>>().len() > 1
    };
    let all = [
        Quantity::Online,
        Quantity::Cold,
        Quantity::GuestMemory,
        Quantity::HostCpu,
        Quantity::QemuMemory,
    ];
    timed.map(|cell| cell.cpus).collect::<HashSet<_>>().len() > 1 || all.into_iter().any(is_drawn)
}

/// Each chart, and whether there is something for it to draw.
fn charts(report: &Report) -> Vec<(&'static str, bool)> {
    let has_samples = report.cells.iter().any(|cell| !cell.samples_ns.is_empty());
    // A boot processor alone has no stages.
    let mut lanes = report.boots.iter().flat_map(|boot| &boot.chart.lanes);
    let has_stages = lanes.any(|lane| !lane.times.passages().is_empty());
    let linux = report.linux.as_ref();
    let has_linux = linux.is_some_and(|it| it.rows.iter().any(|row| row.median_ns.is_some()));
    vec![
        ("growth", grows(report)),
        ("linux", has_linux),
        ("timeline", has_stages),
        ("heat", !report.heat.is_empty()),
        ("distributions", has_samples),
    ]
}

impl Page {
    /// It is there as a whole, says what is missing, and has asked nobody for anything.
    async fn is_whole(&self, report: &Report) {
        // Not the body's, which has the data of the page in it.
        let text: String = self
            .js("return document.querySelector('main').textContent", &[])
            .await;
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

/// Asks for a picture, and waits until there is none.
async fn ask_for(page: &Page, url: &str) {
    let asked = page.driver.execute_async(
        "const [url, done] = arguments;
         const picture = new Image();
         picture.onload = picture.onerror = () => done(true);
         picture.src = url;",
        vec![json!(url)],
    );
    asked.await.expect("it ends");
}

#[test]
fn the_guards_that_look_at_requests_and_complaints_see_one() {
    let report = all();
    // Nobody listens there.
    let url = "http://127.0.0.1:49151/picture.png";
    open("requests", &report, async |page| {
        // The page's own policy refuses it, and says so.
        ask_for(page, url).await;
        let complaints = page.complaints().await;
        let is_refused = |it: &String| it.contains("Content Security Policy");
        assert!(complaints.iter().any(is_refused), "{complaints:?}");

        // A page without a policy sends it.
        let file = write("requests", &report);
        let text = fs::read_to_string(&file).expect("it was just written");
        let without = text.replacen("Content-Security-Policy", "X-None", 1);
        assert_ne!(text, without);
        let open = file.with_file_name("requests-open.html");
        fs::write(&open, without).expect("there is room");
        page.go(&open).await;
        ask_for(page, url).await;
        let asked = page.requests().await;
        assert!(asked.iter().any(|it| it == url), "{asked:?}");
    });
}
