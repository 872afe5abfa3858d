//! A boot of Linux, as far as what is measured, and what it cost the host.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    console::{Seen, Up, Watch},
    initramfs::{TRACE_BEGINS, TRACE_ENDS},
    inside::Inside,
    outside::Outside,
    trace::{self, APIC, SERIAL, arguments},
};
use crate::{
    bench::host::{Load, Meter},
    interrupt::Interrupts,
    qemu::{
        machine::Machine,
        process::{Event, Qemu},
    },
};

/// A boot that was followed to what it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booted<T> {
    /// What came of it.
    pub came: Came<T>,
    /// From the start of QEMU to its end, which comes as soon as that is known.
    pub elapsed: Duration,
    /// What it cost the host, and what else the host did.
    pub load: Load,
}

/// What came of a boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came<T> {
    /// What it was for.
    This(T),
    /// Nothing within the limit. That is a result too: how long is known.
    Nothing {
        /// The limit, from the start of QEMU on.
        within: Duration,
        /// Whether Linux had begun to bring up CPUs.
        begun: bool,
    },
    /// It broke.
    Failed(String),
    /// We were asked to end.
    Interrupted,
}

impl<T> Booted<T> {
    /// The same with what `then` makes of what came.
    pub fn and_then<U>(self, then: impl FnOnce(T) -> Result<U>) -> Booted<U> {
        let came = match self.came {
            Came::This(it) => match then(it) {
                Ok(it) => Came::This(it),
                Err(error) => Came::Failed(format!("{error:#}")),
            },
            Came::Nothing { within, begun } => Came::Nothing { within, begun },
            Came::Failed(why) => Came::Failed(why),
            Came::Interrupted => Came::Interrupted,
        };
        Booted {
            came,
            elapsed: self.elapsed,
            load: self.load,
        }
    }
}

/// How the boots are done.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// How long one may take, from the start of QEMU to what it is for.
    pub limit: Duration,
    /// Each ends it early.
    pub interrupts: &'a Interrupts,
}

impl How<'_> {
    /// Linux's bring-up by its console, as QEMU stamps that into `log`.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started, or the host does not tell its load.
    pub fn console(self, image: &Path, machine: &Machine, log: &Path) -> Result<Booted<Up>> {
        let mut machine = machine.clone();
        machine.further.extend(arguments(&[SERIAL], log));
        let booted = self.to_the_last_line(image, &machine)?;
        Ok(booted.and_then(|()| trace::console(&read(log)?)))
    }

    /// The same, with what the APICs did.
    ///
    /// # Errors
    ///
    /// As for [`console`](Self::console).
    pub fn outside(
        self,
        image: &Path,
        machine: &Machine,
        log: &Path,
    ) -> Result<Booted<(Up, Outside)>> {
        let mut machine = machine.clone();
        machine.further.extend(arguments(&[SERIAL, APIC], log));
        let booted = self.to_the_last_line(image, &machine)?;
        let cpus = machine.smp.cpus();
        Ok(booted.and_then(|()| {
            let trace = read(log)?;
            Ok((trace::console(&trace)?, Outside::parse(&trace, cpus)?))
        }))
    }

    /// Follows a Linux until it says that its CPUs are up, all of them.
    fn to_the_last_line(self, image: &Path, machine: &Machine) -> Result<Booted<()>> {
        let cpus = machine.smp.cpus();
        let mut watch = Watch::default();
        let mut booted = self.follow(image, machine, |bytes, at| {
            Some(match watch.feed(bytes, at)? {
                Seen::Up(up) if up.cpus == cpus => Came::This(()),
                Seen::Up(up) => Came::Failed(format!("{} of {cpus} CPUs online", up.cpus)),
                Seen::Broken(why) => Came::Failed(why.clone()),
            })
        })?;
        if let Came::Nothing { begun, .. } = &mut booted.came {
            *begun = watch.has_begun();
        }
        Ok(booted)
    }

    /// The same by Linux's own trace, which `machine`'s words must ask for, with an initial RAM file system
    /// of [`initramfs`](super::initramfs).
    ///
    /// # Errors
    ///
    /// As for [`console`](Self::console).
    pub fn inside(self, image: &Path, machine: &Machine, tsc_hz: u64) -> Result<Booted<Inside>> {
        let mut text = Vec::new();
        let mut searched = 0;
        let booted = self.follow(image, machine, |bytes, _| {
            text.extend_from_slice(bytes);
            let end = find(&text[searched..], TRACE_ENDS.as_bytes());
            // It may have begun at the end of what is there.
            searched = text.len().saturating_sub(TRACE_ENDS.len());
            end.map(|_| Came::This(()))
        })?;
        Ok(booted.and_then(|()| {
            let text = String::from_utf8_lossy(&text);
            let (_, trace) = text.split_once(TRACE_BEGINS).context("no trace")?;
            Inside::parse(trace, machine.smp.cpus(), tsc_hz)
        }))
    }

    /// Boots, shows `look` what the console says and when, and ends QEMU when that has what it wants.
    fn follow<T>(
        self,
        image: &Path,
        machine: &Machine,
        mut look: impl FnMut(&[u8], Instant) -> Option<Came<T>>,
    ) -> Result<Booted<T>> {
        let meter = Meter::start()?;
        let started = Instant::now();
        let mut qemu = Qemu::start(machine, image)?;
        self.interrupts.tell(qemu.interrupter());
        let mut words = None;
        let came = loop {
            match qemu.next(started + self.limit)? {
                None => {
                    break Came::Nothing {
                        within: self.limit,
                        begun: false,
                    };
                }
                Some(Event::Console { bytes, at }) => {
                    if let Some(came) = look(&bytes, at) {
                        break came;
                    }
                }
                Some(Event::Complaint(line)) => words = Some(line),
                Some(Event::Interrupt(_)) => break Came::Interrupted,
                Some(Event::Ended(status)) => {
                    let words = words.unwrap_or_else(|| "no complaint".to_owned());
                    break Came::Failed(format!("QEMU ended with {status}, {words}"));
                }
                Some(Event::Record(_) | Event::Monitor(_)) => {}
            }
        };
        let elapsed = started.elapsed();
        let load = meter.stop(&qemu.end()?)?;
        Ok(Booted {
            came,
            elapsed,
            load,
        })
    }
}

/// What QEMU wrote.
///
/// # Errors
///
/// The file cannot be read.
pub fn read(log: &Path) -> Result<String> {
    let trace = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&trace).into_owned())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|it| it == wanted)
}
