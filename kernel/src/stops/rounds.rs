//! The rounds: who stops the machine in each, and what came of it.

use alloc::{collections::BTreeSet, format, string::String, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};

use fastrand::Rng;
use reveille_executor::{Clock, Timer};
use reveille_smp::{
    cpu::CpuIndex,
    record::{Record, Stop, StopTimes},
    remote::RemoteHandle,
    summary::StopLine,
};

use super::watch::{Busy, Failed, Watch};
use crate::{
    bench::Bench,
    command_line::{Options, TestHook},
    cpus::{
        rendezvous, spawn_on,
        stop_machine::{Stopped, Who},
    },
    interruption::Interruption,
    memory::heap::HEAP,
    operations::Operations,
    percpu::{self, PerCpu},
    println, report,
    room::{self, Room, TooMany},
};

/// Until when a stop must have come to an end that was sent to a CPU, and all CPUs to the end of their
/// bursts. Every wait in it has a deadline of its own, so only a hang reaches this.
const DEADLINE: Duration = Duration::from_secs(10);

/// In one of so many rounds two CPUs stop the machine at once.
const TOGETHER_ONE_IN: u8 = 4;

/// What a stop takes until its times have a record: two of them, in lists that grow.
const A_STOP: usize = room::grown(2 * size_of::<u64>());

/// What came of the stops that were asked for.
#[derive(Default)]
pub struct Results {
    told: Option<Stop>,
    /// There were none, for want of memory.
    too_many: Option<TooMany>,
}

/// Stops the machine as often as the command line asks for, in one turn. It ends between two rounds when
/// an interruption is asked for.
pub async fn run(
    operations: &Operations<'_>,
    options: &Options,
    seed: u32,
    interruption: &Interruption,
) -> Results {
    if options.stops == 0 {
        return Results::default();
    }
    let room = Room {
        of: "stops",
        free: HEAP.bytes_free(),
        beside: 0,
        each: A_STOP,
    };
    if let Err(too_many) = room.check(options.stops) {
        return Results {
            told: None,
            too_many: Some(too_many),
        };
    }
    let Some(_turn) = interruption.unless(operations.turn()).await else {
        return Results::default();
    };
    let bench = operations.bench;
    let mut cpus: Vec<_> = bench.cpus.online_aps().collect();
    cpus.push(CpuIndex::BSP);
    cpus.sort_unstable();
    if options.tests.contains(&TestHook::LateStop)
        && let Some(&last) = cpus.last()
    {
        rendezvous::make_late(last);
    }
    let numbers = percpu::all().last().map_or(1, |area| area.index().0 + 1);
    let mut rounds = Rounds {
        bench,
        watch: Arc::new(Watch::new(numbers as usize)),
        rng: Rng::with_seed(options.seed.unwrap_or(seed).into()),
        cpus,
        together: 0,
        failed: 0,
        reason: None,
        missing: BTreeSet::new(),
        times: [const { (Vec::new(), Vec::new()) }; 2],
    };
    let start = bench.cpus.machine.now();
    let mut left = options.stops;
    while left > 0 && !interruption.is_asked() {
        left -= rounds.one(left).await;
    }
    let duration = bench.cpus.machine.now().saturating_duration_since(start);
    let interrupted = left > 0;
    let stop = rounds.record(options.stops, duration);
    Results {
        told: Some(Stop {
            interrupted,
            ..stop
        }),
        too_many: None,
    }
}

struct Rounds<'a> {
    bench: &'a Bench<'a>,
    watch: Arc<Watch>,
    rng: Rng,
    cpus: Vec<CpuIndex>,
    together: u32,
    failed: u32,
    reason: Option<String>,
    missing: BTreeSet<CpuIndex>,
    /// Until all stood, and until all could go on, in nanoseconds: of those of one, and of all.
    times: [(Vec<u64>, Vec<u64>); 2],
}

