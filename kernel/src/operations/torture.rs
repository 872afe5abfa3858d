//! Random operations for a while, with the rules checked behind each of them, and random calls between
//! all CPUs that are online meanwhile. Now and then one of them stops the machine as others go.
//!
//! Others may operate on CPUs between two of the operations; what they did is taken over.
//!
//! Nobody waits for the calls before CPUs go: so they meet queues that close, callers that are dropped,
//! and CPUs that are down. When everybody is down the calls have a rest, and each of them is accounted
//! for.
//!
//! CPUs that are removed from the machine between two operations take no further part, and those that are
//! added take none.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use futures_util::future::join;
use reveille_executor::{Instant, Timer};
use reveille_smp::{cpu::CpuIndex, record::Torture, step::Direction};

use super::{
    draw::{Draw, Drawn, InWords},
    in_use::InUse,
    model::Model,
    perform::Operations,
    resolve::{Member, once},
    rules::Broken,
};
use crate::calling::{
    books,
    caller::{self, Callers},
    interrupts_for_calls,
};
use crate::{
    cpus::{roll_call::roll_call, stop_machine::Who},
    interruption::Interruption,
    stops,
};

/// Faults in the checking itself, which a test asks for to see that they are found out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    /// Every operation loses memory.
    pub leaks: bool,
    /// Now and then a CPU is told to fail, and the model is not told.
    pub unforeseen: bool,
    /// In the calls.
    pub in_calls: caller::Planted,
}

/// Every so many operations one is to fail unforeseen.
const UNFORESEEN_EVERY: u32 = 16;

/// Memory that has not come back is looked for so often, a little apart: on a host that is busy the BSP may
/// have been held up before it freed it.
const LOOKS: u32 = 20;

impl Operations<'_> {
    /// Operates at random on the APs that are online, for so many seconds, or until a rule is
    /// broken or an interruption is asked for; `None` if that is before its first turn. In the end all are
    /// brought online again, and none is told to fail any more. Each operation has a turn of its own, and
    /// others may have theirs between two.
    ///
    /// # Cancellation
    ///
    /// CPUs that were sent somewhere go there all the same, while the turn is free for others: so it is to
    /// be dropped only where nobody operates behind it.
    pub async fn torture(
        &self,
        seconds: u32,
        seed: u32,
        planted: Planted,
        interruption: &Interruption,
    ) -> Option<Torture> {
        let turn = interruption.unless(self.turn()).await?;
        let members: Vec<Member> = self.online().collect();
        let cpus: Vec<CpuIndex> = members.iter().map(|member| member.cpu).collect();
        let aps = members.len() as u32;
        self.settle(&cpus).await;
        let turns = self.turns_taken();
        drop(turn);
        books::make();
        let departures = cpus.iter().map(|&cpu| (cpu, self.departures(cpu)));
        let departures: Vec<_> = departures.collect();
        let in_use = InUse::now();
        let (start, interrupts) = (self.now(), interrupts_for_calls());
        let end = start.saturating_add(Duration::from_secs(seconds.into()));
        let callers = [CpuIndex::BSP].into_iter().chain(cpus.iter().copied());
        let mut session = Session {
            operations: self,
            model: Model::new(&members, self.ladder()),
            departures: &departures,
            draw: Draw::new(seed),
            callers: Callers::new(callers.collect(), None, planted.in_calls),
            seed,
            done: 0,
            hotplugs: 0,
            injected: 0,
            turns,
            all_down: None,
            planted,
        };
        // Whom somebody has told to fail does so here.
        let armed = |cpu| self.armed(cpu);
        session.model.take_over(&self.members(), armed);
        let broken = match aps {
            0 => None,
            _ => session.run(end, interruption).await.err(),
        };
        let (done, hotplugs, injected) = (session.done, session.hotplugs, session.injected);
        session.disarm();
        let callers = session.end();
        let counted = callers.end();
        let balance = in_use.balance();
        let mut calls = counted.totals();
        calls.ipis = interrupts_for_calls() - interrupts;
        let duration = self.since(start);
        let is_early = duration < Duration::from_secs(seconds.into());
        let is_there = |cpu| departures.contains(&(cpu, self.departures(cpu)));
        let is_lost = |&cpu: &CpuIndex| is_there(cpu) && !self.can_be_reached(cpu);
        let lost = cpus.iter().copied().filter(is_lost).count() as u32;
        Some(Torture {
            seconds,
            seed,
            done,
            aps,
            hotplugs,
            injected,
            calls,
            lost,
            failed: u32::from(broken.is_some()),
            broken,
            interrupted: is_early && interruption.is_asked(),
            duration_ns: duration.as_nanos() as u64,
            balance,
        })
    }
}

