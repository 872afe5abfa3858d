//! What is said of growth: a table of the sizes, a line for each quantity with its verdict, and the same as CSV.
//! All of it fits 80 columns but the CSV.

use std::{fmt, io};

use csv::Writer;
use reveille_smp::lines::Words;
use serde::Serialize;

use super::{
    fit::{Growth, Law, TooFew, Verdict, grows},
    points::{Quantity, Size},
};

/// The table of the sizes and the verdicts below it, with the end of the last line left out.
pub struct Report<'a>(pub &'a [Size]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>5}{:>6}  {:>26}  {:>17}  {:>20}",
            "", "", "bring-up", "memory", "host CPU"
        )?;
        writeln!(
            f,
            "{:>5}{:>6}  {:>8}{:>9}{:>9}  {:>8}{:>9}  {:>10}{:>10}",
            "CPUs",
            "boots",
            "cold ms",
            "warm ms",
            "us/AP",
            "guest K",
            "host M",
            "boot ms",
            "APs' ms"
        )?;
        for size in self.0 {
            row(f, size)?;
        }
        for text in about_busy(self.0) {
            let words = Words {
                text: &text,
                indent: 2,
            };
            writeln!(f, "{words}")?;
        }
        for (index, quantity) in Quantity::ALL.into_iter().enumerate() {
            let end = if index + 1 < Quantity::ALL.len() {
                "\n"
            } else {
                ""
            };
            write!(f, "{}{end}", Said::of(quantity, self.0))?;
        }
        Ok(())
    }
}

/// What is to be known of boots during which others used the host, and of which sizes; nothing where there were none.
pub fn about_busy(sizes: &[Size]) -> Vec<String> {
    let busy: u32 = sizes.iter().map(|size| size.busy).sum();
    let left_out: u32 = sizes.iter().map(|size| size.left_out).sum();
    let mut told = Vec::new();
    if busy > 0 {
        told.push(format!("{} ran while others used the host", boots(busy)));
    }
    if left_out > 0 {
        told.push(format!("{} left out, as there are others", are(left_out)));
    }
    if busy > left_out {
        let of = sizes.iter().filter(|size| size.busy > size.left_out);
        let of: Vec<_> = of.map(|size| size.cpus.to_string()).collect();
        told.push(format!(
            "{} in the figures, as there are no others of the kind: trust no time of {} CPUs",
            are(busy - left_out),
            of.join(", ")
        ));
    }
    told
}

fn boots(count: u32) -> String {
    match count {
        1 => "1 boot".to_owned(),
        count => format!("{count} boots"),
    }
}

fn are(count: u32) -> String {
    match count {
        1 => "1 of them is".to_owned(),
        count => format!("{count} of them are"),
    }
}

fn row(f: &mut fmt::Formatter<'_>, size: &Size) -> fmt::Result {
    let aps = u64::from(size.cpus.saturating_sub(1)).max(1);
    let each = size.warm_ns.map(|nanos| nanos / aps);
    let shown =
        |value: Option<f64>, scale: f64| value.map_or("-".to_owned(), |it| short(it / scale));
    let of = |value: Option<u64>, scale: f64| shown(value.map(|it| it as f64), scale);
    writeln!(
        f,
        "{:>5}{:>6}  {:>8}{:>9}{:>9}  {:>8}{:>9}  {:>10}{:>10}",
        size.cpus,
        size.boots,
        of(size.cold_ns, MILLI),
        of(size.warm_ns, MILLI),
        of(each, MICRO),
        of(size.guest_bytes, KIB),
        of(size.rss_bytes, MIB),
        of(size.cpu_ns, MILLI),
        shown(size.ap_cpu_ns.map(|it| it as f64), MILLI),
    )
}

const MICRO: f64 = 1e3;
const MILLI: f64 = 1e6;
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Three significant digits, and no more than two decimals.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        0.0..9.995 => 2,
        9.995..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// What is said of a quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    quantity: Quantity,
    growth: Result<Growth, TooFew>,
}

impl Said {
    /// Of these sizes.
    pub fn of(quantity: Quantity, sizes: &[Size]) -> Self {
        Self {
            quantity,
            growth: grows(&quantity.points(sizes)),
        }
    }

    /// How it grows, if that can be asked.
    pub fn growth(&self) -> Result<Growth, TooFew> {
        self.growth
    }

    fn name(&self) -> &'static str {
        match self.quantity {
            Quantity::Warm => "time, warm",
            Quantity::Cold => "time, cold",
            Quantity::Guest => "guest memory",
            Quantity::Host => "host memory",
            Quantity::Cpu => "host CPU time",
        }
    }

    fn each(&self, value: f64) -> String {
        match self.quantity {
            Quantity::Warm | Quantity::Cold | Quantity::Cpu => {
                format!("{} us an AP", short(value / MICRO))
            }
            Quantity::Guest | Quantity::Host => format!("{} KiB an AP", short(value / KIB)),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14} ", self.name())?;
        let growth = match self.growth {
            Ok(growth) => growth,
            Err(too_few) => return write!(f, "{too_few}"),
        };
        let (low, high) = growth.interval;
        let exponent = format!("exponent {:.2} ({low:.2}-{high:.2})", growth.exponent);
        let slope = self.each(growth.line.slope);
        match growth.verdict {
            Verdict::Linear => write!(f, "grows linearly: {slope}, {exponent}")?,
            Verdict::Faster => write!(f, "grows FASTER than linearly: {exponent}")?,
            Verdict::Slower => write!(f, "grows slower than linearly: {exponent}")?,
            Verdict::Open => write!(f, "cannot be told: {exponent}")?,
        }
        write!(f, "\n{:15}errs by", "")?;
        for (law, error) in Law::ALL.into_iter().zip(growth.errors) {
            let best = if law == growth.best { "*" } else { "" };
            let comma = if law == Law::Linear { "" } else { "," };
            write!(f, "{comma} {:.1} % as {}{best}", 100.0 * error, law.name())?;
        }
        Ok(())
    }
}

