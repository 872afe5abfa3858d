//! The timeline: what it says of a CPU, how it is enlarged, and that many CPUs open and scroll.

use std::fs;

use reveille_smp::table::Millis;
use reveille_tests::bootchart::{BootChart, Lane};
use serde_json::{Value, json};
use thirtyfour::{By, Key};

use crate::{
    browser::{Page, open, write},
    inputs::{kept, stuck, with_boot},
};

/// The most elements on the screen, whatever the machine: axes, names, and all bars of a stage in one. There are 176.
const MOST_ELEMENTS: u64 = 240;

/// The most that a report may take on a disk.
const MOST_BYTES: u64 = 5_000_000;

/// Wheel events of the scrolling.
const WHEELS: u64 = 10;

/// Keeps when the timeline was first whole, in the frame behind the one in which it is there, and counts what is drawn
/// of it: paths, and the rectangles in them. It runs before anything of the page, so it waits for the chart.
const WATCH: &str = "
    window.drawn = {paths: 0, rectangles: 0};
    const pen = CanvasRenderingContext2D.prototype;
    for (const [name, count] of [['beginPath', 'paths'], ['rect', 'rectangles']]) {
        const own = pen[name];
        pen[name] = function (...words) {
            if (this.canvas.closest('#chart-timeline')) drawn[count] += 1;
            return own.apply(this, words);
        };
    }
    const look = () => {
        const isThere = window.reveille?.charts?.timeline;
        requestAnimationFrame(isThere ? () => performance.mark('timeline') : look);
    };
    requestAnimationFrame(look);";

/// What was drawn of the timeline.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
struct Drawn {
    paths: u64,
    rectangles: u64,
}

impl Page {
    async fn scroll_to_timeline(&self) {
        let _there: Value = self
            .js(
                "document.querySelector('#chart-timeline .canvas').scrollIntoView({block: 'center'})",
                &[],
            )
            .await;
        self.settled().await;
    }

    /// Where a time of a row is in the window.
    async fn place(&self, nanos: u64, row: usize) -> (i64, i64) {
        let (x, y): (f64, f64) = self
            .js(
                "const canvas = document.querySelector('#chart-timeline .canvas').getBoundingClientRect();
                 const finder = {xAxisIndex: 0, yAxisIndex: 0};
                 const [x, y] = reveille.charts.timeline.convertToPixel(finder, [arguments[0], arguments[1]]);
                 return [canvas.x + x, canvas.y + y]",
                &[json!(nanos), json!(row)],
            )
            .await;
        (x.round() as i64, y.round() as i64)
    }

    /// What is said where the pointer is.
    async fn hover(&self, (x, y): (i64, i64), words: &str) -> String {
        let moved = self.driver.action_chain().move_to(x, y).perform().await;
        moved.expect("the pointer moves");
        const TIP: &str =
            "document.querySelector('#chart-timeline .canvas table.tip')?.parentElement";
        let is_shown = format!("{TIP}?.innerText.startsWith({})", json!(words));
        self.until(&is_shown).await;
        self.js(&format!("return {TIP}.innerText"), &[]).await
    }

    /// From where to where an axis shows: `xAxis` or `yAxis`.
    async fn extent(&self, axis: &str) -> (f64, f64) {
        let script = "const model = reveille.charts.timeline.getModel();
                      return model.getComponent(arguments[0], 0).axis.scale.getExtent()";
        self.js(script, &[json!(axis)]).await
    }

    async fn wheel(&self, (x, y): (i64, i64), delta: i64, modifiers: u32) {
        let event = json!({
            "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": delta, "modifiers": modifiers,
        });
        self.cdp("Input.dispatchMouseEvent", event).await;
        self.settled().await;
    }

    async fn drawn(&self) -> Drawn {
        self.js("return drawn", &[]).await
    }

    async fn elements(&self) -> u64 {
        self.js(
            "return reveille.charts.timeline.getZr().storage.getDisplayList(true).length",
            &[],
        )
        .await
    }
}

/// As the protocol of the browser's tools has them.
const CTRL: u32 = 2;
const SHIFT: u32 = 8;

