//! The figures of one machine, from the records of its boots.

use anyhow::{Context, Result, ensure};
use reveille_smp::record::{Bringup, Cpu, Record};

use super::{
    figures::{Figure, Section},
    settings::Setting,
    work::{self, Span},
};
use crate::{
    records::Records,
    trace::timeline::{self, Event, Timeline},
};

/// The figures of a setting, from its boot without a trace and the one with it.
///
/// # Errors
///
/// A record is missing, or the trace does not have all of the bring-up.
pub fn section(setting: &Setting, untraced: &Records, traced: &Records) -> Result<Section> {
    let mut figures = counted(setting, untraced)?;
    if setting.cpus() > 1 {
        figures.extend(worked(setting, traced)?);
    }
    Ok(Section {
        name: setting.name().to_owned(),
        figures,
    })
}

/// What the kernel counted, and stamped on one CPU each.
fn counted(setting: &Setting, records: &Records) -> Result<Vec<Figure>> {
    let bringup = records.bringup()?;
    let cpus = records.cpus()?;
    let memory = records.cycle()?.balance;
    let mut figures = vec![
        Figure::new("polls", bringup.polls.into()),
        Figure::new("spurious-polls", bringup.spurious_polls.into()),
        Figure::new("sipis", cpus.iter().map(|cpu| u64::from(cpu.sipis)).sum()),
    ];
    if setting.slices_last() {
        figures.push(Figure::new("doorbells", bringup.doorbells));
    }
    if setting.kicks_in_a_row() {
        let inits = cpus.iter().filter_map(|cpu| cpu.init_ns);
        let inits: Vec<u64> = inits.collect();
        let kicks = inits.windows(2).map(|pair| pair[1].checked_sub(pair[0]));
        let kick = median(kicks.map(|kick| kick.context("the kicks are out of order")))?;
        figures.extend(kick.map(|it| Figure::new("kick-instructions", it)));
    }
    type Stamp = fn(&Cpu) -> Option<u64>;
    let stages: [(&str, Stamp, Stamp); 2] = [
        (
            "real-to-long-instructions",
            |cpu| cpu.real_ns,
            |cpu| cpu.long_ns,
        ),
        (
            "long-to-alive-instructions",
            |cpu| cpu.long_ns,
            |cpu| cpu.alive_ns,
        ),
    ];
    for (name, from, to) in stages {
        let stamps = cpus.iter().filter_map(|cpu| from(cpu).zip(to(cpu)));
        let took = stamps.map(|(from, to)| to.checked_sub(from));
        let took = median(took.map(|took| took.context("a CPU's stamps are out of order")))?;
        figures.extend(took.map(|it| Figure::new(name, it)));
    }
    figures.push(Figure::new("heap-bytes", memory.heap_before));
    Ok(figures)
}

/// The middle one, or of two the greater; `None` of none.
fn median(values: impl Iterator<Item = Result<u64>>) -> Result<Option<u64>> {
    let mut values = values.collect::<Result<Vec<_>>>()?;
    values.sort_unstable();
    Ok(values.get(values.len() / 2).copied())
}

/// What the CPUs did until every outcome was known, from the trace.
fn worked(setting: &Setting, records: &Records) -> Result<Vec<Figure>> {
    let bringup = records.bringup()?;
    let records = records.parse()?;
    let is_other = |record: &Record| match record {
        Record::TraceHead(head) => head.clock_offset_ns != Some(0),
        _ => false,
    };
    ensure!(
        !records.iter().any(is_other),
        "in virtual time all clocks are one, and two were found apart"
    );
    let timeline = Timeline::of(&records)?;
    let window = Window::of(&timeline, &bringup)?;
    let (bsp, aps) = timeline.cpus.split_first().context("there is a BSP")?;

    let spans = work::spans(&timeline);
    let spans = spans
        .iter()
        .filter(|span| span.is_within(window.from_ns, window.to_ns));
    let (of_bsp, of_aps): (Vec<Span>, Vec<Span>) = spans.partition(|span| span.cpu == 0);
    let sum = |spans: &[Span]| spans.iter().map(|span| span.instructions()).sum();

    let awake = (1..).zip(aps).map(|(place, cpu)| {
        let at = |stage| {
            let event = window.events(cpu).find(|it| it.event == stage);
            event.map(|it| it.uptime_ns)
        };
        let stages = at(Event::Alive).zip(at(Event::Online));
        let (alive, online) = stages.with_context(|| format!("CPU {} came online", cpu.cpu))?;
        let of_it = of_aps.iter().filter(|span| span.cpu == place);
        let between = of_it.filter(|span| span.is_within(alive, online));
        Ok(between.map(|span| span.instructions()).sum())
    });
    let mut figures = Vec::new();
    let awake = median(awake)?;
    figures.extend(awake.map(|it| Figure::new("alive-to-online-instructions", it)));
    figures.extend([
        Figure::new("bsp-instructions", sum(&of_bsp)),
        Figure::new("ap-instructions", sum(&of_aps)),
    ]);
    if setting.slices_last() {
        let count = |cpu: &timeline::Cpu, what: fn(&Event) -> bool| {
            window.events(cpu).filter(|it| what(&it.event)).count() as u64
        };
        let on_all = |what| timeline.cpus.iter().map(|cpu| count(cpu, what)).sum();
        let is_sleep = |event: &Event| *event == Event::IdleStart;
        figures.extend([
            Figure::new(
                "ipis",
                on_all(|event| matches!(event, Event::IpiSend { .. })),
            ),
            Figure::new(
                "interrupts",
                on_all(|event| matches!(event, Event::IrqEntry { .. })),
            ),
            Figure::new("bsp-sleeps", count(bsp, is_sleep)),
            Figure::new(
                "ap-sleeps",
                aps.iter().map(|cpu| count(cpu, is_sleep)).sum(),
            ),
        ]);
    }
    Ok(figures)
}

/// The time of a bring-up, from the first INIT until every outcome was known.
#[derive(Clone, Copy)]
struct Window {
    from_ns: u64,
    to_ns: u64,
}

impl Window {
    fn of(timeline: &Timeline, bringup: &Bringup) -> Result<Self> {
        let mut events = timeline.events();
        let init = events.find(|(_, it)| matches!(it.event, Event::Init { .. }));
        let (_, init) = init.context("the trace has no INIT")?;
        let from_ns = init.uptime_ns;
        ensure!(
            timeline.all_kept_from_ns() <= from_ns,
            "events of the bring-up were overwritten by later ones"
        );
        Ok(Self {
            from_ns,
            to_ns: from_ns + bringup.total_ns,
        })
    }

    fn events(
        self,
        cpu: &timeline::Cpu,
    ) -> impl Iterator<Item = &reveille_smp::record::trace::TraceEvent> {
        let window = self.from_ns..=self.to_ns;
        let events = cpu.events.iter();
        events.filter(move |event| window.contains(&event.uptime_ns))
    }
}

#[cfg(test)]
mod tests;
