//! One line for each contender on each machine, with all its figures, for spreadsheets.
//!
//! Times are in nanoseconds, as in the results themselves; ratios have no unit. A machine of which every boot
//! failed has one line without a contender.

use std::io;

use csv::Writer;
use serde::Serialize;

use crate::bench::stats::{
    median::Median,
    summary::{Group, Row, Summary},
};

/// A line. The fields' names are the file's head.
#[derive(Debug, Default, Serialize)]
struct Line<'a> {
    system: &'a str,
    chipset: String,
    accel: String,
    smp: String,
    cpus: u32,
    cpu: &'a str,
    memory: &'a str,
    words: &'a str,
    model: &'a str,
    contender: &'a str,
    boots: usize,
    failed: usize,
    busy: usize,
    rounds: Option<usize>,
    online_ns: Option<f64>,
    online_low_ns: Option<f64>,
    online_high_ns: Option<f64>,
    alive_ns: Option<f64>,
    alive_low_ns: Option<f64>,
    alive_high_ns: Option<f64>,
    of_bare: Option<f64>,
    of_bare_low: Option<f64>,
    of_bare_high: Option<f64>,
    of_parallel: Option<f64>,
    of_parallel_low: Option<f64>,
    of_parallel_high: Option<f64>,
    interval_level: Option<f64>,
}

/// Writes them all, a head first.
///
/// # Errors
///
/// The output takes no more.
pub fn write_csv(summary: &Summary, out: impl io::Write) -> io::Result<()> {
    let mut writer = Writer::from_writer(out);
    for group in &summary.groups {
        if group.rows.is_empty() {
            writer.serialize(Line::of_group(group))?;
        }
        for row in &group.rows {
            writer.serialize(Line::of_group(group).with(row))?;
        }
    }
    writer.flush()
}

impl<'a> Line<'a> {
    fn of_group(group: &'a Group) -> Self {
        let machine = &group.machine;
        // As the results have it.
        let name = |value: serde_json::Result<serde_json::Value>| match value {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        };
        Self {
            system: &group.system,
            chipset: name(serde_json::to_value(machine.chipset)),
            accel: name(serde_json::to_value(machine.accel)),
            smp: machine.smp.to_string(),
            cpus: machine.smp.cpus(),
            cpu: machine.cpu.as_deref().unwrap_or_default(),
            memory: machine.memory.as_deref().unwrap_or_default(),
            words: &machine.words,
            model: machine.model.as_deref().unwrap_or_default(),
            boots: group.boots,
            failed: group.failed.len(),
            busy: group.busy,
            rounds: group.rounds,
            ..Self::default()
        }
    }

    fn with(mut self, row: &'a Row) -> Self {
        let ends = |median: Option<Median>, decimals: i32| {
            // More digits than anybody measured would be noise.
            let scale = 10_f64.powi(decimals);
            let rounded = |value: f64| (value * scale).round() / scale;
            let interval = median.and_then(|it| it.interval);
            (
                median.map(|it| rounded(it.median)),
                interval.map(|it| rounded(it.low)),
                interval.map(|it| rounded(it.high)),
            )
        };
        self.contender = &row.contender;
        self.interval_level = row
            .online_ns
            .interval
            .map(|it| (it.level * 1e4).round() / 1e4);
        (self.online_ns, self.online_low_ns, self.online_high_ns) = ends(Some(row.online_ns), 0);
        (self.alive_ns, self.alive_low_ns, self.alive_high_ns) = ends(row.alive_ns, 0);
        (self.of_bare, self.of_bare_low, self.of_bare_high) = ends(row.of_bare, 4);
        (
            self.of_parallel,
            self.of_parallel_low,
            self.of_parallel_high,
        ) = ends(row.of_parallel, 4);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand, *};

    fn lines(summary: &Summary) -> Vec<Vec<String>> {
        let mut bytes = Vec::new();
        write_csv(summary, &mut bytes).expect("memory takes it");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&bytes[..]);
        let records = reader
            .records()
            .map(|it| it.expect("all are of one length"));
        records
            .map(|it| it.iter().map(str::to_owned).collect())
            .collect()
    }

    fn field<'a>(lines: &'a [Vec<String>], line: usize, name: &str) -> &'a str {
        let column = lines[0].iter().position(|it| it == name);
        &lines[line][column.expect("there is such a column")]
    }

    #[test]
    fn each_contender_has_a_line_with_its_figures() {
        let lines = lines(&by_hand::summary());
        assert_eq!(lines.len(), 1 + 3);
        assert_eq!(field(&lines, 1, "contender"), "parallel");
        assert_eq!(field(&lines, 1, "online_ns"), "1500000.0");
        assert_eq!(field(&lines, 1, "of_bare"), "3.0");
        assert_eq!(field(&lines, 1, "of_parallel"), "");
        assert_eq!(
            (field(&lines, 1, "boots"), field(&lines, 1, "failed")),
            ("5", "1")
        );
        assert_eq!(field(&lines, 1, "interval_level"), "0.9375");
    }

    #[test]
    fn a_topology_stays_in_its_column_and_a_machine_that_only_failed_has_a_line() {
        let wide = lines(&by_hand::wide());
        assert_eq!(field(&wide, 1, "smp"), "112,sockets=2,cores=28,threads=2");
        let mut failed = by_hand::summary();
        failed.groups[0].rows.clear();
        failed.groups[0].boots = 0;
        let lines = lines(&failed);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (field(&lines, 1, "boots"), field(&lines, 1, "contender")),
            ("0", "")
        );
    }
}
