//! Where Linux's time goes, by its own event trace: what its BSP prepares for an AP, the kick, the wait
//! until the AP answers, and the steps that the AP takes on its way online.
//!
//! The trace is of its events `cpuhp:*`, by the time stamp counter (`trace_clock=x86-tsc`), which runs from
//! the start on; printk's own stamps stand still for part of that time. Linux has state for the trace to
//! prepare for each AP too; that is told apart, and is in none of the times.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

/// The words that make Linux trace, with room for what a machine of so many CPUs gives, and run the
/// program [`super::initramfs`] at its end.
pub fn words(cpus: u32) -> String {
    // The BSP's buffer takes some 50 events of 48 bytes for each AP.
    let kib = (4 * cpus).next_multiple_of(64);
    format!("quiet trace_clock=x86-tsc trace_event=cpuhp:* trace_buf_size={kib}k rdinit=/init")
}

/// The step in which Linux prepares the trace's own memory for an AP.
const TRACES_OWN: &str = "trace_rb_cpu_prepare";

/// The step that kicks an AP, where it is apart from the one that waits for it (from 6.5 on).
const KICK: &str = "cpuhp_kick_ap_alive";

/// The steps that bring up an AP, on the BSP: up to 6.4 with the kick, and since then without.
const BRING_UP: [&str; 2] = ["bringup_cpu", "cpuhp_bringup_ap"];

/// A bring-up in parts, each the sum over all APs. One part follows another, as Linux takes the APs one by
/// one through each of them; only the wait overlaps with what other APs do, where it kicks all first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// On the BSP, from the first step for an AP to its kick: threads, work queues, RCU, timers.
    pub prepare_ns: u64,
    /// INIT and SIPI. With Linux before 6.5 they are in `answer_ns`.
    pub kick_ns: u64,
    /// From where the BSP turns to an AP to the AP's first step, which it takes behind that: the wait, and
    /// the way of the AP into its idle loop.
    pub answer_ns: u64,
    /// From the AP's first step to its last: threads unparked, interrupts, watchdog, scheduler.
    pub online_ns: u64,
    /// Until the BSP has seen that.
    pub seen_ns: u64,
    /// From the first step to the last, less what the trace itself took.
    pub total_ns: u64,
    /// What the trace itself took.
    pub trace_ns: u64,
}

impl Inside {
    /// Of the text of the trace of a machine with so many CPUs, whose clock runs at `tsc_hz`.
    ///
    /// # Errors
    ///
    /// The trace has lost events, or is not of a whole bring-up.
    pub fn parse(trace: &str, cpus: u32, tsc_hz: u64) -> Result<Self> {
        check_whole(trace)?;
        let mut aps: BTreeMap<u32, Way> = BTreeMap::new();
        for event in trace.lines().filter_map(Event::parse) {
            // What the BSP does for itself comes before.
            if event.subject != 0 {
                aps.entry(event.subject).or_default().take(&event);
            }
        }
        let missing = (1..cpus).find(|ap| !aps.get(ap).is_some_and(Way::is_whole));
        if let Some(ap) = missing {
            bail!("Linux's trace has no whole bring-up of CPU {ap}");
        }
        let ways = || aps.values();
        let sum = |part: fn(&Way) -> u64| ways().map(part).sum::<u64>();
        let first = ways().filter_map(|way| way.first).min();
        let last = ways().filter_map(|way| way.done).max();
        let (first, last) = first.zip(last).context("there is no AP")?;
        let trace_ticks = sum(|way| way.trace);
        let ns = |ticks: u64| nanoseconds(ticks, tsc_hz);
        Ok(Self {
            prepare_ns: ns(sum(Way::prepare)),
            kick_ns: ns(sum(|way| way.kick)),
            answer_ns: ns(sum(Way::answer)),
            online_ns: ns(sum(Way::online)),
            seen_ns: ns(sum(Way::seen)),
            total_ns: ns((last - first).saturating_sub(trace_ticks)),
            trace_ns: ns(trace_ticks),
        })
    }
}

