//! The boots, interleaved: of each machine ours, then each Linux, and then again from the start. What
//! drifts on the host touches all of them alike.

use std::{iter, path::PathBuf};

use anyhow::{Context, Result};

use super::{
    BY_ITSELF, BY_QEMU,
    boots::{Came, How, read},
    image::{self, Image},
    initramfs, inside,
    outside::Outside,
    plan::Plan,
    samples::{self, Named, nanoseconds},
    system::System,
    trace::{APIC, arguments},
};
use crate::{
    bench::{
        boots,
        cell::{Machine, REVEILLE},
        results::{Outcome, Run},
    },
    interrupt::Interrupts,
    kernel::Kernel,
};

/// Where QEMU writes its trace.
const LOG: &str = "trace.log";

/// A session that is ready to boot.
pub struct Session<'a> {
    plan: &'a Plan,
    kernel: &'a Kernel,
    interrupts: &'a Interrupts,
    images: Vec<Image>,
    initramfs: PathBuf,
    /// Where QEMU writes its trace, and the file system lies.
    folder: tempfile::TempDir,
    /// The TSC's frequency, as our kernel has measured it in this QEMU.
    tsc_hz: Option<u64>,
    /// Who did not come up in time on which machine: it is not tried again, as it costs the whole limit.
    too_slow: Vec<(System, Machine)>,
}

/// How a system is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Plain,
    Outside,
    Inside,
}

impl<'a> Session<'a> {
    /// Fetches what is to boot beside us.
    ///
    /// # Errors
    ///
    /// apt does not have it.
    pub fn new(plan: &'a Plan, kernel: &'a Kernel, interrupts: &'a Interrupts) -> Result<Self> {
        let kept = kernel.scratch().join("linux");
        let series = plan.series.iter();
        let images: Result<Vec<_>> = series.map(|&it| Image::ready(it, &kept)).collect();
        let images = images?;
        let folder = tempfile::tempdir()?;
        let initramfs = folder.path().join("initramfs.cpio");
        if plan.traced > 0 {
            let busybox = image::busybox(&kept)?;
            std::fs::write(&initramfs, initramfs::with(&busybox)?)?;
        }
        Ok(Self {
            plan,
            kernel,
            interrupts,
            images,
            initramfs,
            folder,
            tsc_hz: None,
            too_slow: Vec::new(),
        })
    }

