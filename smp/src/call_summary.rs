//! What a person sees of calls between CPUs: two lines for all of them, and three for their round trips.
//! They fit 80 columns. Made from the records, so that whoever has records can print it.

use core::{fmt, iter};

use alloc::format;

use crate::{
    lines::Parts,
    record::{CallTotals, Calls, RoundTrip, RoundTrips},
    summary::{Growth, Interrupted},
    table::{Micros, Ratio},
};

/// The lines for all calls, below one for the rule that was broken, with the end of the last left out.
pub struct CallsLine<'a>(pub &'a Calls);

impl fmt::Display for CallsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calls {
            asked,
            cpus,
            totals,
            broken,
            interrupted,
            duration_ns,
            balance,
        } = self.0;
        if let Some(broken) = broken {
            writeln!(f, "calls: {broken}")?;
        }
        let word = if *cpus == 1 { "CPU" } else { "CPUs" };
        let nanos = duration_ns / totals.done.max(1);
        let all = [
            format!(
                "{} of {asked} on {cpus} {word}{}",
                totals.done,
                Interrupted(*interrupted)
            ),
            format!("{} lost", totals.lost),
            format!("{} failed", totals.failed),
            format!("{} us each", Micros { nanos }),
        ];
        let ipis = format!("{} IPIs with those for answers", totals.ipis);
        let cost = iter::once(ipis).chain(Growth(balance).parts());
        write!(
            f,
            "{}\n{}",
            Parts::with_commas("calls: ", all),
            Parts::with_commas("       ", cost)
        )
    }
}

/// What came of calls, of all kinds together, as part of a line.
pub struct OfCalls<'a>(pub &'a CallTotals);

impl fmt::Display for OfCalls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallTotals {
            done, failed, lost, ..
        } = self.0;
        write!(f, "{done} calls ran, {failed} failed, {lost} lost")
    }
}

/// The lines for round trips, with the end of the last left out: each kind's median, and how many times
/// as long as the ping-pong's that is. Whoever polls needs no interrupt, so how many there were is told.
pub struct RoundTripsLine<'a>(pub &'a RoundTrips);

impl fmt::Display for RoundTripsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RoundTrips {
            to,
            ping_pong,
            awaited,
            blocking,
            polling,
            ..
        } = self.0;
        let median = |it: &RoundTrip| it.round_trip_ns.map(|spread| spread.p50);
        let Some(whole) = median(ping_pong) else {
            return write!(f, "round trips: CPU {to} does not answer");
        };
        let compared = |trip| Compared {
            nanos: median(trip),
            whole,
        };
        let nanos = whole;
        writeln!(f, "round trips: ping-pong {} us", Micros { nanos })?;
        let (awaited, blocking) = (compared(awaited), compared(blocking));
        writeln!(
            f,
            "    CPU {to} halts: awaited {awaited} | blocking {blocking}"
        )?;
        write!(f, "    CPU {to} polls: {}; ", compared(polling))?;
        match polling.ipis {
            0 => f.write_str("no IPI to it")?,
            some => write!(f, "{some} IPIs to it")?,
        }
        write!(f, ", {} answers by IPI", polling.answer_ipis)
    }
}

/// A median, and how many times as long as another it is.
struct Compared {
    nanos: Option<u64>,
    whole: u64,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(part), whole) = (self.nanos, self.whole) else {
            return f.write_str("none");
        };
        let ratio = Ratio { part, whole };
        write!(f, "{} us, x{ratio}", Micros { nanos: part })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::{cpu::CpuIndex, record::Balance, spread::Spread};

    #[test]
    fn the_line_of_all_calls_tells_what_came_of_them() {
        let mut totals = CallTotals::default();
        totals.add("awaited", 999_000, 0, 0);
        totals.add("blocking", 1_000, 0, 0);
        totals.ipis = 250_000;
        let mut calls = Calls {
            asked: 1_000_000,
            cpus: 8,
            totals,
            broken: None,
            interrupted: false,
            duration_ns: 3_100_000_000,
            balance: Balance {
                heap_before: 1000,
                heap_after: 1000,
                frames_before: 50,
                frames_after: 50,
                disturbed: false,
            },
        };
        assert_eq!(
            CallsLine(&calls).to_string(),
            "calls: 1000000 of 1000000 on 8 CPUs, 0 lost, 0 failed, 3.10 us each\n       \
             250000 IPIs with those for answers, heap +0 B, frames +0"
        );
        calls.totals.lost = 1;
        calls.broken = Some("a call ran twice".into());
        let lines = CallsLine(&calls).to_string();
        assert!(lines.starts_with("calls: a call ran twice\ncalls: "));
        assert_eq!(
            OfCalls(&calls.totals).to_string(),
            "1000000 calls ran, 0 failed, 1 lost"
        );
    }

    #[test]
    fn all_lines_fit_80_columns() {
        let mut totals = CallTotals::default();
        totals.add("awaited", 1_000_000_000, 9_999, 0);
        totals.ipis = 1_000_000_000;
        let calls = Calls {
            asked: 1_000_000_000,
            cpus: 512,
            totals,
            broken: None,
            interrupted: false,
            duration_ns: 99_900_000_000_000,
            balance: Balance {
                heap_before: 0,
                heap_after: 99_999_999,
                frames_before: 0,
                frames_after: 99_999,
                disturbed: false,
            },
        };
        let trip = |nanos| RoundTrip {
            round_trip_ns: Spread::of(&mut [nanos]),
            ipis: 0,
            answer_ipis: 1_000_000,
        };
        let trips = RoundTrips {
            to: CpuIndex(511),
            samples: 1_000_000,
            ping_pong: trip(47_700),
            awaited: trip(53_700_000),
            blocking: trip(45_800_000),
            polling: trip(4_150),
        };
        let lines = [
            CallsLine(&calls).to_string(),
            RoundTripsLine(&trips).to_string(),
        ];
        let mut lines = lines.iter().flat_map(|lines| lines.lines());
        assert!(lines.all(|line| line.len() <= 80), "{lines:?}");
    }

    #[test]
    fn round_trips_are_compared_with_the_bare_ping_pong() {
        let trip = |nanos, ipis| RoundTrip {
            round_trip_ns: Spread::of(&mut [nanos]),
            ipis,
            answer_ipis: 0,
        };
        let mut trips = RoundTrips {
            to: CpuIndex(1),
            samples: 1,
            ping_pong: trip(40_000, 2),
            awaited: trip(46_000, 2),
            blocking: trip(41_200, 2),
            polling: trip(1_200, 0),
        };
        assert_eq!(
            RoundTripsLine(&trips).to_string(),
            "round trips: ping-pong 40.0 us\n    \
             CPU 1 halts: awaited 46.0 us, x1.15 | blocking 41.2 us, x1.03\n    \
             CPU 1 polls: 1.20 us, x0.03; no IPI to it, 0 answers by IPI"
        );
        trips.awaited = RoundTrip::default();
        trips.polling.answer_ipis = 93;
        let lines = RoundTripsLine(&trips).to_string();
        assert!(lines.contains("awaited none"), "{lines}");
        assert!(
            lines.ends_with("no IPI to it, 93 answers by IPI"),
            "{lines}"
        );
        trips.polling.ipis = 2;
        let lines = RoundTripsLine(&trips).to_string();
        assert!(
            lines.ends_with("; 2 IPIs to it, 93 answers by IPI"),
            "{lines}"
        );
        trips.ping_pong = RoundTrip::default();
        assert_eq!(
            RoundTripsLine(&trips).to_string(),
            "round trips: CPU 1 does not answer"
        );
    }
}
