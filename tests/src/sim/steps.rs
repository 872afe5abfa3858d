//! The steps of a model as a ladder: each takes the time that the model says, from those whom the
//! model says.

use std::{rc::Rc, time::Duration};

use anyhow::{Context, Result};
use reveille_executor::Timer;
use reveille_smp::{
    cpu::CpuIndex,
    ladder::Ladder,
    state::Stage,
    step::{Direction, Mode, Run, Section, Site, Step},
};

use super::{
    call,
    model::{self, Model, On, Piece},
    rules::StepKind,
    world::World,
};

/// A step of a model.
struct Modelled {
    step: model::Step,
    rank: u16,
    role: Role,
    kind: StepKind,
}

/// What a step is to the machine, beside the time that it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The first one before the kick: it gives the CPU its stack, and takes it back.
    Stack,
    /// The last one with interrupts off: the CPU has handlers behind it.
    Handlers,
    /// The last one of all: the CPU is about to be online.
    Last,
    /// None.
    Plain,
}

/// The ladder of a model. It lives as long as the program, as ladders do.
///
/// # Errors
///
/// When the ladder refuses the steps.
pub(super) fn ladder(model: &Model) -> Result<&'static Ladder> {
    let in_section = |section| move |step: &&model::Step| step.section == section;
    let first_prepare = model.steps.iter().find(in_section(Section::Prepare));
    let last_starting = model.steps.iter().rfind(in_section(Section::Starting));
    let last_online = model.steps.iter().rfind(in_section(Section::Online));
    let role = |step: &model::Step| {
        let is = |other: Option<&model::Step>| other.is_some_and(|other| std::ptr::eq(other, step));
        match () {
            () if is(first_prepare) => Role::Stack,
            () if is(last_starting) => Role::Handlers,
            () if is(last_online) => Role::Last,
            () => Role::Plain,
        }
    };
    let mut on_ap = 0..;
    // In the file's order within a section, and the ladder has the sections in theirs.
    let mut steps: Vec<_> = model.steps.iter().collect();
    steps.sort_by_key(|step| step.section);
    let steps = steps.into_iter().zip(1..).map(|(step, rank)| {
        let modelled = Modelled {
            kind: StepKind {
                name: step.name,
                on_ap: match step.section {
                    Section::Prepare => None,
                    _ => on_ap.next(),
                },
                is_serialised: step.mode == Mode::Serialised,
                primaries_first: step.primaries_first,
            },
            role: role(step),
            step: step.clone(),
            rank,
        };
        &*Box::leak(Box::new(modelled)) as &'static dyn Step
    });
    let ladder = Ladder::new(steps).with_context(|| format!("the steps of {}", model.name))?;
    Ok(Box::leak(Box::new(ladder)))
}

/// Whether a step of the model gives CPUs their stacks.
pub(super) fn gives_stacks(model: &Model) -> bool {
    model
        .steps
        .iter()
        .any(|step| step.section == Section::Prepare)
}

/// How many steps an AP runs by itself.
pub(super) fn on_ap(model: &Model) -> usize {
    let is_on_ap = |step: &&model::Step| step.section != Section::Prepare;
    model.steps.iter().filter(is_on_ap).count()
}

impl Step for Modelled {
    fn name(&self) -> &'static str {
        self.step.name
    }

    fn section(&self) -> Section {
        self.step.section
    }

    fn rank(&self) -> u16 {
        self.rank
    }

    fn mode(&self) -> Mode {
        self.step.mode
    }

    fn primaries_first(&self) -> bool {
        self.step.primaries_first
    }

    fn up<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        self.run(site, Direction::Up)
    }

    fn down<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        self.run(site, Direction::Down)
    }
}

impl Modelled {
    fn run<'a>(&'a self, site: Site<'a>, direction: Direction) -> Run<'a> {
        let Some(world) = World::current() else {
            return Run::Now(Ok(()));
        };
        world.pass_place();
        let running = Running::begin(&world, self, site.cpu, direction);
        let cpu = running.cpu;
        let pieces = match direction {
            Direction::Up => &self.step.up,
            Direction::Down => &self.step.down,
        };
        let pieces = pieces
            .iter()
            .filter(move |piece| piece.who.includes(&world.model.shape, cpu));
        if pieces
            .clone()
            .all(|piece| self.is_done_here(&running.world, piece))
        {
            for piece in pieces {
                running.do_here(piece);
            }
            running.has_ended();
            return Run::Now(Ok(()));
        }
        Run::later(async move {
            for piece in pieces {
                if self.is_done_here(&running.world, piece) {
                    running.do_here(piece);
                } else {
                    running.wait_for(piece, site.timer).await;
                }
            }
            running.has_ended();
            Ok(())
        })
    }

