//! The model's steps on the ladder: each takes the model's time of whoever runs it, and does nothing else.
//!
//! An AP makes one halt of a step, however many pieces that has, and the first one also lets its answer become due: each
//! halt costs its host an interrupt.

#![forbid(unsafe_code)]

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use reveille_executor::Clock;
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    remote::RemoteHandle,
    step::{Mode, Run, Section, Site, Step, StepError},
};

use super::{
    figures::{self, On},
    machine::Modelled,
    work::{busy_until, halt_until, occupy},
};
use crate::{
    cpus::{online::OnlineList, spawn_on},
    percpu::PerCpu,
    platform::CpuPlatform,
};

impl Modelled {
    /// Its steps, for the ladder.
    pub fn steps(&'static self) -> Vec<&'static dyn Step> {
        let timed = self.figures().steps.iter().map(|step| {
            let timed = Timed { model: self, step };
            &*Box::leak(Box::new(timed)) as &'static dyn Step
        });
        timed.collect()
    }
}

/// A step that takes time.
struct Timed {
    model: &'static Modelled,
    step: &'static figures::Step,
}

impl Step for Timed {
    fn name(&self) -> &'static str {
        self.step.name
    }

    fn section(&self) -> Section {
        self.step.section
    }

    fn rank(&self) -> u16 {
        self.step.rank
    }

    fn mode(&self) -> Mode {
        self.step.mode
    }

    fn primaries_first(&self) -> bool {
        self.step.primaries_first
    }

    fn up<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        let (Some(area), Some(platform)) = (PerCpu::of(cpu), CpuPlatform::of_this_cpu()) else {
            return Run::Now(Err(StepError::WrongCpu));
        };
        match self.step.section {
            Section::Prepare => self.prepare(area.apic_id(), &platform),
            _ => self.on_ap(area.apic_id(), platform),
        }
    }
}

impl Timed {
    fn prepare(&self, of: ApicId, platform: &CpuPlatform) -> Run<'_> {
        let span = self.model.span(self.step, of, On::Bsp);
        let until = self.model.prepares(of, platform.now(), span);
        busy_until(platform, until);
        Run::Now(Ok(()))
    }

    fn on_ap(&self, of: ApicId, platform: CpuPlatform) -> Run<'_> {
        let now = platform.now();
        let Some(bell) = self.model.bell(of) else {
            return Run::Now(Err(StepError::WrongCpu));
        };
        let span = |on| self.model.span(self.step, of, on);
        let (alone, together) = (span(On::Ap), span(On::Pair));
        let begins = match self.model.is_first_on_ap(self.step) {
            true => self.model.answers_at(of, now),
            // What others do in this step is not between those of this one.
            false if (alone + together).is_zero() => return Run::Now(Ok(())),
            false => bell.began_step(now, alone + together),
        };
        let begins = match self.step.mode {
            Mode::Serialised => self.model.has_turn_since(begins, now),
            Mode::Concurrent => begins,
        };
        let until = begins + alone + together;
        bell.is_due(until);
        bell.is_at_it(until.max(now));
        if self.step.mode == Mode::Serialised {
            self.model.keeps_turn_until(until.max(now));
        }
        if together == Duration::ZERO {
            halt_until(&platform, until, self.model.late());
            return Run::Now(Ok(()));
        }
        Run::later(async move {
            let partner = self.occupy_partner(together);
            halt_until(&platform, until, self.model.late());
            // One that went down meanwhile is not at it any more.
            if let Some(partner) = partner {
                let _ = partner.await;
            }
            Ok(())
        })
    }

    /// Occupies a CPU of the BSP's package as long as that: one that is online and takes tasks, the BSP where there is
    /// none.
    fn occupy_partner(&self, span: Duration) -> Option<RemoteHandle<()>> {
        let online = OnlineList::get().into_iter().flat_map(OnlineList::iter);
        let beside = online.filter(|&cpu| self.model.is_beside_bsp(cpu));
        let model = self.model;
        let occupy = |partner| spawn_on(partner, async move { occupy(model, span) }).ok();
        beside.chain([CpuIndex::BSP]).find_map(occupy)
    }
}
