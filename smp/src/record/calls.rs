//! The records of calls between CPUs: `calls`, `round_trips` and `ipi`, and what `torture` tells of
//! its calls.

use alloc::{string::String, vec::Vec};

use super::Balance;
use crate::{cpu::CpuIndex, spread::Spread};

/// Calls of all kinds from all CPUs to all CPUs, so many. It ends early where one is lost.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Calls {
    /// Calls that were asked for.
    pub asked: u32,
    /// CPUs that called, and were called.
    pub cpus: u32,
    /// What came of them. Those that ran are what was done.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub totals: CallTotals,
    /// Which rule was broken, where one was.
    pub broken: Option<String>,
    /// Whether it was ended before all that was asked for was done.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "super::is_false")
    )]
    pub interrupted: bool,
    /// All calls together.
    pub duration_ns: u64,
    /// Memory before the first and behind the last call.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub balance: Balance,
}

/// What came of many calls. A call to several CPUs counts once for each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CallTotals {
    /// Calls that ran, each once.
    pub done: u64,
    /// Calls that were reported failed, and did not run.
    pub failed: u64,
    /// Calls that neither ran nor were reported failed, or both, or ran twice.
    pub lost: u64,
    /// Calls whose caller went down before it heard of them: they ran once or not at all.
    pub unheard: u64,
    /// The same of each kind.
    pub kinds: Vec<KindOfCall>,
    /// Interrupts that were sent for them: to CPUs that were called, and to those that wait for an answer or for
    /// room.
    pub ipis: u64,
}

/// What came of the calls of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KindOfCall {
    /// Its name.
    pub kind: String,
    /// Calls that ran.
    pub done: u64,
    /// Calls that were reported failed.
    pub failed: u64,
    /// Calls of which nobody heard.
    pub unheard: u64,
}

/// Round trips to a CPU that halts and to one that polls, beside a bare ping-pong of interrupts, all
/// of them in one boot and by turns.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoundTrips {
    /// The CPU that was called; the boot processor called it.
    pub to: CpuIndex,
    /// Round trips of each kind.
    pub samples: u32,
    /// An interrupt to the CPU, which halts; its handler answers by another. No queue.
    pub ping_pong: RoundTrip,
    /// A call to the CPU, which halts, in a task that awaits it.
    pub awaited: RoundTrip,
    /// The same, and the caller waits without a task.
    pub blocking: RoundTrip,
    /// A call to the CPU while it looks for calls again and again; the caller does too.
    pub polling: RoundTrip,
}

/// The round trips of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoundTrip {
    /// How long they took.
    pub round_trip_ns: Option<Spread>,
    /// Interrupts that were sent to the CPU that is called, for all of them together.
    pub ipis: u64,
    /// Interrupts that were sent to the CPU that calls.
    pub answer_ipis: u64,
}

/// Calls from one CPU to another, which halted.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ipi {
    /// Who called.
    pub from: CpuIndex,
    /// Who was called.
    pub to: CpuIndex,
    /// Calls.
    pub samples: u32,
    /// From before the call was queued until it began to run; `null` where the two clocks could not
    /// be compared.
    pub queue_to_entry_ns: Option<Times>,
    /// From before its interrupt was sent; `null` also where none was.
    pub send_to_entry_ns: Option<Times>,
    /// From before the call was queued until its caller had the answer, by the caller's clock.
    pub round_trip_ns: Option<Times>,
    /// How far the first two can be trusted, which are taken by two clocks: `null` where these could
    /// not be compared, 0 where both are the same.
    pub uncertainty_ns: Option<u64>,
}

/// Many times.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Times {
    /// How they spread.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub spread: Spread,
    /// How many took from 2^i nanoseconds to twice that, for each i from 0 to the last that is not
    /// empty; the first counts those below that too.
    pub histogram: Vec<u32>,
}

impl Times {
    /// Of these times, in any order; `None` when there are none.
    pub fn of(nanos: &mut [u64]) -> Option<Self> {
        let spread = Spread::of(nanos)?;
        let bucket = |nanos: u64| nanos.checked_ilog2().unwrap_or_default() as usize;
        let mut histogram = alloc::vec![0; bucket(spread.max) + 1];
        nanos.iter().for_each(|&it| histogram[bucket(it)] += 1);
        Some(Self { spread, histogram })
    }
}

impl CallTotals {
    /// Adds what came of calls of one kind.
    pub fn add(&mut self, kind: &str, done: u64, failed: u64, unheard: u64) {
        self.done += done;
        self.failed += failed;
        self.unheard += unheard;
        match self.kinds.iter_mut().find(|it| it.kind == kind) {
            Some(of_kind) => {
                of_kind.done += done;
                of_kind.failed += failed;
                of_kind.unheard += unheard;
            }
            None => self.kinds.push(KindOfCall {
                kind: kind.into(),
                done,
                failed,
                unheard,
            }),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_bucket_of_its_power_of_two() {
        let times = Times::of(&mut [8, 0, 1, 15, 16, 2]).unwrap();
        assert_eq!(times.histogram, [2, 1, 0, 2, 1]);
        assert_eq!((times.spread.min, times.spread.max), (0, 16));
        let largest = Times::of(&mut [u64::MAX]).unwrap();
        assert_eq!((largest.histogram.len(), largest.histogram[63]), (64, 1));
        assert_eq!(Times::of(&mut []), None);
    }

    #[test]
    fn totals_are_the_sums_of_their_kinds() {
        let mut totals = CallTotals::default();
        totals.add("awaited", 10, 1, 0);
        totals.add("blocking", 5, 2, 1);
        totals.add("awaited", 7, 0, 2);
        assert_eq!((totals.done, totals.failed, totals.unheard), (22, 3, 3));
        let awaited = KindOfCall {
            kind: "awaited".into(),
            done: 17,
            failed: 1,
            unheard: 2,
        };
        assert_eq!(totals.kinds[0], awaited);
        assert_eq!(totals.kinds.len(), 2);
    }
}
