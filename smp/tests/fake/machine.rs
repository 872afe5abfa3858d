//! A machine on the host: a virtual clock, and APs that each run the AP's side of the bring-up on
//! an executor of their own. Time passes only while the BSP's executor sleeps. A lost wake thus
//! ends at a deadline, or in a panic where there is none, and never flickers.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use reveille_executor::{Clock, Counters, Doorbell, Executor, Idle, Instant, SleepGate, Spawner};
use reveille_smp::{
    ap::{self, Arrival},
    bringup::{Ap, BringUp, Moved, NotDown, Round, Timing},
    cpu::{ApicId, CpuIndex, Place},
    ladder::{Ladder, Rung},
    machine::{Evidence, Machine, SendError, Strangers, WakeMailbox},
    mailbox::Words,
    order::Order,
    strategy::Strategy,
};

/// What an AP does when a SIPI reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It comes up.
    Healthy,
    /// It never starts.
    Silent,
    /// The first SIPI is lost on the way.
    LosesFirstSipi,
    /// The first INIT is lost on the way, and with it all SIPIs up to the next one.
    LosesFirstInit,
    /// For so long it runs nothing, as where its host has no time for it. Then it takes what it was
    /// sent: all INITs as one, and all SIPIs behind that.
    HeldUp(Duration),
    /// It stops in real mode.
    StopsInRealMode,
    /// It stops in long mode before it claims its slot.
    StopsInLongMode,
    /// It stops behind the claim.
    StopsClaimed,
    /// At its first start it needs so much longer to claim its slot.
    LateAtFirst(Duration),
    /// It is alive, and then nothing moves it for so long.
    FreezesWhenAlive(Duration),
    /// Its APIC has an id that no slot carries.
    HasUnknownId,
    /// The machine's APIC cannot name it.
    Unreachable,
    /// Each SIPI to it is reported as refused, and goes out all the same.
    SipiRefused,
    /// It never looks into the mailbox.
    NeverAnswers,
    /// It looks into the mailbox only so long after a request.
    LooksAfter(Duration),
    /// It takes the first request that comes, whoever it is for.
    TakesAny,
    /// It reads its first request at once, and takes it so much later, whatever is in the mailbox then.
    TakesAfter(Duration),
}