fn nanoseconds(ticks: u64, hz: u64) -> u64 {
    let ns = u128::from(ticks) * 1_000_000_000 / u128::from(hz.max(1));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// `# entries-in-buffer/entries-written: 224/224   #P:4`: what was written and is not there was
/// overwritten.
fn check_whole(trace: &str) -> Result<()> {
    let line = trace
        .lines()
        .find_map(|line| line.split_once("entries-in-buffer/entries-written:"))
        .context("this is no trace of Linux's")?;
    let counts = line.1.split_ascii_whitespace().next().unwrap_or_default();
    let (kept, written) = counts.split_once('/').context("it has no counts")?;
    ensure!(
        kept == written,
        "Linux's trace has {kept} of {written} events"
    );
    Ok(())
}

/// A line of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event<'a> {
    /// In ticks of the time stamp counter.
    at: u64,
    /// The CPU that it happened on.
    on: u32,
    /// The CPU that it is about.
    subject: u32,
    step: u32,
    /// The step's function, where the step begins.
    enters: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// Such as
    /// `swapper/0-1 [000] ..... 20143265922: cpuhp_enter: cpu: 0002 target:  85 step:  85 (cpuhp_kick_ap_alive)`.
    fn parse(line: &'a str) -> Option<Self> {
        // The task's name may be anything.
        let (head, fields) = line.split_once(": cpuhp_")?;
        let (head, at) = head.rsplit_once(char::is_whitespace)?;
        let (_, on) = head.rsplit_once('[')?;
        let (on, _) = on.split_once(']')?;
        let (kind, fields) = fields.split_once(':')?;
        let field = |name: &str| {
            let (_, value) = fields.split_once(name)?;
            value.split_ascii_whitespace().next()
        };
        let enters = match kind {
            "enter" | "multi_enter" => {
                let (_, name) = fields.split_once('(')?;
                Some(name.split_once(')')?.0)
            }
            "exit" => None,
            _ => return None,
        };
        Some(Self {
            at: at.parse().ok()?,
            on: on.parse().ok()?,
            subject: field("cpu:")?.parse().ok()?,
            step: field("step:")?.parse().ok()?,
            enters,
        })
    }
}

/// The way of one AP, in ticks.
#[derive(Clone, Debug, Default)]
struct Way {
    /// The first step for it.
    first: Option<u64>,
    /// The step that kicks it, or that brings it up where this does both.
    kicked: Option<u64>,
    kick: u64,
    /// The step that brings it up: its number, and when it began.
    bring_up: Option<(u32, u64)>,
    /// Its own first and last step.
    own: Option<(u64, u64)>,
    /// The BSP has seen that it is up. What comes later is of drivers.
    done: Option<u64>,
    trace: u64,
    /// The step that has begun.
    open: Option<(&'static str, u32, u64)>,
}

impl Way {
    fn take(&mut self, event: &Event<'_>) {
        if self.done.is_some() {
            return;
        }
        self.first.get_or_insert(event.at);
        if event.on == event.subject {
            let own = self.own.get_or_insert((event.at, event.at));
            own.1 = event.at;
            return;
        }
        match event.enters {
            Some(name) if BRING_UP.contains(&name) => {
                self.kicked.get_or_insert(event.at);
                self.bring_up = Some((event.step, event.at));
            }
            Some(KICK) => {
                self.kicked = Some(event.at);
                self.open = Some((KICK, event.step, event.at));
            }
            Some(TRACES_OWN) => self.open = Some((TRACES_OWN, event.step, event.at)),
            Some(_) => {}
            None => self.exit(event),
        }
    }

    fn exit(&mut self, event: &Event<'_>) {
        if self.bring_up.is_some_and(|(step, _)| step == event.step) {
            self.done = Some(event.at);
        } else if let Some((name, step, at)) = self.open
            && step == event.step
        {
            let took = event.at.saturating_sub(at);
            match name {
                KICK => self.kick += took,
                _ => self.trace += took,
            }
            self.open = None;
        }
    }

    fn is_whole(&self) -> bool {
        self.kicked.is_some() && self.own.is_some() && self.done.is_some()
    }

    fn prepare(&self) -> u64 {
        let before = between(self.first, self.kicked);
        before.saturating_sub(self.trace)
    }

    fn answer(&self) -> u64 {
        between(self.bring_up.map(|it| it.1), self.own.map(|it| it.0))
    }

    fn online(&self) -> u64 {
        between(self.own.map(|it| it.0), self.own.map(|it| it.1))
    }

    fn seen(&self) -> u64 {
        between(self.own.map(|it| it.1), self.done)
    }
}

fn between(from: Option<u64>, to: Option<u64>) -> u64 {
    to.zip(from).map_or(0, |(to, from)| to.saturating_sub(from))
}

#[cfg(test)]
mod tests;
