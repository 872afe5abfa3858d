//! The rules of calls: each runs once on every CPU that it is for, or is reported failed there and does
//! not run; and no interrupt that somebody needs is saved.

use std::cell::RefCell;

use super::{Rule, Rules};
use crate::sim::{
    call::{Call, CallKind},
    world::World,
};

/// What is known of all calls.
pub(in crate::sim) struct Accounts(RefCell<Vec<Account>>);

/// Of one call, or several that belong together.
struct Account {
    call: Call,
    is_made: bool,
    /// Who is called.
    called: Vec<usize>,
    /// Who ran it.
    ran: Vec<usize>,
    said: Said,
}

/// What its caller was told.
enum Said {
    /// Nothing: it waits, or has gone.
    Nothing,
    /// It has run on these CPUs, and will not run on others.
    Ran(Vec<usize>),
    /// It will run so often on this CPU, or has.
    Posted(usize, usize),
}

impl Accounts {
    pub(super) fn of(calls: &[Call]) -> Self {
        let account = |&call| Account {
            call,
            is_made: false,
            called: Vec::new(),
            ran: Vec::new(),
            said: Said::Nothing,
        };
        Self(RefCell::new(calls.iter().map(account).collect()))
    }

    /// Whether the call has been made. It is made once, however often its caller comes.
    pub(in crate::sim) fn is_made(&self, index: usize) -> bool {
        self.0.borrow()[index].is_made
    }

    pub(in crate::sim) fn makes(&self, index: usize, called: &[usize]) {
        let account = &mut self.0.borrow_mut()[index];
        account.is_made = true;
        account.called = called.to_vec();
    }

    /// A CPU runs the call.
    pub(in crate::sim) fn runs(&self, world: &World, index: usize, cpu: usize) {
        let wrong = {
            let account = &mut self.0.borrow_mut()[index];
            account.ran.push(cpu);
            account.is_wrong()
        };
        world.tell(cpu, || format!("runs call {index}"));
        if let Some(wrong) = wrong {
            world.broke(
                Rule::Once,
                format!("CPU {cpu} runs call {index}, which {wrong}"),
            );
        }
    }

    /// The caller is told that the call has run on these CPUs and on no others.
    pub(in crate::sim) fn is_said_to_have_run(&self, world: &World, index: usize, ran: Vec<usize>) {
        self.is_told(world, index, Said::Ran(ran));
    }

    /// The caller is told that the call will run so often on this CPU, or has.
    pub(in crate::sim) fn is_posted(&self, world: &World, index: usize, cpu: usize, times: usize) {
        self.is_told(world, index, Said::Posted(cpu, times));
    }

    fn is_told(&self, world: &World, index: usize, said: Said) {
        let (from, wrong) = {
            let account = &mut self.0.borrow_mut()[index];
            account.said = said;
            (
                account.call.from,
                account.is_wrong().or_else(|| account.is_missing()),
            )
        };
        world.tell(from, || format!("is told of call {index}"));
        if let Some(wrong) = wrong {
            world.broke(Rule::Once, format!("call {index} of CPU {from} {wrong}"));
        }
    }

    /// The caller has waited for as long as a CPU may take with which nothing is wrong.
    pub(in crate::sim) fn is_late(&self, world: &World, index: usize) {
        let accounts = self.0.borrow();
        let account = &accounts[index];
        if account.concerns_only(world) {
            let Account { call, called, .. } = account;
            let text = format!(
                "CPUs {called:?} have not all run call {index} of CPU {}",
                call.from
            );
            world.broke(Rule::Answered, text);
        }
    }

    /// A CPU is about to park.
    pub(in crate::sim) fn parks(&self, world: &World, cpu: usize) {
        let Some(queue) = world.queues.get(cpu) else {
            return;
        };
        let waiting = queue.backlog().waiting;
        if queue.is_open() || waiting > 0 {
            let text = format!("CPU {cpu} parks, and {waiting} calls lie in its queue");
            world.broke(Rule::Once, text);
        }
    }