/// A machine with its APs; clones mean the same one. One at a time in a thread.
#[derive(Clone, Copy)]
pub(crate) struct Fake(&'static World);

struct World {
    now: AtomicU64,
    aps: Arc<[Ap]>,
    ladder: &'static Ladder,
    cpus: Vec<FakeCpu>,
    /// INITs that reached a CPU while it was neither waiting nor parked: what must never happen.
    wrongful_inits: AtomicU64,
    strangers: AtomicU64,
    mailbox: Option<FakeMailbox>,
}

/// The mailbox of a machine whose firmware keeps the APs.
struct FakeMailbox {
    words: Words,
    takes_back: bool,
}

/// Where all of them are to go.
const VECTOR: u64 = 0x9_d123;

/// From a request until an AP in the firmware's loop has seen it.
const LOOK: Duration = Duration::from_micros(2);

struct FakeCpu {
    nature: Nature,
    /// From the SIPI to the first instruction.
    latency: Duration,
    inits: AtomicU64,
    sipis: AtomicU64,
    evidence: AtomicU64,
    /// Until when it does not move, in nanoseconds.
    frozen_until: AtomicU64,
    /// Whether an INIT has come behind which no SIPI has.
    waits_for_sipi: AtomicBool,
    /// Whether it is in the firmware's loop, where there is a mailbox.
    is_in_firmware: AtomicBool,
    /// Whether it has read a request that it takes later.
    has_read: AtomicBool,
}

#[derive(Clone, Copy)]
enum Event {
    /// It looks into the mailbox.
    Look,
    /// It takes what it has read there.
    Take,
    RealMode,
    LongMode,
    Claim,
    /// It moves again.
    Thaw,
    /// Whoever waits on it looks at the clock.
    Wake,
}

/// From one stage of an AP's start to the next.
const STAGE: Duration = Duration::from_micros(10);

thread_local! {
    /// What happens to which AP, by time and order.
    static AGENDA: RefCell<BTreeMap<(Instant, u64), (usize, Event)>> = const { RefCell::new(BTreeMap::new()) };
    /// The machine.
    static MACHINE: Cell<Option<Fake>> = const { Cell::new(None) };
    /// Who waits on which CPU for time to pass.
    static WAITING: RefCell<Vec<(usize, Waker)>> = const { RefCell::new(Vec::new()) };
    /// The CPUs for which requests were put into the mailbox, by their numbers.
    static REQUESTS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    /// The executors of the APs that reached Rust.
    static RESIDENTS: RefCell<BTreeMap<usize, Executor<Counters>>> = const { RefCell::new(BTreeMap::new()) };
}

impl Fake {
    /// A machine with an AP for each nature, each so far away.
    pub(crate) fn new(
        natures: impl IntoIterator<Item = (Nature, Duration)>,
        ladder: &'static Ladder,
    ) -> Self {
        let ap = |n| Ap::new(CpuIndex(n), ApicId(3 * n), Place::default());
        Self::with_aps(natures, ladder, ap)
    }

    /// The same with APs made by `ap` from their numbers. Ids must be three times the number: ids
    /// with holes, so that nobody takes them for indices.
    pub(crate) fn with_aps(
        natures: impl IntoIterator<Item = (Nature, Duration)>,
        ladder: &'static Ladder,
        ap: impl Fn(u32) -> Ap,
    ) -> Self {
        Self::made(natures, ladder, ap, None)
    }

    /// A machine whose firmware keeps the APs, and may take them back.
    pub(crate) fn with_mailbox(
        natures: impl IntoIterator<Item = (Nature, Duration)>,
        ladder: &'static Ladder,
        takes_back: bool,
    ) -> Self {
        let ap = |n| Ap::new(CpuIndex(n), ApicId(3 * n), Place::default());
        let words = Words::new();
        Self::made(natures, ladder, ap, Some(FakeMailbox { words, takes_back }))
    }

    fn made(
        natures: impl IntoIterator<Item = (Nature, Duration)>,
        ladder: &'static Ladder,
        ap: impl Fn(u32) -> Ap,
        mailbox: Option<FakeMailbox>,
    ) -> Self {
        let cpus: Vec<_> = natures
            .into_iter()
            .map(|(nature, latency)| FakeCpu {
                nature,
                latency,
                inits: AtomicU64::new(0),
                sipis: AtomicU64::new(0),
                evidence: AtomicU64::new(0),
                frozen_until: AtomicU64::new(0),
                waits_for_sipi: AtomicBool::new(false),
                is_in_firmware: AtomicBool::new(mailbox.is_some()),
                has_read: AtomicBool::new(false),
            })
            .collect();
        AGENDA.take();
        RESIDENTS.take();
        WAITING.take();
        REQUESTS.take();
        let aps = (1..=cpus.len() as u32).map(ap);
        let fake = Self(Box::leak(Box::new(World {
            now: AtomicU64::new(1_000_000_000),
            aps: aps.collect(),
            ladder,
            cpus,
            wrongful_inits: AtomicU64::new(0),
            strangers: AtomicU64::new(0),
            mailbox,
        })));
        MACHINE.set(Some(fake));
        fake
    }

    /// Lets the clock stop where the span is over, for a timer on a CPU's own executor.
    pub(crate) fn nudge(cpu: CpuIndex, span: Duration) {
        let fake = MACHINE.get().expect("there is a machine");
        fake.schedule(cpu.0 as usize - 1, span, Event::Wake);
    }

    /// From the next wait on nothing moves the CPU that is at work for so long.
    pub(crate) fn freeze_at_work(cpu: CpuIndex, span: Duration) {
        let fake = MACHINE.get().expect("there is a machine");
        fake.freeze(cpu.0, span);
    }

    /// Waits on a CPU, or for it, without a timer.
    pub(crate) async fn wait(cpu: CpuIndex, span: Duration) {
        let fake = MACHINE.get().expect("there is a machine");
        let until = fake.now().saturating_add(span);
        Self::nudge(cpu, span);
        poll_fn(|context| {
            if fake.now() >= until {
                return Poll::Ready(());
            }
            let waiting = (cpu.0 as usize - 1, context.waker().clone());
            WAITING.with_borrow_mut(|all| all.push(waiting));
            Poll::Pending
        })
        .await;
    }

    /// Healthy APs, each `latency` away.
    pub(crate) fn healthy(aps: usize, latency: Duration, ladder: &'static Ladder) -> Self {
        Self::new((0..aps).map(|_| (Nature::Healthy, latency)), ladder)
    }

    /// The APs' shared side.
    pub(crate) fn aps(&self) -> &[Ap] {
        &self.0.aps
    }

    /// Brings all APs up, on a fresh executor for the BSP.
    pub(crate) fn bring_up(&self, strategy: Strategy, timing: Timing) -> Round {
        self.bring_up_in_order(strategy, timing, Order::Lowest)
    }

    /// The same in another order.
    pub(crate) fn bring_up_in_order(
        &self,
        strategy: Strategy,
        timing: Timing,
        order: Order,
    ) -> Round {
        self.with(timing, async move |bring_up, spawner| {
            let bring_up = BringUp { order, ..bring_up };
            bring_up.run(&spawner, strategy).await
        })
    }

    /// Takes all APs down.
    pub(crate) fn take_down(&self) -> Result<(), NotDown> {
        self.with(Timing::default(), async |bring_up, spawner| {
            bring_up.take_down(&spawner).await
        })
    }

    /// Drives CPUs to rungs.
    pub(crate) fn drive(&self, timing: Timing, targets: &[(u32, Rung)]) -> Vec<Moved> {
        let targets: Vec<_> = targets
            .iter()
            .map(|&(cpu, rung)| (CpuIndex(cpu), rung))
            .collect();
        self.with(timing, async |bring_up, spawner| {
            bring_up.drive(&spawner, &targets).await
        })
    }

    /// Lets the APs run while the BSP does something else.
    pub(crate) fn settle(&self) {
        while self.run_residents() {}
    }

    /// The steps that its CPUs go through.
    pub(crate) fn ladder(&self) -> &'static Ladder {
        self.0.ladder
    }

    /// How long the machine has been there.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now() - Instant::from_nanos(0)
    }

    /// From now on nothing moves this CPU for so long.
    pub(crate) fn freeze(&self, cpu: u32, span: Duration) {
        let thaw = self.now().saturating_add(span).as_nanos();
        let frozen = &self.0.cpus[cpu as usize - 1].frozen_until;
        frozen.store(thaw, Ordering::Relaxed);
    }

    /// How long nothing moves this CPU from now on.
    fn held_up(&self, cpu: &FakeCpu) -> Duration {
        let thaw = Instant::from_nanos(cpu.frozen_until.load(Ordering::Relaxed));
        thaw.saturating_duration_since(self.now())
    }

    /// The CPU moves again, and does what it can.
    pub(crate) fn thaw(&self, cpu: u32) {
        let frozen = &self.0.cpus[cpu as usize - 1].frozen_until;
        frozen.store(0, Ordering::Relaxed);
        self.settle();
    }

    /// INITs that hit a CPU which was running.
    pub(crate) fn wrongful_inits(&self) -> u64 {
        self.0.wrongful_inits.load(Ordering::Relaxed)
    }

    /// The CPUs for which requests were put into the mailbox since the last time, in their order.
    pub(crate) fn take_requests() -> Vec<u32> {
        REQUESTS.take()
    }

    /// The AP looks into the mailbox, if it is in the firmware's loop.
    fn look(&self, index: usize, mailbox: &FakeMailbox) {
        let cpu = &self.0.cpus[index];
        let is_for_it = |(target, vector)| {
            assert_eq!(vector, VECTOR);
            Self::index(target) == index
        };
        let is_asked = mailbox.words.look().is_some_and(is_for_it);
        if !is_asked || !cpu.is_in_firmware.load(Ordering::Relaxed) {
            return;
        }
        match cpu.nature {
            Nature::TakesAfter(delay) => {
                if !cpu.has_read.swap(true, Ordering::Relaxed) {
                    self.schedule(index, delay, Event::Take);
                }
            }
            _ => self.happen(index, Event::Take),
        }
    }

    /// Does something with what a bring-up needs to know, on a fresh executor for the BSP.
    pub(crate) fn with<T>(
        &self,
        timing: Timing,
        job: impl AsyncFnOnce(BringUp<Self>, Spawner) -> T,
    ) -> T {
        self.on_bsp_with_tasks(self.0.cpus.len(), timing, job)
    }

    /// The same on an executor that has room for so many tasks.
    pub(crate) fn on_bsp_with_tasks<T>(
        &self,
        tasks: usize,
        timing: Timing,
        job: impl AsyncFnOnce(BringUp<Self>, Spawner) -> T,
    ) -> T {
        let mut executor = self.executor(tasks);
        let (timer, spawner) = (executor.timer(), executor.spawner());
        let bring_up = BringUp {
            machine: *self,
            timer,
            aps: Arc::clone(&self.0.aps),
            ladder: self.0.ladder,
            timing,
            order: Order::default(),
        };
        executor.block_on(job(bring_up, spawner))
    }

    fn executor(&self, capacity: usize) -> Executor<Counters> {
        Executor::with_capacity(capacity, Box::leak(Box::new(*self)), Counters::default())
    }

    fn index(target: ApicId) -> usize {
        target.0 as usize / 3 - 1
    }

    fn cpu(&self, target: ApicId) -> &FakeCpu {
        &self.0.cpus[Self::index(target)]
    }

    fn schedule(&self, index: usize, after: Duration, event: Event) {
        AGENDA.with_borrow_mut(|agenda| {
            let at = self.now().saturating_add(after);
            let order = (0..).find(|&order| !agenda.contains_key(&(at, order)));
            agenda.insert((at, order.unwrap_or_default()), (index, event));
        });
    }

    /// Lets every AP run until it would halt, the highest first: an order that only the turnstile
    /// can turn round. Returns whether anything ran.
    fn run_residents(&self) -> bool {
        let indices: Vec<_> =
            RESIDENTS.with_borrow(|residents| residents.keys().rev().copied().collect());
        let mut polls = 0;
        for index in indices {
            if self.0.cpus[index].frozen_until.load(Ordering::Relaxed) > self.now().as_nanos() {
                continue;
            }
            let resident = RESIDENTS.with_borrow_mut(|residents| residents.remove(&index));
            if let Some(mut executor) = resident {
                polls += executor.poll_ready();
                RESIDENTS.with_borrow_mut(|residents| residents.insert(index, executor));
            }
        }
        polls > 0
    }

    /// Goes on to the next moment at which something happens, or to `until` where that comes
    /// first. All that happens at that moment happens before anybody can react.
    fn advance(&self, until: Option<Instant>) {
        let next = AGENDA.with_borrow(|agenda| agenda.keys().next().map(|&(at, _)| at));
        let at = [next, until].into_iter().flatten().min();
        let at = at.expect("the BSP sleeps for ever: nothing is under way and it has no deadline");
        self.0.now.store(at.as_nanos(), Ordering::Relaxed);
        while let Some((index, event)) = AGENDA.with_borrow_mut(|agenda| {
            let entry = agenda.first_entry()?;
            (entry.key().0 == at).then(|| entry.remove())
        }) {
            self.happen(index, event);
        }
    }

    fn happen(&self, index: usize, event: Event) {
        let cpu = &self.0.cpus[index];
        match (event, cpu.nature) {
            (Event::Look, _) => {
                let mailbox = self.0.mailbox.as_ref().expect("it has been asked");
                self.look(index, mailbox);
            }
            (Event::Take, nature) => {
                let mailbox = self.0.mailbox.as_ref().expect("it has looked");
                mailbox.words.take();
                if cpu.is_in_firmware.swap(false, Ordering::Relaxed) && nature != Nature::Silent {
                    self.schedule(index, cpu.latency, Event::LongMode);
                }
            }
            (Event::RealMode, nature) => {
                cpu.evidence.store(1, Ordering::Relaxed);
                if nature != Nature::StopsInRealMode {
                    self.schedule(index, STAGE, Event::LongMode);
                }
            }
            (Event::LongMode, nature) => {
                cpu.evidence.store(2, Ordering::Relaxed);
                match nature {
                    Nature::StopsInLongMode => {}
                    Nature::LateAtFirst(delay) if cpu.sipis.load(Ordering::Relaxed) == 1 => {
                        self.schedule(index, delay, Event::Claim);
                    }
                    _ => self.schedule(index, STAGE, Event::Claim),
                }
            }
            (Event::Claim, Nature::HasUnknownId) => {
                self.0.strangers.fetch_add(1, Ordering::Relaxed);
            }
            (Event::Claim, nature) => {
                let state = self.0.aps[index].slot.state();
                if state.claim().is_err() {
                    let _ = state.come_late();
                } else if nature != Nature::StopsClaimed {
                    self.enter_rust(index);
                }
            }
            (Event::Thaw, _) => {}
            (Event::Wake, _) => {
                let all = WAITING.take();
                let (woken, others) = all.into_iter().partition(|&(cpu, _)| cpu == index);
                WAITING.set(others);
                let woken: Vec<(usize, Waker)> = woken;
                woken.into_iter().for_each(|(_, waker)| waker.wake());
            }
        }
    }

    fn enter_rust(&self, index: usize) {
        let fake = *self;
        let arrival = Arrival {
            real: self.now(),
            long: self.now(),
        };
        let mut executor = self.executor(1);
        let timer = executor.timer();
        let life = async move {
            ap::reside(
                &fake.0.aps,
                index,
                fake.0.ladder,
                &fake,
                &timer,
                arrival,
                &(),
            )
            .await
            .expect("the slot was claimed");
            // From its last word to its last instruction.
            Self::wait(fake.0.aps[index].cpu, Duration::from_micros(5)).await;
            fake.0.aps[index]
                .slot
                .state()
                .park()
                .expect("its life ended with a request or a failure");
            if let Some(mailbox) = &fake.0.mailbox
                && mailbox.takes_back
            {
                let is_in_firmware = &fake.0.cpus[index].is_in_firmware;
                is_in_firmware.store(true, Ordering::Relaxed);
                fake.look(index, mailbox);
            }
        };
        executor
            .spawner()
            .spawn(life)
            .expect("a fresh executor has a slot left");
        if let Nature::FreezesWhenAlive(span) = self.0.cpus[index].nature {
            executor.poll_ready();
            let thaw = self.now().saturating_add(span).as_nanos();
            self.0.cpus[index]
                .frozen_until
                .store(thaw, Ordering::Relaxed);
            self.schedule(index, span, Event::Thaw);
        }
        RESIDENTS.with_borrow_mut(|residents| residents.insert(index, executor));
    }
}

