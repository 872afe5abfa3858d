//! A machine whose CPUs are threads, or, where the order of events matters, are played by one thread.
//!
//! A CPU takes its interrupts where it halts: in its executor, in a blocking call, or in
//! [`Host::serving`]. So between two lines of a test nothing comes in that the test has not let in.

use std::{
    cell::Cell,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, Scope},
    time,
};

use reveille_executor::{Clock, Doorbell, Executor, Idle, Instant, NoMetrics, Platform, SleepGate};
use reveille_smp::{
    call::{CallId, CallQueue, Calls, Carrier, Pending},
    cpu::CpuIndex,
};

pub(crate) struct Machine {
    cpus: Vec<Cpu>,
    epoch: time::Instant,
    /// By how much the clock was put forward, in nanoseconds.
    advanced: AtomicU64,
    pub(crate) trace: Mutex<Vec<Traced>>,
    next_id: AtomicU64,
    pub(crate) overdue: Mutex<Vec<Pending>>,
    is_traced: AtomicBool,
    polls: AtomicBool,
}

struct Cpu {
    queue: CallQueue,
    lines: Mutex<Lines>,
    changed: Condvar,
    /// The next interrupt goes astray.
    loses: AtomicBool,
    /// The next interrupt is not accepted.
    refuses: AtomicBool,
    /// Interrupts that were sent to it.
    interrupts: AtomicU64,
    /// What happens as it halts the next time.
    at_halt: Mutex<Option<Event>>,
}

type Event = Box<dyn FnOnce() + Send>;

/// Says so when it is dropped, also by a test that fails: nobody then waits for it in vain.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// What is pending on a CPU.
#[derive(Default)]
struct Lines {
    is_called: bool,
    is_rung: bool,
}

/// What a trace sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    Queued(CpuIndex, u64),
    Entered(u64),
    Left(u64),
    Dropped(u64),
}

thread_local! {
    static THIS_CPU: Cell<u32> = const { Cell::new(0) };
}

/// A handle of a machine.
#[derive(Clone, Copy)]
pub(crate) struct Host(pub(crate) &'static Machine);

impl Host {
    /// A machine of so many CPUs, all of which take calls. It is never freed, as a kernel's is not.
    pub(crate) fn with(cpus: usize) -> Self {
        let cpu = || Cpu {
            queue: CallQueue::new(),
            lines: Mutex::default(),
            changed: Condvar::new(),
            loses: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            interrupts: AtomicU64::new(0),
            at_halt: Mutex::default(),
        };
        let machine = Machine {
            cpus: (0..cpus).map(|_| cpu()).collect(),
            epoch: time::Instant::now(),
            advanced: AtomicU64::new(0),
            trace: Mutex::default(),
            next_id: AtomicU64::new(0),
            overdue: Mutex::default(),
            is_traced: AtomicBool::new(false),
            polls: AtomicBool::new(false),
        };
        machine.cpus.iter().for_each(|cpu| cpu.queue.open());
        Self(Box::leak(Box::new(machine)))
    }

    pub(crate) fn calls(self) -> Calls<Self> {
        Calls::new(self)
    }

    pub(crate) fn of(self, cpu: u32) -> &'static CallQueue {
        &self.0.cpus[cpu as usize].queue
    }

    /// Keeps a trace from now on.
    pub(crate) fn traced(self) -> Self {
        self.0.is_traced.store(true, Relaxed);
        self
    }

    /// Whoever waits polls, and does not halt.
    pub(crate) fn polling(self) -> Self {
        self.0.polls.store(true, Relaxed);
        self
    }

    /// Loses the next interrupt to this CPU.
    pub(crate) fn lose_interrupt(self, cpu: u32) {
        self.0.cpus[cpu as usize].loses.store(true, Relaxed);
    }

    /// Does not accept the next interrupt to this CPU.
    pub(crate) fn refuse_interrupt(self, cpu: u32) {
        self.cpu(cpu).refuses.store(true, Relaxed);
    }

    /// How many interrupts were sent to this CPU.
    pub(crate) fn interrupts(self, cpu: u32) -> u64 {
        self.cpu(cpu).interrupts.load(Relaxed)
    }

    /// As this CPU halts the next time, in a blocking call, this happens.
    pub(crate) fn at_halt(self, cpu: u32, event: impl FnOnce() + Send + 'static) {
        *self.cpu(cpu).at_halt.lock().unwrap() = Some(Box::new(event));
    }

    /// Puts the clock of all CPUs forward.
    pub(crate) fn advance(self, by: time::Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("it is no century");
        self.0.advanced.fetch_add(nanos, Relaxed);
    }

    /// Takes what interrupts are pending on this CPU. For a CPU that the calling thread plays.
    pub(crate) fn take_interrupts(self, cpu: u32) {
        play(cpu, || {
            let called = std::mem::take(&mut self.cpu(cpu).lines.lock().unwrap().is_called);
            if called {
                self.of(cpu).serve(self);
            }
        });
    }

    /// Does this while these CPUs, each on a thread of its own, take interrupts.
    pub(crate) fn serving<T>(self, cpus: &[u32], work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for &cpu in cpus {
                let serve = || {
                    while !over.load(Relaxed) {
                        self.halt(self.now() + time::Duration::from_millis(1));
                    }
                };
                scope.spawn(move || play(cpu, serve));
            }
            let _over = Over(&over);
            work()
        })
    }

    /// Runs a CPU on a thread of its own, with an executor.
    pub(crate) fn run<'scope, T: Send + 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        cpu: u32,
        life: impl AsyncFnOnce(Calls<Self>) -> T + Send + 'scope,
    ) -> thread::ScopedJoinHandle<'scope, T> {
        scope.spawn(move || {
            play(cpu, || {
                let mut executor = self.executor(cpu);
                executor.block_on(life(self.calls()))
            })
        })
    }

    /// An executor of a CPU.
    pub(crate) fn executor(self, cpu: u32) -> Executor {
        let platform: &'static dyn Platform = Box::leak(Box::new(OnCpu { host: self, cpu }));
        Executor::with_capacity(1, platform, NoMetrics)
    }

    fn cpu(self, cpu: u32) -> &'static Cpu {
        &self.0.cpus[cpu as usize]
    }

    fn note(self, traced: Traced) {
        if self.0.is_traced.load(Relaxed) {
            self.0.trace.lock().unwrap().push(traced);
        }
    }

    /// Waits for an interrupt or a ring, and runs the handler.
    fn wait(self, cpu: u32, until: Instant, is_over: impl Fn(&Lines) -> bool) {
        let this = self.cpu(cpu);
        let mut lines = this.lines.lock().unwrap();
        while !is_over(&lines) && self.now() < until {
            let left = until - self.now();
            let most = time::Duration::from_millis(200);
            (lines, _) = this.changed.wait_timeout(lines, left.min(most)).unwrap();
        }
        lines.is_rung = false;
        let is_called = std::mem::take(&mut lines.is_called);
        drop(lines);
        if is_called {
            this.queue.serve(self);
        }
    }
}