#[test]
fn the_pointer_over_a_lane_shows_the_figures_of_its_cpu() {
    let kept = kept(8);
    let lanes = kept.chart.lanes.clone();
    open("hover", &with_boot(kept), async |page| {
        page.scroll_to_timeline().await;
        for cpu in [1, 5, 7] {
            let lane: &Lane = &lanes[cpu];
            let alive = lane.times.alive_ns.expect("it came up");
            let place = page.place(alive + 10_000, cpu).await;
            let said = page.hover(place, &format!("CPU {cpu} ")).await;
            let times = lane.times;
            let named = [
                ("INIT", times.init_ns),
                ("SIPI", times.sipi_ns),
                ("real mode", times.real_ns),
                ("long mode", times.long_ns),
                ("alive", times.alive_ns),
                ("online", times.online_ns),
            ];
            let words: Vec<&str> = said.split_whitespace().collect();
            let words = words.join(" ");
            for (name, nanos) in named {
                let nanos = nanos.expect("it came up");
                let expected = format!("{name} {} ms", Millis { nanos });
                assert!(words.contains(&expected), "{expected}: {words}");
            }
            assert!(words.contains(&format!("APIC {}", lane.apic_id)), "{words}");
            assert!(words.contains(&format!("polls {}", lane.polls)), "{words}");
        }
        page.window("tooltip").await;
        assert_eq!(page.complaints().await, [""; 0]);
    });
}

#[test]
fn it_is_enlarged_by_the_wheel_and_by_keys_and_made_whole_again() {
    open("zoom", &with_boot(kept(8)), async |page| {
        page.scroll_to_timeline().await;
        let whole = page.extent("xAxis").await;
        let middle = page.place(((whole.0 + whole.1) / 2.0) as u64, 4).await;
        page.wheel(middle, -240, CTRL).await;
        let wheel = page.extent("xAxis").await;
        assert!(
            wheel.1 - wheel.0 < whole.1 - whole.0,
            "{wheel:?} of {whole:?}"
        );
        page.window("wheel").await;
        let button = |action: &str| By::Css(format!("#chart-timeline [data-action={action}]"));
        let larger = page
            .driver
            .find(button("in"))
            .await
            .expect("there is a button");
        larger.focus().await.expect("it takes the focus");
        larger.send_keys(Key::Enter).await.expect("it takes keys");
        page.settled().await;
        let keys = page.extent("xAxis").await;
        assert!(keys.1 - keys.0 < wheel.1 - wheel.0, "{keys:?} of {wheel:?}");
        let all = page
            .driver
            .find(button("all"))
            .await
            .expect("there is a button");
        all.send_keys(Key::Enter).await.expect("it takes keys");
        page.settled().await;
        assert_eq!(page.extent("xAxis").await, whole);
    });
}

/// What a boot has for bars: the stages of so many of its CPUs, and polls, sleeps and turns.
fn bars(chart: &BootChart, cpus: usize) -> u64 {
    let stages = chart.lanes.iter().rev().take(cpus);
    let stages = stages.map(|it| it.times.passages().len());
    let above = [
        chart.bsp.as_ref().map_or(0, Vec::len),
        chart.serialised.as_ref().map_or(0, Vec::len),
    ];
    stages.chain(above).sum::<usize>() as u64
}

/// By how much more is drawn than there are bars: frames and shades are rectangles too. Whatever is drawn twice is
/// beyond that.
fn with_the_rest(bars: u64) -> u64 {
    bars + bars / 4
}

#[test]
fn ticks_stand_apart_however_much_it_is_enlarged() {
    open("ticks", &with_boot(kept(8)), async |page| {
        page.scroll_to_timeline().await;
        for percent in [100.0, 10.0, 1.0, 0.2] {
            let ticks: Vec<String> = page
                .js(
                    "const chart = reveille.charts.timeline;
                     const end = 50 + arguments[0] / 2;
                     chart.dispatchAction({type: 'dataZoom', dataZoomIndex: 0, start: end - arguments[0], end});
                     const axis = chart.getModel().getComponent('xAxis', 0).axis;
                     return axis.getViewLabels().map(label => label.formattedLabel)",
                    &[json!(percent)],
                )
                .await;
            let mut apart = ticks.clone();
            apart.dedup();
            assert!(ticks.len() > 2 && apart == ticks, "{percent} %: {ticks:?}");
        }
        page.window("enlarged").await;
    });
}