impl WakeMailbox for FakeMailbox {
    fn request(&self, target: ApicId) {
        assert!(self.words.is_free(), "there is room for one request");
        self.words.request(target, VECTOR);
        let fake = MACHINE.get().expect("there is a machine");
        REQUESTS.with_borrow_mut(|requests| requests.push(target.0 / 3));
        for (index, other) in fake.0.cpus.iter().enumerate() {
            if other.nature == Nature::TakesAny && other.is_in_firmware.load(Ordering::Relaxed) {
                return fake.schedule(index, LOOK, Event::Take);
            }
        }
        let cpu = fake.cpu(target);
        cpu.sipis.fetch_add(1, Ordering::Relaxed);
        let after = match cpu.nature {
            Nature::NeverAnswers => return,
            Nature::LooksAfter(delay) => delay,
            _ => LOOK,
        };
        fake.schedule(Fake::index(target), after, Event::Look);
    }

    fn is_free(&self) -> bool {
        self.words.is_free()
    }

    fn retract(&self) -> bool {
        self.words.retract()
    }

    fn takes_back(&self) -> bool {
        self.takes_back
    }
}

impl Machine for Fake {
    fn mailbox(&self) -> Option<&dyn WakeMailbox> {
        let mailbox = self.0.mailbox.as_ref()?;
        Some(mailbox)
    }