    /// The simulation is over, and all that was taken in has run.
    pub(in crate::sim) fn end(&self, world: &World) {
        for (index, account) in self.0.borrow().iter().enumerate() {
            let Said::Posted(cpu, times) = account.said else {
                continue;
            };
            let ran = account.times_on(cpu);
            if ran < times && account.concerns_only(world) {
                let text = format!("CPU {cpu} has run call {index} {ran} times of {times}");
                world.broke(Rule::Once, text);
            }
        }
    }
}

impl Account {
    /// How often the call ran on a CPU.
    fn times_on(&self, cpu: usize) -> usize {
        self.ran.iter().filter(|&&other| other == cpu).count()
    }

    /// What must not be whoever has heard of it by now.
    fn is_wrong(&self) -> Option<&'static str> {
        // Whatever is said of the call: one that was posted has run somewhere else.
        if self.ran.iter().any(|cpu| !self.called.contains(cpu)) {
            return Some("is not for it");
        }
        let may_run = |cpu: &usize| match (&self.said, self.call.kind) {
            (Said::Ran(ran), _) => usize::from(ran.contains(cpu)),
            (Said::Posted(_, times), _) => *times,
            (Said::Nothing, CallKind::Posted(times)) => times as usize,
            (Said::Nothing, _) => 1,
        };
        let has_run_on_many = self.ran.len() > 1 && self.call.kind == CallKind::Any;
        let runs_too_often = |cpu: &&usize| self.times_on(**cpu) > may_run(cpu);
        match self.ran.iter().find(runs_too_often) {
            Some(cpu) if may_run(cpu) == 0 => Some("is reported failed, and runs"),
            Some(_) => Some("runs more often than once"),
            None if has_run_on_many => Some("is for any one, and runs on several"),
            None => None,
        }
    }

    /// What must have been by the time at which its caller hears of it.
    fn is_missing(&self) -> Option<&'static str> {
        match &self.said {
            Said::Ran(said) if said.iter().any(|cpu| !self.ran.contains(cpu)) => {
                Some("is said to have run, and has not")
            }
            _ => None,
        }
    }

    /// Whether nothing is wrong with the CPU that calls, with those that are called, and with the BSP.
    fn concerns_only(&self, world: &World) -> bool {
        let mut all = self.called.iter().chain([&self.call.from]);
        all.all(|&cpu| world.rules.is_sound(cpu)) && world.rules.is_sound(0)
    }
}

impl Rules {
    /// Whether nothing is wrong with a CPU that a host could not do to any.
    fn is_sound(&self, cpu: usize) -> bool {
        match cpu.checked_sub(1) {
            None => !self.is_bsp_faulty,
            Some(index) => !self.aps[index].is_faulty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a call to CPU 1 of which that was said, and which ran there.
    fn wrong(kind: CallKind, said: Said, ran: &[usize]) -> Option<&'static str> {
        let call = Call {
            from: 0,
            at_us: 0,
            operation: 0,
            to: 1 << 1,
            kind,
        };
        let account = Account {
            call,
            is_made: true,
            called: vec![1],
            ran: ran.to_vec(),
            said,
        };
        account.is_wrong()
    }

    #[test]
    fn a_call_that_runs_where_nobody_called_is_seen_whatever_is_said_of_it() {
        let elsewhere = Some("is not for it");
        let posted = |times, ran: &[usize]| {
            wrong(
                CallKind::Posted(times),
                Said::Posted(1, times as usize),
                ran,
            )
        };
        assert_eq!(posted(2, &[1, 1]), None);
        assert_eq!(posted(2, &[1, 2]), elsewhere);
        assert_eq!(posted(2, &[1, 1, 1]), Some("runs more often than once"));
        assert_eq!(wrong(CallKind::Posted(1), Said::Nothing, &[2]), elsewhere);
        let awaited = |said, ran: &[usize]| wrong(CallKind::Awaited, said, ran);
        assert_eq!(awaited(Said::Ran(vec![1]), &[1]), None);
        assert_eq!(awaited(Said::Ran(vec![2]), &[2]), elsewhere);
        let failed = Some("is reported failed, and runs");
        assert_eq!(awaited(Said::Ran(vec![]), &[1]), failed);
    }
}
