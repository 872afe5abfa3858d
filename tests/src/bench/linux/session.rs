//! A boot of whoever it is, as a line of results.

use std::{iter, path::PathBuf};

use anyhow::{Context, Result};

use super::{
    boots::{Came, How, read},
    image::{self, Image},
    initramfs, inside,
    late::{self, Late},
    outside::Outside,
    plan::{Plan, View, for_linux},
    samples::{self, Named, nanoseconds},
    system::System,
    trace::{APIC, arguments},
};
use crate::{
    bench::{
        boots,
        results::{Key, Outcome, Run},
    },
    interrupt::Interrupts,
    kernel::Kernel,
    qemu,
};

/// Where QEMU writes its trace.
const LOG: &str = "trace.log";

/// All that the boots need.
pub struct Session<'a> {
    plan: &'a Plan,
    kernel: &'a Kernel,
    interrupts: &'a Interrupts,
    images: &'a [Image],
    initramfs: PathBuf,
    /// Where QEMU writes its trace, and the file system lies.
    folder: tempfile::TempDir,
    /// The TSC's frequency, as our kernel measures it in this QEMU.
    tsc_hz: u64,
    /// Which Linux was not up in time on which machine.
    late: &'a Late,
}

impl<'a> Session<'a> {
    /// Prepares the boots, of which one is ours.
    ///
    /// # Errors
    ///
    /// apt does not have what is to boot, or our kernel does not.
    pub fn new(
        plan: &'a Plan,
        kernel: &'a Kernel,
        images: &'a [Image],
        interrupts: &'a Interrupts,
        late: &'a Late,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let initramfs = folder.path().join("initramfs.cpio");
        if plan.subjects.iter().any(|it| it.view == View::Inside) {
            let busybox = image::busybox(&image::folder(kernel))?;
            std::fs::write(&initramfs, initramfs::with(&busybox)?)?;
        }
        let machine = qemu::machine::Machine::new(2);
        let (ended, _) = boots::boot(kernel, &machine, plan.limit, interrupts)?;
        let boot = ended.records.boot();
        let boot = boot.context("our kernel has not told the frequency of the TSC, for Linux")?;
        Ok(Self {
            plan,
            kernel,
            interrupts,
            images,
            initramfs,
            folder,
            tsc_hz: boot.tsc_hz,
            late,
        })
    }

    /// Boots what the key of a task means. What an interrupt has ended is a failed run.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started, or the host does not tell its load.
    pub fn boot(&self, key: Key<'_>) -> Result<Run> {
        let subject = self.plan.subject(key).context("no such system")?;
        match &subject.linux {
            Some(system) => self.linux(system, subject.view, key),
            None => self.ours(subject.view, key),
        }
    }

    fn ours(&self, view: View, key: Key<'_>) -> Result<Run> {
        let log = self.folder.path().join(LOG);
        let ours = &self.plan.ours;
        let from_outside = view == View::Outside;
        // What is looked at from outside is the boot's own bring-up: no rounds behind it.
        let (machine, contenders, rounds) = if from_outside {
            let mut machine = key.machine.qemu();
            machine.further.extend(arguments(&[APIC], &log));
            (machine, iter::empty().collect(), 0)
        } else {
            let machine = key.machine.qemu_for(ours.rounds, ours.contenders);
            (machine, ours.contenders, ours.rounds)
        };
        let booted = boots::boot(self.kernel, &machine, self.plan.limit, self.interrupts)?;
        let mut run = boots::run_of(key.machine, key.run, contenders, rounds, &booted);
        key.system.clone_into(&mut run.system);
        let (ended, _) = &booted;
        if let Ok(boot) = ended.records.boot() {
            run.samples.extend(samples::of_ours(&boot, &ended.records));
        }
        if from_outside && run.is_ok() {
            let cpus = key.machine.smp.cpus();
            match read(&log).and_then(|it| Outside::parse(&it, cpus)) {
                Ok(outside) => run.samples.extend(samples::of_outside(&outside)),
                Err(error) => run.outcome = Outcome::Failed(format!("{error:#}")),
            }
        }
        Ok(run)
    }

    fn linux(&self, system: &System, view: View, key: Key<'_>) -> Result<Run> {
        let mut run = Run {
            system: key.system.to_owned(),
            machine: key.machine.clone(),
            run: key.run,
            outcome: Outcome::Ok,
            elapsed_ns: 0,
            boot_online_ns: None,
            load: Default::default(),
            host: None,
            samples: Named::new(),
        };
        if let Some(outcome) = self.late.why_not(key) {
            run.outcome = outcome;
            return Ok(run);
        }
        let mut images = self.images.iter();
        let image = images.find(|it| it.version == system.version);
        let image = &image.context("each system has its image")?.file;
        let machine = for_linux(key.machine, &system.command_line(self.tsc_hz));
        let how = How {
            limit: self.plan.limit,
            interrupts: self.interrupts,
        };
        let log = self.folder.path().join(LOG);
        let booted = match view {
            View::Plain => {
                let booted = how.console(image, &machine, &log)?;
                booted.and_then(|up| Ok(samples::of_console(&up)))
            }
            View::Outside => {
                let booted = how.outside(image, &machine, &log)?;
                booted.and_then(|(up, outside)| {
                    let mut named = samples::of_outside(&outside);
                    named.extend(samples::of_console(&up));
                    Ok(named)
                })
            }
            View::Inside => {
                let machine = machine
                    .append(&inside::words(key.machine.smp.cpus()))
                    .module(&self.initramfs);
                let booted = how.inside(image, &machine, self.tsc_hz)?;
                booted.and_then(|inside| Ok(samples::of_inside(&inside)))
            }
        };
        run.elapsed_ns = nanoseconds(booted.elapsed);
        run.load = booted.load;
        match booted.came {
            Came::This(samples) => run.samples = samples,
            Came::Failed(why) => run.outcome = Outcome::Failed(why),
            Came::Interrupted => run.outcome = Outcome::Failed("interrupted".to_owned()),
            Came::Nothing { within, begun } => {
                run.outcome = late::late(within, begun);
                self.late.learn(&run);
            }
        }
        Ok(run)
    }
}