    fn send_init(&self, target: ApicId) -> Result<(), SendError> {
        assert!(self.0.mailbox.is_none(), "its APs are woken by mailbox");
        if self.cpu(target).nature == Nature::Unreachable {
            return Err(SendError::Unreachable);
        }
        let index = Self::index(target);
        if !self.0.aps[index].slot.state().load().stage().is_down() {
            self.0.wrongful_inits.fetch_add(1, Ordering::Relaxed);
        }
        let cpu = self.cpu(target);
        let earlier = cpu.inits.fetch_add(1, Ordering::Relaxed);
        if let Nature::HeldUp(span) = cpu.nature {
            match earlier {
                0 => self.freeze(index as u32 + 1, span),
                _ if self.held_up(cpu) > Duration::ZERO => return Ok(()),
                _ => {}
            }
        }
        cpu.waits_for_sipi.store(true, Ordering::Relaxed);
        // Reset: what was under way on it ends.
        AGENDA.with_borrow_mut(|agenda| agenda.retain(|_, &mut (cpu, _)| cpu != index));
        RESIDENTS.with_borrow_mut(|residents| residents.remove(&index));
        Ok(())
    }

    fn send_sipi(&self, target: ApicId) -> Result<(), SendError> {
        let cpu = self.cpu(target);
        let earlier = cpu.sipis.fetch_add(1, Ordering::Relaxed);
        match cpu.nature {
            Nature::Silent => {}
            Nature::LosesFirstSipi if earlier == 0 => {}
            Nature::LosesFirstInit if cpu.inits.load(Ordering::Relaxed) == 1 => {}
            Nature::HeldUp(_) => {
                if cpu.waits_for_sipi.swap(false, Ordering::Relaxed) {
                    let after = cpu.latency.max(self.held_up(cpu));
                    self.schedule(Self::index(target), after, Event::RealMode);
                }
            }
            _ => self.schedule(Self::index(target), cpu.latency, Event::RealMode),
        }
        match cpu.nature {
            Nature::SipiRefused => Err(SendError::Busy),
            _ => Ok(()),
        }
    }