#[test]
fn the_mark_says_how_many_came_up_and_not_that_all_did() {
    let kept = stuck(8);
    let nanos = kept.chart.online_ns.expect("some came up");
    open("mark", &with_boot(kept), async |page| {
        let said: String = page
            .js(
                "const [first] = reveille.charts.timeline.getOption().series;
                 return first.markLine.label.formatter",
                &[],
            )
            .await;
        assert_eq!(said, format!("6 of 7 APs online {} ms", Millis { nanos }));
    });
}

// How long it takes is this host's matter, and told: what is held is the work, which grows with what is shown.
#[test]
fn with_512_cpus_it_opens_and_scrolls_by_bounded_work_and_is_a_few_elements() {
    let cpus: u32 = 512;
    let kept = kept(cpus);
    let chart = kept.chart.clone();
    let all = bars(&chart, cpus as usize);
    let report = with_boot(kept);
    let file = write("many", &report);
    let bytes = fs::metadata(&file).expect("it was just written").len();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    open("many", &report, async |page| {
        // Once more, with somebody who looks from before the first line on.
        page.cdp(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": WATCH}),
        )
        .await;
        page.driver.refresh().await.expect("it opens again");
        page.until("performance.getEntriesByName('timeline').length > 0")
            .await;
        let finished: f64 = page
            .js(
                "return performance.getEntriesByName('timeline')[0].startTime",
                &[],
            )
            .await;
        page.scroll_to_timeline().await;
        let elements = page.elements().await;
        let opened = page.drawn().await;
        page.window("whole").await;

        // A part of the lanes, which moves with the wheel.
        let _zoomed: Value = page
            .js(
                "for (const dataZoomIndex of [1, 3]) reveille.charts.timeline.dispatchAction(
                     {type: 'dataZoom', dataZoomIndex, start: 20, end: 30})",
                &[],
            )
            .await;
        page.settled().await;
        let before = page.extent("yAxis").await;
        let row = (before.0 + before.1) as usize / 2;
        let place = page.place(1_000_000, row).await;
        let _watched: Value = page
            .js(
                "window.frames_ms = [];
                 let last = performance.now();
                 const frame = now => { frames_ms.push(now - last); last = now; requestAnimationFrame(frame); };
                 requestAnimationFrame(frame)",
                &[],
            )
            .await;
        let zoomed = page.drawn().await;
        for _ in 0..WHEELS {
            page.wheel(place, 120, SHIFT).await;
        }
        let scrolled = page.drawn().await;
        let after = page.extent("yAxis").await;
        assert_ne!(before, after);
        assert_eq!(
            before.1 - before.0,
            after.1 - after.0,
            "it scrolls, and is not enlarged"
        );
        let longest: f64 = page.js("return Math.max(...frames_ms)", &[]).await;
        let rectangles = (scrolled.rectangles - zoomed.rectangles) / WHEELS;
        let paths = (scrolled.paths - zoomed.paths) / WHEELS;
        println!(
            "{cpus} CPUs with {all} bars, {bytes} bytes: whole in {finished:.0} ms by {} paths with {} rectangles, \
             then {elements} elements; scrolled in frames of up to {longest:.0} ms, by {paths} paths with {rectangles} \
             rectangles a step",
            opened.paths, opened.rectangles
        );
        assert!(elements <= MOST_ELEMENTS, "{elements} elements");
        assert!(opened.rectangles <= with_the_rest(all), "{opened:?}");
        assert!(opened.paths <= MOST_ELEMENTS, "{opened:?}");
        // The lanes that are out of sight cost nothing; the rows above them are whole.
        let seen = bars(&chart, (after.1 - after.0).ceil() as usize + 1);
        assert!(
            rectangles <= with_the_rest(seen),
            "{rectangles} a step, for {seen}"
        );
        assert!(paths <= MOST_ELEMENTS, "{paths} a step");
        page.window("scrolled").await;
        assert_eq!(page.complaints().await, [""; 0]);
    });
}