    /// Whether the CPU that runs the step does this piece by itself.
    fn is_done_here(&self, world: &World, piece: &Piece) -> bool {
        match piece.on {
            On::Ap | On::Pair => true,
            On::Bsp => self.step.section == Section::Prepare && !world.spreads_prepare,
            On::Latency => false,
        }
    }
}

/// A step that runs; it has been cancelled when this is dropped before it has ended.
struct Running<'a> {
    world: Rc<World>,
    step: &'a Modelled,
    cpu: usize,
    direction: Direction,
}

impl<'a> Running<'a> {
    fn begin(world: &Rc<World>, step: &'a Modelled, cpu: CpuIndex, direction: Direction) -> Self {
        let cpu = cpu.0 as usize;
        let rules = &world.rules;
        rules.begins(world, cpu, step.kind, direction);
        if step.role == Role::Stack {
            match direction {
                Direction::Up => rules.stack_given(world, cpu - 1),
                Direction::Down => rules.stack_taken(world, cpu - 1),
            }
        }
        if step.role == Role::Last && direction == Direction::Down {
            call::close(world, cpu);
        }
        Self {
            world: Rc::clone(world),
            step,
            cpu,
            direction,
        }
    }

    fn do_here(&self, piece: &Piece) {
        let (world, name) = (&self.world, self.step.step.name);
        if piece.on != On::Pair {
            return world.do_here(name, piece, self.cpu);
        }
        let span = world.span_of(name, piece, self.cpu);
        let partner = world.helper(Helpers::OfFirstPackage, self.cpu);
        let start = world.cpus[partner].free_at(world.now());
        let end = world.cpus[partner].steal(world.now(), span);
        world.note_on(Some(partner), name, self.cpu, start, end);
        // Both have to be there: until the other one is, this one waits at work.
        world.work(name, self.cpu, end - world.now());
    }

    /// Lets somebody else do it, or time pass.
    async fn wait_for(&self, piece: &Piece, timer: &Timer) {
        let (world, name) = (&self.world, self.step.step.name);
        let span = world.span_of(name, piece, self.cpu);
        let end = match piece.on {
            On::Bsp => {
                let helper = match self.step.step.section {
                    Section::Prepare => world.helper(Helpers::All, self.cpu),
                    _ => 0,
                };
                let start = world.cpus[helper].free_at(world.now());
                let end = world.cpus[helper].steal(world.now(), span);
                world.note_on(Some(helper), name, self.cpu, start, end);
                end
            }
            _ => world.now().saturating_add(span),
        };
        let rest = end - world.now();
        if rest > Duration::ZERO {
            timer.sleep(rest).await;
        }
    }

    fn has_ended(&self) {
        let rules = &self.world.rules;
        if self.step.role == Role::Handlers
            && let Some(here) = self.world.here()
        {
            let has_handlers = self.direction == Direction::Up;
            self.world.cpus[here].has_handlers.set(has_handlers);
        }
        rules.has_passed(&self.world, self.cpu, self.step.kind, self.direction);
        if self.step.role == Role::Last && self.direction == Direction::Up {
            self.world.joins_helpers(self.cpu);
            call::open(&self.world, self.cpu);
        }
        self.world.pass_place();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.world.rules.ends(self.cpu, self.step.kind);
    }
}

impl World {
    /// Who helps a CPU: of a few that are online at such a place, and the BSP, the one that is free
    /// first; the BSP last.
    fn helper(&self, place: Helpers, not: usize) -> usize {
        /// How many are asked: with thousands of them one of the first is free.
        const ASKED: usize = 16;
        let pool = &mut *self.helpers[place as usize].borrow_mut();
        let is_online = |number: usize| self.stage(number - 1) == Stage::Online;
        let mut best = 0;
        let free_at = |number: usize| self.cpus[number].free_at(self.now());
        for _ in 0..pool.len().min(ASKED) {
            let Some(number) = pool.pop_front() else {
                break;
            };
            if !is_online(number) {
                continue;
            }
            pool.push_back(number);
            if number != not && (best == 0 || free_at(number) < free_at(best)) {
                best = number;
            }
        }
        match free_at(0) < free_at(best) {
            true => 0,
            false => best,
        }
    }

    /// The AP has passed its last step, and will help others.
    fn joins_helpers(&self, number: usize) {
        let ap = &self.aps[number - 1];
        let all = [Helpers::OfFirstPackage, Helpers::All];
        let fitting = all
            .into_iter()
            .filter(|&helpers| helpers == Helpers::All || ap.place.package == 0);
        for helpers in fitting {
            let mut pool = self.helpers[helpers as usize].borrow_mut();
            pool.push_back(number);
        }
    }
}

/// Among whom a helper is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Helpers {
    /// The CPUs of the BSP's package.
    OfFirstPackage,
    /// All.
    All,
}