/// A line of the CSV. The fields' names are the file's head, and what is not known is empty.
#[derive(Debug, Serialize)]
struct Line {
    cpus: u32,
    boots: u32,
    busy: u32,
    left_out: u32,
    cold_ns: Option<u64>,
    warm_ns: Option<u64>,
    guest_bytes: Option<u64>,
    rss_bytes: Option<u64>,
    cpu_ns: Option<u64>,
    ap_cpu_ns: Option<i64>,
}

impl From<&Size> for Line {
    fn from(size: &Size) -> Self {
        Self {
            cpus: size.cpus,
            boots: size.boots,
            busy: size.busy,
            left_out: size.left_out,
            cold_ns: size.cold_ns,
            warm_ns: size.warm_ns,
            guest_bytes: size.guest_bytes,
            rss_bytes: size.rss_bytes,
            cpu_ns: size.cpu_ns,
            ap_cpu_ns: size.ap_cpu_ns,
        }
    }
}

/// Writes the sizes as CSV, a head first.
///
/// # Errors
///
/// The output takes no more.
pub fn write_csv(sizes: &[Size], out: impl io::Write) -> io::Result<()> {
    let mut writer = Writer::from_writer(out);
    for size in sizes {
        writer.serialize(Line::from(size))?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(time: impl Fn(u64) -> u64) -> Vec<Size> {
        let size = |power: u32| {
            let cpus = 1 << power;
            let aps = u64::from(cpus - 1);
            let has_aps = aps > 0;
            Size {
                cpus,
                boots: 5,
                busy: 0,
                left_out: 0,
                cold_ns: has_aps.then(|| 3_000_000 + 2 * time(aps)),
                warm_ns: has_aps.then(|| time(aps)),
                guest_bytes: Some(7_000 + 124_000 * aps),
                rss_bytes: Some(90_000_000 + 2_000_000 * aps),
                cpu_ns: Some(400_000_000 + 9_000_000 * aps),
                ap_cpu_ns: has_aps.then(|| (900_000 * aps) as i64),
                cpu_noise_ns: has_aps.then_some(100),
            }
        };
        (0..10).map(size).collect()
    }

    #[test]
    fn a_line_is_said_to_be_one_in_words_that_fit() {
        let text = Report(&sizes(|aps| 300_000 + 52_000 * aps)).to_string();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        let line = "time, warm     grows linearly: 52.0 us an AP, exponent 1.00 (1.00-1.00)";
        assert!(text.contains(line), "{text}");
        let line = "guest memory   grows linearly: 121 KiB an AP, exponent 1.00 (";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("% as linear*, "), "{text}");
        assert_eq!(text.lines().count(), 2 + 10 + 2 * Quantity::ALL.len());
        assert!(!text.contains("FASTER"));
    }

    #[test]
    fn what_grows_faster_is_said_to() {
        let text = Report(&sizes(|aps| 300_000 + 900 * aps * aps)).to_string();
        let line = "time, warm     grows FASTER than linearly: exponent 2.00 (";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("% as quadratic*"), "{text}");
    }

    #[test]
    fn without_enough_sizes_there_is_a_table_and_no_verdict() {
        let few = &sizes(|aps| aps)[..3];
        let text = Report(few).to_string();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert_eq!(
            text.matches("too few to tell: 2 sizes have").count(),
            5,
            "{text}"
        );
        assert!(text.contains("    1     5         -"), "{text}");
    }

    #[test]
    fn large_figures_fit_too() {
        let mut sizes = sizes(|aps| 10_000_000_000 * aps);
        for size in &mut sizes {
            size.cpu_ns = Some(9_999_999_000_000);
            size.ap_cpu_ns = Some(-9_999_999_000_000);
            (size.busy, size.left_out) = (15, 4);
        }
        let text = Report(&sizes).to_string();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(
            text.contains("150 boots ran while others used the host\n40 of them are left out"),
            "{text}"
        );
        let told = "\n110 of them are in the figures, as there are no others of the kind: trust no\n  time of \
                    1, 2, 4, 8, 16, 32, 64, 128, 256, 512 CPUs\n";
        assert!(text.contains(told), "{text}");
    }

    #[test]
    fn a_busy_boot_that_has_no_other_beside_it_is_told_with_its_size() {
        let mut sizes = sizes(|aps| 50 * aps);
        (sizes[0].busy, sizes[0].left_out) = (1, 1);
        (sizes[3].busy, sizes[3].left_out) = (1, 0);
        let text = Report(&sizes).to_string();
        for told in [
            "\n2 boots ran while others used the host\n1 of them is left out, as there are others\n",
            "\n1 of them is in the figures, as there are no others of the kind: trust no time\n  of 8 CPUs\n",
        ] {
            assert!(text.contains(told), "{text}");
        }
    }

    #[test]
    fn csv_has_a_cell_for_each_figure_and_none_for_what_is_not_known() {
        let mut bytes = Vec::new();
        write_csv(&sizes(|aps| 50 * aps)[..2], &mut bytes).expect("memory takes it");
        let text = String::from_utf8(bytes).expect("it is text");
        let mut lines = text.lines();
        let header = lines.next().expect("there is one");
        let columns = header.split(',').count();
        assert!(
            lines.clone().all(|line| line.split(',').count() == columns),
            "{text}"
        );
        assert_eq!(lines.next(), Some("1,5,0,0,,,7000,90000000,400000000,"));
    }
}
