//! How far a benchmark is: a bar with the time left on a terminal, a line a boot elsewhere.
//!
//! It goes to the standard error, and is gone when the figures are shown.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::bench::{
    measure::Watch,
    results::{Key, Outcome, Run},
};

/// How often the time left is drawn anew.
const TICK: Duration = Duration::from_millis(500);

/// The bar, or the lines in its place.
pub(super) struct Progress {
    bar: ProgressBar,
    all: usize,
    behind: usize,
    /// When all will have ended, for the bar's own thread.
    end: Arc<Mutex<Instant>>,
}

impl Progress {
    /// For so many boots.
    pub(super) fn new(all: usize) -> Self {
        let end = Arc::new(Mutex::new(Instant::now()));
        let shared = end.clone();
        let left = move |_: &ProgressState, f: &mut dyn std::fmt::Write| {
            let end = *shared.lock().unwrap_or_else(PoisonError::into_inner);
            // Where nothing can be written, nothing is shown.
            let _unseen = f.write_str(&time_left(end));
        };
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}, {left}  {msg}")
            .expect("the template is well-formed")
            .with_key("left", left);
        let bar = ProgressBar::new(all as u64).with_style(style);
        Self {
            bar,
            all,
            behind: 0,
            end,
        }
    }

    /// Says something above the bar.
    pub(super) fn say(&self, text: &str) {
        match self.bar.is_hidden() {
            // Whoever listens no more is no reason to measure no more.
            true => drop(writeln!(io::stderr(), "xtask: {text}")),
            false => self.bar.println(format!("xtask: {text}")),
        }
    }

    fn end(&self) -> Instant {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn time_left(end: Instant) -> String {
    let left = end.saturating_duration_since(Instant::now());
    let mut text = "about ".to_owned();
    // A string takes all.
    let _whole = write!(text, "{:#} left", HumanDuration(left));
    text
}

impl Watch for Progress {
    fn begins(&mut self, key: Key<'_>, behind: usize, end: Instant) {
        self.behind = behind;
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        self.bar.set_position(behind as u64);
        self.bar.set_message(key.to_string());
        self.bar.enable_steady_tick(TICK);
    }

    fn ended(&mut self, run: &Run) {
        let key = run.key();
        if let Outcome::Failed(reason) = &run.outcome {
            self.say(&format!("{key}: FAILED: {reason}"));
        } else if self.bar.is_hidden() {
            let took = Duration::from_nanos(run.elapsed_ns).as_secs_f64();
            let busy = if run.load.busy { ", host busy" } else { "" };
            let (number, all) = (self.behind + 1, self.all);
            let left = time_left(self.end());
            self.say(&format!("{number}/{all} {key}: {took:.1} s{busy}; {left}"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
