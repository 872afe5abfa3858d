//! What more CPUs cost: the bring-up in virtual time, and its simulation in the host's.

use std::{fmt, time::Duration};

use super::timeline::millis;

/// One machine of a growing series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// CPUs, the BSP among them.
    pub cpus: usize,
    /// From the first INIT to the last CPU online, all at once.
    pub parallel: Duration,
    /// The same in two passes.
    pub two_pass: Duration,
    /// Events of the simulation, all at once.
    pub events: u64,
    /// Polls of the APs' tasks on the BSP.
    pub polls: u32,
    /// What that simulation took here.
    pub host: Duration,
}

/// 2, 4, 8 and so on, and the most.
pub fn sizes(most: usize) -> impl Iterator<Item = usize> {
    let powers = std::iter::successors(Some(2), |cpus| Some(cpus * 2));
    powers.take_while(move |&cpus| cpus < most).chain([most])
}

/// The line above the points.
pub struct Head;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6}{:>26}{:>22}{:>22}{:>20}",
            "", "ms of virtual time", "events", "polls of the BSP", "host"
        )?;
        write!(
            f,
            "{:>6}{:>10}{:>10}{:>6}{:>12}{:>10}{:>12}{:>10}{:>10}{:>10}",
            "CPUs", "parallel", "two-pass", "", "", "an AP", "", "an AP", "ms", "us an AP"
        )
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aps = self.cpus.saturating_sub(1).max(1) as f64;
        let ratio = self.two_pass.as_secs_f64() / self.parallel.as_secs_f64();
        write!(
            f,
            "{:>6}{:>10}{:>10}{:>6}{:>12}{:>10.1}{:>12}{:>10.1}{:>10}{:>10.1}",
            self.cpus,
            millis(self.parallel),
            millis(self.two_pass),
            format!("{ratio:.2}x"),
            self.events,
            self.events as f64 / aps,
            self.polls,
            f64::from(self.polls) / aps,
            millis(self.host),
            self.host.as_secs_f64() * 1e6 / aps
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_double_until_the_most() {
        assert_eq!(sizes(16).collect::<Vec<_>>(), [2, 4, 8, 16]);
        assert_eq!(sizes(20).collect::<Vec<_>>(), [2, 4, 8, 16, 20]);
        assert_eq!(sizes(2).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_point_stands_below_its_heads_and_is_told_by_the_ap_too() {
        let point = Point {
            cpus: 101,
            parallel: Duration::from_millis(40),
            two_pass: Duration::from_millis(84),
            events: 2_000,
            polls: 450,
            host: Duration::from_millis(5),
        };
        let (head, line) = (Head.to_string(), point.to_string());
        let head = head.lines().last().expect("two lines");
        let end = |line: &str, word: &str| line.find(word).expect(word) + word.len();
        assert_eq!(end(head, "two-pass"), end(&line, "84.0"));
        assert_eq!(end(head, "us an AP"), end(&line, "50.0"));
        assert!(
            line.contains("2.10x") && line.contains(" 20.0") && line.contains(" 4.5"),
            "{line}"
        );
    }
}
