//! `round-trips=N`: what a call to a CPU costs beside a bare ping-pong of interrupts with it.
//!
//! All kinds are measured in one boot and by turns, a few of each, so that whatever slows the host down
//! slows all of them. Before each round trip but those to a CPU that polls, the CPU halts.

use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use reveille_executor::{Clock, Instant, Timer};
use reveille_smp::{
    call::CallError,
    cpu::CpuIndex,
    record::{self, RoundTrip},
    spread::Spread,
};

use super::{halted::Rests, ping, watch};
use crate::{
    bench::Bench,
    calls::{call, call_blocking, look_until},
    cpus::spawn_on,
    memory::heap::HEAP,
    percpu::PerCpu,
    room::{self, Room, TooMany},
    time::TscClock,
};

/// Round trips of a kind to a CPU that halts before the next kind has its turn.
const TURN: u32 = 8;

/// The same of those to a CPU that polls: more, as each turn has to settle first.
const POLLING_TURN: u32 = 64;

/// Until when a CPU must have answered. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long a CPU has polled before it is called: some ticks of a host's scheduler (4 ms at 250 Hz).
const SETTLE: Duration = Duration::from_millis(10);

/// From one look at whether the CPU polls to the next.
const PAUSE: Duration = Duration::from_micros(20);

/// Measures so many round trips of each kind between the BSP, which calls this, and an AP.
///
/// # Errors
///
/// When the times would not fit into memory, and when an answer does not come.
///
/// # Cancellation
///
/// An AP that polls goes on for as long as an answer may take.
pub(super) async fn measure(
    bench: &Bench<'_>,
    to: CpuIndex,
    samples: u32,
) -> Result<record::RoundTrips, Unmeasured> {
    let area = PerCpu::of(to).ok_or(Unmeasured::Gone(to))?;
    let room = Room {
        of: "calls",
        free: HEAP.bytes_free(),
        beside: 0,
        each: KINDS * size_of::<u64>(),
    };
    room.check(samples).map_err(Unmeasured::TooMany)?;
    let kind = || Measured::with_room(samples).map_err(Unmeasured::TooMany);
    let mut pair = Pair {
        bench,
        timer: &bench.timer,
        clock: bench.cpus.machine.clock,
        to,
        area,
        rests: Rests::of(area),
        kinds: [kind()?, kind()?, kind()?, kind()?],
    };
    let mut left = samples;
    while left > 0 {
        let polling = left.min(POLLING_TURN);
        let mut halting = polling;
        while halting > 0 {
            let turn = halting.min(TURN);
            pair.ping_pong(turn).await?;
            pair.awaited(turn).await?;
            pair.blocking(turn).await?;
            halting -= turn;
        }
        pair.polling(polling).await?;
        left -= polling;
    }
    let [ping_pong, awaited, blocking, polling] = pair.kinds.map(Measured::told);
    Ok(record::RoundTrips {
        to,
        samples,
        ping_pong,
        awaited,
        blocking,
        polling,
    })
}

/// The BSP and an AP.
struct Pair<'a> {
    bench: &'a Bench<'a>,
    timer: &'a Timer,
    clock: TscClock,
    to: CpuIndex,
    area: &'static PerCpu,
    rests: Rests,
    kinds: [Measured; KINDS],
}

/// What was measured of one kind.
struct Measured {
    nanos: Vec<u64>,
    ipis: u64,
    answer_ipis: u64,
}

impl Measured {
    fn with_room(samples: u32) -> Result<Self, TooMany> {
        Ok(Self {
            nanos: room::reserve("calls", samples)?,
            ipis: 0,
            answer_ipis: 0,
        })
    }

    fn told(mut self) -> RoundTrip {
        RoundTrip {
            round_trip_ns: Spread::of(&mut self.nanos),
            ipis: self.ipis,
            answer_ipis: self.answer_ipis,
        }
    }
}

const KINDS: usize = 4;
const PING_PONG: usize = 0;
const AWAITED: usize = 1;
const BLOCKING: usize = 2;
const POLLING: usize = 3;