    fn broadcast_init(&self) -> Result<(), SendError> {
        for ap in self.0.aps.iter() {
            let _ = self.send_init(ap.apic_id);
        }
        Ok(())
    }

    fn broadcast_sipi(&self) -> Result<(), SendError> {
        for ap in self.0.aps.iter() {
            let _ = self.send_sipi(ap.apic_id);
        }
        Ok(())
    }

    fn strangers(&self) -> Strangers {
        Strangers {
            count: self.0.strangers.load(Ordering::Relaxed) as u32,
            last: ApicId(0xbad),
        }
    }

    fn evidence(&self, target: ApicId) -> Evidence {
        match self.cpu(target).evidence.load(Ordering::Relaxed) {
            0 => Evidence::None,
            1 => Evidence::RealMode,
            _ => Evidence::LongMode,
        }
    }

    fn forget_evidence(&self, target: ApicId) {
        self.cpu(target).evidence.store(0, Ordering::Relaxed);
    }
}

impl Clock for Fake {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now.load(Ordering::Relaxed))
    }
}

impl Doorbell for Fake {
    /// Whoever sleeps here looks for work by itself.
    fn ring(&self) {}
}

impl Idle for Fake {
    /// Only the BSP's executor sleeps: the APs' are polled from here.
    fn idle(&self, _: &SleepGate<'_>, until: Option<Instant>) {
        if !self.run_residents() {
            self.advance(until);
        }
    }
}