impl Operations<'_> {
    /// As [`settle`](Self::settle), in a turn for that.
    async fn settle_in_turn(&self, cpus: &[CpuIndex]) {
        let _turn = self.turn().await;
        self.settle(cpus).await;
    }
}

/// A CPU stops the machine, if one is to.
async fn stopped(by: Option<(CpuIndex, Who)>, timer: &Timer) -> Result<(), Broken> {
    match by {
        Some((cpu, who)) => {
            let stopped = stops::stop_once(cpu, who, timer).await;
            stopped.map_err(Broken::NotStopped)
        }
        None => Ok(()),
    }
}

struct Session<'a> {
    operations: &'a Operations<'a>,
    model: Model<'a>,
    /// How often each had been removed from the machine before the session.
    departures: &'a [(CpuIndex, u32)],
    draw: Draw,
    callers: Callers,
    seed: u32,
    done: u32,
    hotplugs: u32,
    injected: u32,
    /// How many turns there had been by the last one of this session.
    turns: usize,
    /// What was in use when everybody was down for the first time.
    all_down: Option<InUse>,
    planted: Planted,
}

impl Session<'_> {
    /// The error is the operation behind which a rule was broken, and the rule.
    async fn run(&mut self, end: Instant, interruption: &Interruption) -> Result<(), String> {
        while self.operations.now() < end && !interruption.is_asked() {
            self.callers.start(self.seed);
            let drawn = self.draw.next(&self.model);
            self.one(drawn).await?;
        }
        // Failures that are still set strike the first time.
        for _ in 0..2 {
            let last = self.draw.last(&self.model);
            self.one(last).await?;
        }
        self.end_online().await.map_err(|broken| broken.to_string())
    }

    /// Ends the calls where CPUs are online, and accounts for each of them and for its memory.
    async fn end_online(&mut self) -> Result<(), Broken> {
        self.stop_calls().await?;
        let cpus: Vec<_> = self.departures.iter().map(|&(cpu, _)| cpu).collect();
        self.operations.settle_in_turn(&cpus).await;
        self.account_for_calls()
    }

    /// Ends them where everybody is down, and whoever went has given up what lay in its queue.
    async fn end_all_down(&mut self) -> Result<(), Broken> {
        self.stop_calls().await?;
        self.account_for_calls()
    }

    async fn stop_calls(&mut self) -> Result<(), Broken> {
        let timer = &self.operations.bench.timer;
        let stopped = self.callers.stop(timer).await;
        stopped.map_err(Broken::Standstill)?;
        self.callers.rest(timer).await;
        Ok(())
    }

    fn account_for_calls(&self) -> Result<(), Broken> {
        self.callers.audit();
        self.look_at_calls()
    }

    /// Takes the failures back that have not struck, such as those on a way that no CPU goes any more.
    fn disarm(&mut self) {
        for (cpu, injection) in self.model.disarm() {
            self.operations.disarm(cpu, injection);
        }
    }

    /// Gives the callers, and frees all else.
    fn end(self) -> Callers {
        self.callers
    }

    fn look_at_calls(&self) -> Result<(), Broken> {
        self.callers
            .wrong()
            .map_or(Ok(()), |it| Err(Broken::Call(it)))
    }

    async fn one(&mut self, drawn: Drawn) -> Result<(), String> {
        let _turn = self.operations.turn().await;
        self.notice_others();
        let drawn = self.without_the_departed(drawn);
        self.done += 1;
        let checked = self.try_one(&drawn).await;
        let words = |broken: Broken| {
            let drawn = InWords(&drawn, self.model.ladder());
            format!("operation {} ({drawn}): {broken}", self.done)
        };
        checked.map_err(words)?;
        drop(drawn);
        self.compare_memory().await.map_err(|broken| {
            let done = self.done;
            format!("operation {done}: {broken}")
        })
    }

    /// In a turn: takes over what others have done with the CPUs since the last one.
    fn notice_others(&mut self) {
        let operations = self.operations;
        let turns = operations.turns_taken();
        if turns > self.turns + 1 {
            let armed = |cpu| operations.armed(cpu);
            self.model.take_over(&operations.members(), armed);
        }
        self.turns = turns;
    }

    /// Forgets those who have been removed since they were drawn.
    fn without_the_departed(&mut self, drawn: Drawn) -> Drawn {
        let (operations, departures) = (self.operations, self.departures);
        let is_there = |cpu| departures.contains(&(cpu, operations.departures(cpu)));
        self.model.retain(is_there);
        match drawn {
            Drawn::Move(mut targets) => {
                targets.retain(|&(cpu, _)| is_there(cpu));
                Drawn::Move(targets)
            }
            Drawn::Arm(cpu, _) if !is_there(cpu) => Drawn::Move(Vec::new()),
            Drawn::Arm(..) => drawn,
        }
    }

    async fn try_one(&mut self, drawn: &Drawn) -> Result<(), Broken> {
        let operations = self.operations;
        if self.planted.leaks {
            Box::leak(Box::new(0_u64));
        }
        match drawn {
            Drawn::Arm(cpu, injection) => {
                operations.arm(*cpu, *injection);
                self.model.arm(*cpu, *injection);
            }
            Drawn::Move(targets) => {
                if self.planted.unforeseen && self.done.is_multiple_of(UNFORESEEN_EVERY) {
                    for &(cpu, _) in targets {
                        operations.arm(cpu, once(0, Direction::Up));
                    }
                }
                self.hotplugs += u32::from(!targets.is_empty());
                let stop = self.draw.stop(&self.model);
                let timer = &operations.bench.timer;
                let stopped = stopped(stop, timer);
                let (moved, stopped) = join(operations.move_all(targets), stopped).await;
                stopped?;
                self.injected += self.model.follow(targets, &moved)?;
            }
        }
        operations.look(&self.model)?;
        self.look_at_calls()?;
        let cpus = operations.bench.cpus;
        let called = roll_call(
            cpus.machine.apic,
            cpus.online_aps(),
            &operations.bench.timer,
        );
        called.await.map(drop).map_err(Broken::RollCall)
    }

    /// When everybody is down, nobody holds anything that he had not the last time.
    async fn compare_memory(&mut self) -> Result<(), Broken> {
        // All that took part, and not only those of the model: one that was removed and came again calls
        // others, and nobody takes it down any more.
        let mut cpus = self.departures.iter();
        if !cpus.all(|&(cpu, _)| self.operations.is_offline(cpu)) {
            return Ok(());
        }
        self.end_all_down().await?;
        self.operations.settle_bsp().await;
        // Where somebody else has used memory since, it is compared with what is in use now.
        let Some(first) = self.all_down.filter(|first| !first.is_disturbed()) else {
            self.all_down = Some(InUse::now());
            return Ok(());
        };
        for _ in 0..LOOKS {
            if !first.balance().has_leaked() {
                return Ok(());
            }
            // What was lost stays lost, however long one waits.
            self.operations.settle_bsp().await;
        }
        let balance = first.balance();
        if !balance.has_leaked() {
            return Ok(());
        }
        Err(Broken::Memory {
            heap: balance.heap_growth(),
            frames: balance.frames_growth(),
        })
    }
}
