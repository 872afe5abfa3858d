//! The calls that a simulated CPU makes: each once, while the CPU takes calls itself.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::future::join_all;
use reveille_executor::{Clock, Elapsed, Instant, Timer};
use reveille_smp::{
    call::{CallError, Calls, Carrier, NotAll},
    cpu::CpuIndex,
};

use super::{Call, CallKind, carrier::Interrupts};
use crate::sim::world::World;

/// How long a CPU with which nothing is wrong may take to answer one like it: many times what a host
/// that holds both up lets it take.
pub(in crate::sim) const PATIENCE: Duration = Duration::from_millis(30);

/// What a closure takes.
const A_CALL: Duration = Duration::from_nanos(500);

/// Makes the calls of this CPU that have not been made yet; `timer` is that of its executor. Ends with
/// the CPU's life, if it has any.
pub(in crate::sim) async fn call_all(world: Rc<World>, cpu: usize, timer: Timer) -> Infallible {
    let of_this = world
        .calls
        .iter()
        .enumerate()
        .filter(|(_, call)| call.from == cpu);
    join_all(of_this.map(|(index, call)| one(&world, index, *call, &timer))).await;
    pending().await
}

/// Makes one call, if nobody has made it.
async fn one(world: &Rc<World>, index: usize, call: Call, timer: &Timer) {
    if world.rules.calls.is_made(index) {
        return;
    }
    world.until_open(call.from).await;
    let began = world.until_begun(call.operation).await;
    let at = began + Duration::from_micros(u64::from(call.at_us));
    let left = at.saturating_duration_since(world.now());
    timer.sleep(left).await;
    // Behind the BSP's end nobody answers for it.
    if world.is_over() {
        return;
    }
    let called = call.called(world.queues.len());
    let calls = Calls::new(Interrupts);
    if let CallKind::Looks(us) = call.kind {
        world.rules.calls.makes(index, &[]);
        let until = Interrupts.now() + Duration::from_micros(u64::from(us));
        calls.look_until(|| Interrupts.now() >= until);
        return;
    }
    let Some(&first) = called.first() else { return };
    world.tell(call.from, || format!("calls {called:?}, {:?}", call.kind));
    world.rules.calls.makes(index, &called);
    let numbers = || called.iter().map(|&cpu| CpuIndex(cpu as u32));
    let to = CpuIndex(first as u32);
    let run = move || runs(index);
    let heard = Heard::of(world, index);
    match call.kind {
        CallKind::Awaited => {
            let made = pin!(calls.call(to, run));
            match timer.timeout(PATIENCE, made).await {
                Ok(answer) => heard.settle(answer.is_ok().then_some(first)),
                Err(Elapsed) => heard.is_late(),
            }
        }
        CallKind::Many => {
            let made = pin!(calls.call_many(numbers(), run));
            match timer.timeout(PATIENCE, made).await {
                Ok(answer) => heard.settle(all_but(&called, answer)),
                Err(Elapsed) => heard.is_late(),
            }
        }
        CallKind::Any => {
            let made = pin!(calls.call_any(numbers(), run));
            match timer.timeout(PATIENCE, made).await {
                Ok(answer) => heard.settle(answer.ok().map(|(cpu, ())| cpu.0 as usize)),
                Err(Elapsed) => heard.is_late(),
            }
        }
        CallKind::Posted(times) => {
            let posted = (0..times).filter(|_| calls.try_post(to, run).is_ok());
            let posted = posted.count();
            heard.settle_later(first, posted);
        }
        CallKind::Blocking => {
            let answer = lending(world, || calls.call_blocking(to, PATIENCE, run));
            if answer == Err(CallError::TimedOut) {
                heard.is_late();
            }
            heard.settle(answer.is_ok().then_some(first));
        }
        CallKind::BlockingMany => {
            let answer = lending(world, || calls.call_many_blocking(numbers(), PATIENCE, run));
            let is_late = |it: &NotAll| it.cpus.iter().any(|(_, why)| *why == CallError::TimedOut);
            if answer.as_ref().is_err_and(is_late) {
                heard.is_late();
            }
            heard.settle(all_but(&called, answer));
        }
        CallKind::Looks(_) => {}
    }
}

fn all_but(called: &[usize], answer: Result<(), NotAll>) -> Vec<usize> {
    let failed = answer.err().map(|it| it.cpus).unwrap_or_default();
    let has_failed = |cpu: usize| failed.iter().any(|(other, _)| other.0 as usize == cpu);
    let ran = called.iter().copied().filter(|&cpu| !has_failed(cpu));
    ran.collect()
}

/// Does what borrows from the stack of the CPU that runs.
fn lending<T>(world: &World, work: impl FnOnce() -> T) -> T {
    let lends = world.here().map(|here| &world.cpus[here].lends);
    if let Some(lends) = lends {
        lends.set(true);
    }
    let done = work();
    if let Some(lends) = lends {
        lends.set(false);
    }
    done
}

/// What is called, on the CPU that runs it.
fn runs(index: usize) {
    if let Some(world) = World::current() {
        let cpu = Interrupts.this_cpu().0 as usize;
        world.rules.calls.runs(&world, index, cpu);
        world.pass_place();
        world.work("call", cpu, A_CALL);
    }
}

/// What the caller hears of its call. One that is dropped on its way hears nothing.
struct Heard<'a> {
    world: &'a World,
    index: usize,
}

impl<'a> Heard<'a> {
    fn of(world: &'a World, index: usize) -> Self {
        Self { world, index }
    }

    /// It has run on these CPUs and nowhere else.
    fn settle(&self, ran: impl IntoIterator<Item = usize>) {
        let ran: Vec<usize> = ran.into_iter().collect();
        self.world
            .rules
            .calls
            .is_said_to_have_run(self.world, self.index, ran);
    }

    /// It will run so often on this CPU, or has.
    fn settle_later(&self, cpu: usize, times: usize) {
        self.world
            .rules
            .calls
            .is_posted(self.world, self.index, cpu, times);
    }

    /// The time for it is over.
    fn is_late(&self) {
        self.world.rules.calls.is_late(self.world, self.index);
    }
}

impl World {
    /// Waits until this operation has begun, and tells when that was.
    async fn until_begun(&self, operation: usize) -> Instant {
        poll_fn(|context| match self.begun.borrow().get(operation) {
            Some(&began) => Poll::Ready(began),
            None => {
                let mut waiting = self.wait_for_operation.borrow_mut();
                waiting.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// The BSP begins with the next operation.
    pub(in crate::sim) fn begins_operation(&self) {
        self.begun.borrow_mut().push(self.now());
        let waiting = self.wait_for_operation.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until this CPU takes calls.
    pub(in crate::sim) async fn until_open(&self, cpu: usize) {
        poll_fn(|context| match self.queues[cpu].is_open() {
            true => Poll::Ready(()),
            false => {
                let mut waiting = self.wait_for_queue[cpu].borrow_mut();
                waiting.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await;
    }
}