impl Rounds<'_> {
    /// One round, of at most so many stops; tells of how many it was.
    async fn one(&mut self, most: u32) -> u32 {
        let is_together = most > 1 && self.cpus.len() > 1 && self.rng.u8(..TOGETHER_ONE_IN) == 0;
        let stops = if is_together { 2 } else { 1 };
        let mut callers = self.cpus.clone();
        self.rng.shuffle(&mut callers);
        callers.truncate(stops);
        let busy = Arc::new(Busy::new(Arc::clone(&self.watch)));
        let counting: Vec<_> = self
            .cpus
            .iter()
            .filter_map(|&cpu| {
                let busy = Arc::clone(&busy);
                spawn_on(cpu, async move { busy.count(cpu).await }).ok()
            })
            .collect();
        // One that went down with its task is seen elsewhere.
        let all = busy.have_begun(counting.len());
        let _ = self.bench.timer.timeout(DEADLINE, all).await;
        let mut stopping = Vec::new();
        for cpu in callers {
            let who = *self.rng.choice(&[Who::One, Who::All]).unwrap_or(&Who::One);
            let watch = Arc::clone(&self.watch);
            stopping.push((cpu, who, spawn_on(cpu, async move { watch.stop(who) }).ok()));
        }
        for (cpu, who, handle) in stopping {
            let ended = self.end_of(handle).await;
            self.note(cpu, who, ended);
        }
        busy.end();
        for handle in counting {
            let _ = self.bench.timer.timeout(DEADLINE, handle).await;
        }
        self.together += if is_together { 2 } else { 0 };
        stops as u32
    }

    async fn end_of(
        &self,
        handle: Option<RemoteHandle<Result<Stopped, Failed>>>,
    ) -> Result<Stopped, Failed> {
        let Some(handle) = handle else {
            return Err(failed("it takes no task"));
        };
        match self.bench.timer.timeout(DEADLINE, handle).await {
            Ok(Ok(stopped)) => stopped,
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(failed("it did not come to the end of it")),
        }
    }

    fn note(&mut self, cpu: CpuIndex, who: Who, ended: Result<Stopped, Failed>) {
        match ended {
            Ok(stopped) => {
                let (gathering, total) = &mut self.times[who as usize];
                gathering.push(nanos(stopped.gathering));
                total.push(nanos(stopped.total));
            }
            Err(Failed { reason, missing }) => {
                self.failed += 1;
                self.missing.extend(missing);
                self.reason
                    .get_or_insert_with(|| format!("CPU {cpu}: {reason}"));
            }
        }
    }

    fn record(mut self, asked: u32, duration: Duration) -> Stop {
        let [one, all] = &mut self.times;
        Stop {
            asked,
            cpus: self.cpus.len() as u32,
            done: (one.1.len() + all.1.len()) as u32,
            failed: self.failed,
            together: self.together,
            reason: self.reason,
            interrupted: false,
            missing: self.missing.into_iter().collect(),
            one: StopTimes::of(&mut one.0, &mut one.1),
            all: StopTimes::of(&mut all.0, &mut all.1),
            duration_ns: nanos(duration),
        }
    }
}

fn failed(reason: impl fmt::Display) -> Failed {
    Failed {
        reason: format!("{reason}"),
        missing: Vec::new(),
    }
}

fn nanos(span: Duration) -> u64 {
    span.as_nanos() as u64
}

/// Lets a CPU stop the machine once, while other things go on.
///
/// # Errors
///
/// Why it was not stopped, or was not still.
pub async fn stop_once(cpu: CpuIndex, who: Who, timer: &Timer) -> Result<(), String> {
    let stop = move || {
        let stopped = Watch::new(0).stop(who);
        stopped.map(drop).map_err(|failed| failed.reason)
    };
    if cpu == PerCpu::current().index() {
        return stop();
    }
    // One that is down, or goes down just then, does not stop anybody.
    let Ok(handle) = spawn_on(cpu, async move { stop() }) else {
        return Ok(());
    };
    match timer.timeout(DEADLINE, handle).await {
        Ok(stopped) => stopped.unwrap_or(Ok(())),
        Err(_) => Err(format!("CPU {cpu} did not come to the end of a stop")),
    }
}

impl Results {
    /// Tells of it, on both channels.
    pub fn write(&self) {
        if let Some(stop) = &self.told {
            println!("{}", StopLine(stop));
            report::write(&Record::Stop(stop.clone()));
        }
    }

    /// Whether all stops were as they should be.
    ///
    /// # Errors
    ///
    /// The first that was not.
    pub fn verdict(&self) -> Result<(), NotStopped> {
        if let Some(too_many) = self.too_many {
            return Err(NotStopped(format!("{too_many}")));
        }
        match &self.told {
            Some(Stop {
                failed: 1..,
                reason: Some(reason),
                ..
            }) => Err(NotStopped(reason.clone())),
            _ => Ok(()),
        }
    }
}

/// A stop that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStopped(String);

impl fmt::Display for NotStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stop: {}", self.0)
    }
}

impl core::error::Error for NotStopped {}