/// Lets the calling thread be this CPU meanwhile.
pub(crate) fn play<T>(cpu: u32, work: impl FnOnce() -> T) -> T {
    let before = THIS_CPU.replace(cpu);
    let result = work();
    THIS_CPU.set(before);
    result
}

/// The CPU that the calling thread is.
pub(crate) fn this_cpu() -> CpuIndex {
    CpuIndex(THIS_CPU.get())
}

impl Clock for Host {
    fn now(&self) -> Instant {
        let advanced = time::Duration::from_nanos(self.0.advanced.load(Relaxed));
        Instant::ZERO + self.0.epoch.elapsed() + advanced
    }
}

impl Carrier for Host {
    fn this_cpu(&self) -> CpuIndex {
        this_cpu()
    }

    fn queue(&self, cpu: CpuIndex) -> Option<&'static CallQueue> {
        self.0.cpus.get(cpu.as_usize()).map(|cpu| &cpu.queue)
    }

    fn interrupt(&self, cpu: CpuIndex) -> bool {
        let cpu = self.cpu(cpu.0);
        if cpu.refuses.swap(false, Relaxed) {
            return false;
        }
        cpu.interrupts.fetch_add(1, Relaxed);
        if !cpu.loses.swap(false, Relaxed) {
            cpu.lines.lock().unwrap().is_called = true;
            cpu.changed.notify_one();
        }
        true
    }

    fn masked<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    fn halt(&self, until: Instant) {
        let event = self.cpu(this_cpu().0).at_halt.lock().unwrap().take();
        if let Some(event) = event {
            event();
        }
        self.wait(this_cpu().0, until, |lines| lines.is_called);
    }

    fn look(&self) -> time::Duration {
        match self.0.polls.load(Relaxed) {
            true => time::Duration::from_secs(600),
            false => time::Duration::from_micros(10),
        }
    }

    fn stuck(&self) -> time::Duration {
        time::Duration::from_millis(10)
    }

    fn overdue(&self, pending: &[Pending]) {
        self.0.overdue.lock().unwrap().extend(pending);
    }

    fn queued(&self, cpu: CpuIndex) -> CallId {
        let id = self.0.next_id.fetch_add(1, Relaxed);
        self.note(Traced::Queued(cpu, id));
        CallId(id)
    }

    fn entered(&self, call: CallId) {
        self.note(Traced::Entered(call.0));
    }

    fn left(&self, call: CallId) {
        self.note(Traced::Left(call.0));
    }

    fn dropped(&self, call: CallId) {
        self.note(Traced::Dropped(call.0));
    }
}

/// Where an executor runs.
struct OnCpu {
    host: Host,
    cpu: u32,
}

impl Clock for OnCpu {
    fn now(&self) -> Instant {
        self.host.now()
    }
}

impl Doorbell for OnCpu {
    fn ring(&self) {
        let cpu = self.host.cpu(self.cpu);
        cpu.lines.lock().unwrap().is_rung = true;
        cpu.changed.notify_one();
    }
}

impl Idle for OnCpu {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        if gate.enter() {
            let until = until.unwrap_or(Instant::MAX);
            self.host
                .wait(self.cpu, until, |lines| lines.is_called || lines.is_rung);
        } else {
            self.host.take_interrupts(self.cpu);
        }
    }
}