    /// The kernels beside ours.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// Boots all, and gives each boot to `keep` when it has ended. Ends early when that says so, and when an
    /// interrupt comes: then the boot under way is dropped.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started, or `keep` fails.
    pub fn run(
        &mut self,
        mut say: impl FnMut(&str),
        mut keep: impl FnMut(Run) -> Result<()>,
    ) -> Result<()> {
        let plan = self.plan;
        let systems = plan.systems();
        for run in 1..=plan.runs.max(plan.traced) {
            for machine in &plan.machines {
                for view in [View::Plain, View::Outside, View::Inside] {
                    let runs = match view {
                        View::Plain => plan.runs,
                        View::Outside | View::Inside => plan.traced,
                    };
                    if run > runs {
                        continue;
                    }
                    let ours = (view != View::Inside).then_some(None);
                    let linux = systems.iter().map(|it| Some(*it));
                    for system in ours.into_iter().chain(linux) {
                        if self.interrupts.received().is_some() {
                            return Ok(());
                        }
                        let name = name(system, view);
                        say(&format!("run {run} of {runs}, {machine}: {name}"));
                        let measured = match system {
                            None => self.ours(machine, run, view)?,
                            Some(system) => self.linux(system, machine, run, view)?,
                        };
                        if let Some(measured) = measured {
                            keep(measured)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn how(&self) -> How<'a> {
        How {
            limit: self.plan.limit,
            interrupts: self.interrupts,
        }
    }

    /// A boot of ours; `None` if we were interrupted.
    fn ours(&mut self, machine: &Machine, run: u32, view: View) -> Result<Option<Run>> {
        let plan = self.plan;
        let log = self.folder.path().join(LOG);
        let from_outside = view == View::Outside;
        // What is looked at from outside is the boot's own bring-up: no rounds behind it.
        let (qemu, contenders, rounds) = if from_outside {
            let mut qemu = machine.qemu();
            qemu.further.extend(arguments(&[APIC], &log));
            (qemu, iter::empty().collect(), 0)
        } else {
            let qemu = machine.qemu_for(plan.rounds, plan.contenders);
            (qemu, plan.contenders, plan.rounds)
        };
        let booted = boots::boot(self.kernel, &qemu, plan.limit, self.interrupts)?;
        if self.interrupts.received().is_some() {
            return Ok(None);
        }
        let mut measured = boots::run_of(machine, run, contenders, rounds, &booted);
        measured.system = name(None, view);
        let (ended, _) = &booted;
        if let Ok(boot) = ended.records.boot() {
            self.tsc_hz = Some(boot.tsc_hz);
            measured
                .samples
                .extend(samples::of_ours(&boot, &ended.records));
        }
        if from_outside && measured.is_ok() {
            let outside = read(&log).and_then(|it| Outside::parse(&it, machine.smp.cpus()));
            match outside {
                Ok(outside) => measured.samples.extend(samples::of_outside(&outside)),
                Err(error) => measured.outcome = Outcome::Failed(format!("{error:#}")),
            }
        }
        Ok(Some(measured))
    }

    /// A boot of Linux; `None` if we were interrupted, or it is known not to come up in time.
    fn linux(
        &mut self,
        system: System,
        machine: &Machine,
        run: u32,
        view: View,
    ) -> Result<Option<Run>> {
        let this = (system, machine.clone());
        if self.too_slow.contains(&this) {
            return Ok(None);
        }
        let tsc_hz = self.tsc_hz.context(
            "our kernel has not told the TSC's frequency, and Linux would measure it on each CPU",
        )?;
        let mut images = self.images.iter();
        let image = images.find(|it| it.series == system.series);
        let image = &image.context("each series has its image")?.file;
        // The machine's words are for our kernel.
        let mut qemu = machine.qemu();
        qemu.command_line = system.command_line(tsc_hz);
        let (how, log) = (self.how(), self.folder.path().join(LOG));
        let booted = match view {
            View::Plain => {
                let booted = how.console(image, &qemu, &log)?;
                booted.and_then(|up| Ok(samples::of_console(&up)))
            }
            View::Outside => {
                let booted = how.outside(image, &qemu, &log)?;
                booted.and_then(|(up, outside)| {
                    let mut named = samples::of_outside(&outside);
                    named.extend(samples::of_console(&up));
                    Ok(named)
                })
            }
            View::Inside => {
                let qemu = qemu
                    .append(&inside::words(machine.smp.cpus()))
                    .module(&self.initramfs);
                let booted = how.inside(image, &qemu, tsc_hz)?;
                booted.and_then(|inside| Ok(samples::of_inside(&inside)))
            }
        };
        let (samples, outcome) = match booted.came {
            Came::This(samples) => (samples, Outcome::Ok),
            Came::Failed(why) => (Named::new(), Outcome::Failed(why)),
            Came::Interrupted => return Ok(None),
            Came::Nothing { within, begun } => {
                if view == View::Plain {
                    self.too_slow.push(this);
                }
                let begun = if begun { "had begun, and was " } else { "" };
                let why = format!(
                    "{begun}not up {} s after QEMU's start",
                    within.as_secs_f64()
                );
                (Named::new(), Outcome::Failed(why))
            }
        };
        Ok(Some(Run {
            system: name(Some(system), view),
            machine: machine.clone(),
            run,
            outcome,
            elapsed_ns: nanoseconds(booted.elapsed),
            boot_online_ns: None,
            load: booted.load,
            host: None,
            samples,
        }))
    }
}

/// The system's name in results; `None` is ours.
fn name(system: Option<System>, view: View) -> String {
    let name = system.map_or(REVEILLE.to_owned(), |it| it.to_string());
    match view {
        View::Plain => name,
        View::Outside => name + BY_QEMU,
        View::Inside => name + BY_ITSELF,
    }
}
