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
    outside::{self, Outside},
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
    /// Linux's bring-up, by its console.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started, or the host does not tell its load.
    pub fn console(self, image: &Path, machine: &Machine) -> Result<Booted<Up>> {
        let mut watch = Watch::default();
        let mut booted = self.follow(image, machine, |bytes, at| {
            let seen = watch.feed(bytes, at)?;
            Some(match seen {
                Seen::Up(up) => Came::This(*up),
                Seen::Broken(why) => Came::Failed(why.clone()),
            })
        })?;
        if let Came::Nothing { begun: it, .. } = &mut booted.came {
            *it = watch.has_begun();
        }
        let cpus = machine.smp.cpus();
        Ok(booted.and_then(|up| {
            anyhow::ensure!(up.cpus == cpus, "{} of {cpus} CPUs online", up.cpus);
            Ok(up)
        }))
    }

    /// The same by QEMU's trace, which is written to a file in `folder`.
    ///
    /// # Errors
    ///
    /// As for [`console`](Self::console).
    pub fn outside(
        self,
        image: &Path,
        machine: &Machine,
        folder: &Path,
    ) -> Result<Booted<Outside>> {
        let log = folder.join("apic.log");
        let mut machine = machine.clone();
        machine.further.extend(outside::arguments(&log));
        let booted = self.console(image, &machine)?;
        Ok(booted.and_then(|_| read(&log, machine.smp.cpus())))
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

/// What QEMU wrote of a machine with so many CPUs.
///
/// # Errors
///
/// The file cannot be read, or shows no whole bring-up.
pub fn read(log: &Path, cpus: u32) -> Result<Outside> {
    let trace = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Outside::parse(&String::from_utf8_lossy(&trace), cpus)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|it| it == wanted)
}