impl Pair<'_> {
    async fn ping_pong(&mut self, turn: u32) -> Result<(), Unmeasured> {
        for _ in 0..turn {
            self.until_halted().await?;
            let (apic, platform) = (self.bench.cpus.machine.apic, self.bench.platform);
            let answers = ping::answers();
            let took = ping::ping(self.area, apic, platform, PATIENCE);
            let took = took.ok_or(Unmeasured::NoPong(self.to))?;
            let kind = &mut self.kinds[PING_PONG];
            kind.nanos.push(took.as_nanos() as u64);
            kind.ipis += 1;
            kind.answer_ipis += ping::answers() - answers;
        }
        Ok(())
    }

    /// One limit for the turn: a timer that is set for each call would be measured too.
    async fn awaited(&mut self, turn: u32) -> Result<(), Unmeasured> {
        let (timer, to) = (self.timer, self.to);
        let late = Unmeasured::NoAnswer(to, CallError::TimedOut);
        let calls = async {
            for _ in 0..turn {
                self.until_halted().await?;
                let began = self.begin();
                let answered = call(to, || ()).await;
                self.took(AWAITED, began);
                answered.map_err(|why| Unmeasured::NoAnswer(to, why))?;
            }
            Ok(())
        };
        timer.timeout(PATIENCE, calls).await.unwrap_or(Err(late))
    }

    async fn blocking(&mut self, turn: u32) -> Result<(), Unmeasured> {
        for _ in 0..turn {
            self.until_halted().await?;
            self.block(BLOCKING)?;
        }
        Ok(())
    }

    /// The AP looks for calls with interrupts off until the last of them has come: `SETTLE` and as
    /// long as a turn takes, or `PATIENCE`.
    async fn polling(&mut self, turn: u32) -> Result<(), Unmeasured> {
        let signs = Arc::new(Signs::default());
        let (theirs, clock) = (Arc::clone(&signs), self.clock);
        let polls = async move {
            let until = clock.now() + PATIENCE;
            look_until(|| {
                theirs.polls.store(true, Ordering::Relaxed);
                theirs.is_over.load(Ordering::Relaxed) || clock.now() >= until
            });
        };
        let polls = spawn_on(self.to, polls).map_err(|_| Unmeasured::Gone(self.to))?;
        let until = self.timer.now() + PATIENCE;
        while !signs.polls.load(Ordering::Relaxed) && self.timer.now() < until {
            self.timer.sleep(PAUSE).await;
        }
        // A host that had both on one processor, as they woke each other, sees now that both can run.
        self.timer.sleep(SETTLE).await;
        let mut answered = Ok(());
        for _ in 0..turn {
            answered = answered.and_then(|()| self.block(POLLING));
        }
        signs.is_over.store(true, Ordering::Relaxed);
        let ended = self.timer.timeout(PATIENCE, polls).await;
        answered.and(ended.map(drop).map_err(|_| Unmeasured::Restless(self.to)))
    }

    fn block(&mut self, kind: usize) -> Result<(), Unmeasured> {
        let began = self.begin();
        let answered = call_blocking(self.to, PATIENCE, || ());
        self.took(kind, began);
        answered.map_err(|why| Unmeasured::NoAnswer(self.to, why))
    }

    /// When a call begins, and how often the BSP's doorbell had been rung by then.
    fn begin(&self) -> (Instant, u64) {
        watch::begin(CpuIndex::BSP);
        (self.clock.now(), self.doorbells())
    }

    fn took(&mut self, kind: usize, (began, doorbells): (Instant, u64)) {
        let took = self.clock.now() - began;
        let sent = watch::end();
        // A task that awaits is woken by the doorbell.
        let rung = self.doorbells() - doorbells;
        let kind = &mut self.kinds[kind];
        kind.nanos.push(took.as_nanos() as u64);
        kind.ipis += sent.to_called;
        kind.answer_ipis += sent.to_caller + rung;
    }

    fn doorbells(&self) -> u64 {
        self.bench.counters.snapshot().doorbells_sent
    }

    async fn until_halted(&mut self) -> Result<(), Unmeasured> {
        match self.rests.wait(self.timer).await {
            true => Ok(()),
            false => Err(Unmeasured::Restless(self.to)),
        }
    }
}

/// What the two tell each other while one polls.
///
/// Relaxed: nothing else is told by them.
#[derive(Default)]
struct Signs {
    /// The AP looks for calls.
    polls: AtomicBool,
    /// It need not any more.
    is_over: AtomicBool,
}

/// Why round trips could not be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(super) enum Unmeasured {
    /// The times of so many do not fit into memory.
    TooMany(TooMany),
    /// The CPU takes no tasks or is not there.
    Gone(CpuIndex),
    /// The CPU did not come to rest between two calls.
    Restless(CpuIndex),
    /// The CPU did not answer a ping in time.
    NoPong(CpuIndex),
    /// The CPU did not answer a call, for this reason.
    NoAnswer(CpuIndex, CallError),
}

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round trips: ")?;
        match self {
            Self::TooMany(too_many) => write!(f, "{too_many}"),
            Self::Gone(cpu) => write!(f, "CPU {cpu} takes no tasks"),
            Self::Restless(cpu) => write!(f, "CPU {cpu} does not come to rest between calls"),
            Self::NoPong(cpu) => write!(f, "CPU {cpu} does not answer a ping"),
            Self::NoAnswer(cpu, why) => write!(f, "CPU {cpu} does not answer a call: {why}"),
        }
    }
}

impl core::error::Error for Unmeasured {}
