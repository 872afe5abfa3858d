//! The live view as a function: what the CPUs showed at two moments, the terminal's size, and how far it
//! is scrolled, become a screen.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    columns::{Columns, Row},
    screen::{Screen, Size, Style},
};
use crate::shell::{
    figures::{CpuFigures, MemoryFigures, Moment, Rates, RatesOfAll},
    numbers::{Count, Percent, Size as Bytes, Span},
};

/// What is to be seen.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The moment from which on rates are counted, if there was one.
    pub before: Option<&'a Moment>,
    /// The moment that is shown.
    pub now: &'a Moment,
    /// The commands that run behind the shell, such as `[1] torture 60`.
    pub jobs: &'a [String],
    /// Which of the CPUs that are there is in the first line; the last that fill the screen, if that is
    /// beyond them.
    pub first: usize,
}

/// Rows that are no CPU's, the most needed first: heads of the columns, how long and how many, what keys
/// do, what all CPUs did, memory and jobs.
pub(super) const OTHER_ROWS: usize = 5;

/// How many CPUs a terminal with so many rows shows at once; one at least.
pub fn rows_for_cpus(size: Size) -> usize {
    size.rows - others(size)
}

/// How many other rows there are. Half of a small terminal is left to CPUs.
fn others(size: Size) -> usize {
    OTHER_ROWS.min(size.rows / 2)
}

impl View<'_> {
    /// The screen.
    pub fn screen(&self, size: Size) -> Screen {
        let cpus: Vec<_> = self.now.present().collect();
        let shown = rows_for_cpus(size);
        let first = self.first.min(cpus.len().saturating_sub(shown));
        let last = cpus.len().min(first + shown);
        let rates = |it: &CpuFigures| self.now.rates_since(self.before?, it);
        let room = size.columns - 1;
        let others = others(size);

        let mut screen = Screen::new(size);
        let mut put = |needs: usize, text: String, style| {
            if others >= needs {
                screen.push(&text, style);
            }
        };
        put(2, self.title(&cpus, room), Style::Plain);
        let all = self
            .before
            .map(|_| RatesOfAll::of(cpus.iter().filter_map(|it| rates(it))));
        put(4, what_all_did(all, room), Style::Plain);
        put(5, self.memory_and_jobs(room), Style::Plain);
        let columns = Columns::that_fit(&cpus, room);
        put(1, columns.heads(), Style::Inverse);
        for &cpu in &cpus[first..last] {
            let row = Row {
                cpu,
                rates: rates(cpu),
                span: cpu.since.map(|since| Span(self.now.at - since)),
            };
            screen.push(&columns.row(&row), Style::Plain);
        }
        for _ in last - first..shown {
            screen.push("", Style::Plain);
        }
        if others >= 3 {
            screen.push(&keys(first, last, cpus.len(), room), Style::Dim);
        }
        screen
    }

    /// How long the machine runs, and how many CPUs are where.
    fn title(&self, cpus: &[&CpuFigures], room: usize) -> String {
        let seconds = self.now.at.as_nanos() / 1_000_000_000;
        let online = cpus.iter().filter(|it| it.state.is_online()).count();
        let (away, absent) = (cpus.len() - online, self.now.cpus.len() - cpus.len());
        let noun = if online == 1 { "CPU" } else { "CPUs" };
        let mut parts = Vec::from([
            format!(
                "up {}:{:02}:{:02}",
                seconds / 3_600,
                seconds / 60 % 60,
                seconds % 60
            ),
            format!("{online} {noun} online"),
        ]);
        if away > 0 {
            parts.push(format!("{away} away"));
        }
        if absent > 0 {
            parts.push(format!("{absent} not there"));
        }
        that_fit(&parts, room)
    }

    fn memory_and_jobs(&self, room: usize) -> String {
        let MemoryFigures {
            heap_in_use,
            heap_free,
            frames_in_use,
            frames_free,
        } = self.now.memory;
        let heap = heap_in_use.saturating_add(heap_free);
        let frames = frames_in_use.saturating_add(frames_free);
        let mut parts = Vec::from([
            format!("heap {} of {}", Bytes(heap_in_use), Bytes(heap)),
            format!("frames {frames_in_use} of {frames}"),
        ]);
        if !self.jobs.is_empty() {
            let rest = room.saturating_sub(parts[0].len() + 2);
            parts.insert(1, cut(&self.jobs.join(", "), rest));
        }
        that_fit(&parts, room)
    }
}

/// What all CPUs did together; a dash for each figure as long as there is one moment only.
fn what_all_did(all: Option<RatesOfAll>, room: usize) -> String {
    let count = |of: fn(&Rates) -> u64| {
        all.map_or_else(
            || "-".to_string(),
            |all| {
                let value = of(&all.sum);
                Count { value, columns: 7 }.to_string()
            },
        )
    };
    let idle = all.and_then(|all| all.sum.idle);
    let idle = idle.map_or_else(
        || "-".to_string(),
        |thousandths| Percent { thousandths }.to_string(),
    );
    let parts = [
        format!("idle {idle} %"),
        format!("{} polls/s", count(|it| it.polls)),
        format!("{} wakes/s", count(|it| it.wakes)),
        format!("{} calls/s", count(|it| it.calls)),
        format!("{} IPIs/s", count(|it| it.ipis)),
        format!("{} saved/s", count(|it| it.saved)),
    ];
    that_fit(&parts, room)
}

/// Which CPUs are shown, and how one sees others and leaves.
fn keys(first: usize, last: usize, all: usize, room: usize) -> String {
    let mut parts = Vec::from(["q quits".to_string()]);
    if last - first < all {
        parts.insert(0, format!("lines {}-{last} of {all}", first + 1));
        parts.push("arrows, PgUp, PgDn, Home, End scroll".to_string());
    }
    that_fit(&parts, room)
}

/// As much of a text as fits, with dots in the place of what is cut off.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let shown: String = text.chars().take(room.saturating_sub(2)).collect();
    shown + ".."
}

/// The parts that fit, in their order, with commas between them. One that does not is left out, and those
/// behind it may still fit; the first is there in any case.
fn that_fit(parts: &[String], room: usize) -> String {
    let mut line = String::new();
    for part in parts {
        if line.is_empty() {
            line += part;
        } else if line.len() + 2 + part.len() <= room {
            line += ", ";
            line += part;
        }
    }
    line
}

#[cfg(test)]
mod tests;
