//! What a person sees of calls between CPUs: a line for all of them, and one for their round trips.
//! Made from the records, so that whoever has records can print it.

use core::fmt;

use crate::{
    record::{CallTotals, Calls, RoundTrip, RoundTrips},
    summary::Growth,
    table::{Micros, Ratio},
};

/// The line for all calls, below one for the rule that was broken, without an end of line.
pub struct CallsLine<'a>(pub &'a Calls);

impl fmt::Display for CallsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calls {
            asked,
            cpus,
            totals,
            broken,
            duration_ns,
            balance,
        } = self.0;
        if let Some(broken) = broken {
            writeln!(f, "calls: {broken}")?;
        }
        let word = if *cpus == 1 { "CPU" } else { "CPUs" };
        let nanos = duration_ns / totals.done.max(1);
        write!(
            f,
            "calls: {} of {asked} on {cpus} {word}, {} lost, {} failed, {} us each, {} IPIs, {}",
            totals.done,
            totals.lost,
            totals.failed,
            Micros { nanos },
            totals.ipis,
            Growth(balance)
        )
    }
}

/// What came of calls, kind by kind, as part of a line.
pub struct OfCalls<'a>(pub &'a CallTotals);

impl fmt::Display for OfCalls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallTotals {
            done, failed, lost, ..
        } = self.0;
        write!(f, "{done} calls ran, {failed} failed, {lost} lost")
    }
}

/// The line for round trips, without an end of line: each kind's median, and how many times as long
/// as the ping-pong's that is.
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
        let nanos = whole;
        write!(f, "round trips: ping-pong {} us", Micros { nanos })?;
        for (name, trip) in [
            ("awaited", awaited),
            ("blocking", blocking),
            ("polling", polling),
        ] {
            match median(trip) {
                None => write!(f, " | {name} none")?,
                Some(nanos) => {
                    let ratio = Ratio { part: nanos, whole };
                    write!(f, " | {name} {} us, x{ratio}", Micros { nanos })?;
                }
            }
        }
        write!(f, ", {} IPIs", polling.ipis + polling.answer_ipis)
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
            duration_ns: 3_100_000_000,
            balance: Balance {
                heap_before: 1000,
                heap_after: 1000,
                frames_before: 50,
                frames_after: 50,
            },
        };
        assert_eq!(
            CallsLine(&calls).to_string(),
            "calls: 1000000 of 1000000 on 8 CPUs, 0 lost, 0 failed, 3.10 us each, 250000 IPIs, \
             heap +0 B, frames +0"
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
            "round trips: ping-pong 40.0 us | awaited 46.0 us, x1.15 | blocking 41.2 us, x1.03 | \
             polling 1.20 us, x0.03, 0 IPIs"
        );
        trips.awaited = RoundTrip::default();
        assert!(RoundTripsLine(&trips).to_string().contains("awaited none"));
        trips.ping_pong = RoundTrip::default();
        assert_eq!(
            RoundTripsLine(&trips).to_string(),
            "round trips: CPU 1 does not answer"
        );
    }
}
