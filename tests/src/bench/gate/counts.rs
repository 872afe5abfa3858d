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
mod tests {
    use reveille_smp::strategy::Strategy;

    use super::*;
    use crate::qemu::machine::Chipset;

    fn records(lines: &[String]) -> Records {
        let mut records = Records::default();
        lines.iter().cloned().for_each(|line| records.push(line));
        records
    }

    /// An AP, with the times of INIT, real mode, long mode and alive.
    fn cpu(number: u32, [init, real, long, alive]: [u64; 4]) -> String {
        format!(
            r#"{{"record":"cpu","cpu":{number},"apic_id":{number},"package":0,"core":0,"thread":0,"outcome":"online","step":null,"reason":null,"sipis":1,"init_ns":{init},"sipi_ns":{init},"real_ns":{real},"long_ns":{long},"alive_ns":{alive},"online_ns":{alive},"polls":3}}"#
        )
    }

    fn bringup(total: u64) -> String {
        format!(
            r#"{{"record":"bringup","strategy":"parallel","round":0,"aps":3,"online":3,"failed":0,"kick_ns":0,"alive_ns":0,"online_ns":0,"total_ns":{total},"polls":9,"spurious_polls":1,"doorbells":2}}"#
        )
    }

    fn cycle() -> String {
        r#"{"record":"cycle","asked":1,"done":1,"aps":3,"lost":0,"failed":0,"duration_ns":5,"heap_before":7000,"heap_after":7000,"frames_before":3,"frames_after":3}"#.to_owned()
    }

    fn untraced() -> Vec<String> {
        vec![
            cpu(1, [0, 1000, 1050, 5000]),
            // Between its kick and the next one a time slice ended.
            cpu(2, [40, 2000, 2050, 6040]),
            cpu(3, [9_000_040, 9_000_100, 9_000_155, 9_004_150]),
            bringup(9_100_000),
            cycle(),
        ]
    }

    fn setting(cpus: u32, strategy: Strategy) -> Setting {
        Setting::new(Chipset::Q35, cpus, strategy)
    }

    fn value(figures: &[Figure], name: &str) -> Option<u64> {
        let figure = figures.iter().find(|figure| figure.name == name)?;
        Some(figure.value)
    }

    #[test]
    fn counts_are_the_kernels_and_instructions_those_of_an_ap_in_the_middle() {
        let figures = counted(&setting(4, Strategy::Parallel), &records(&untraced()));
        let figures = figures.expect("the records are whole");
        for (name, expected) in [
            ("polls", 9),
            ("spurious-polls", 1),
            ("sipis", 3),
            ("doorbells", 2),
            ("kick-instructions", 9_000_000),
            ("real-to-long-instructions", 50),
            ("long-to-alive-instructions", 3990),
            ("heap-bytes", 7000),
        ] {
            assert_eq!(value(&figures, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_turns_on_the_ends_of_slices_is_no_figure_of_a_large_machine() {
        let [small, large] = [16, 17].map(|cpus| {
            let figures = counted(&setting(cpus, Strategy::Parallel), &records(&untraced()));
            value(&figures.expect("the records are whole"), "doorbells")
        });
        assert_eq!((small, large), (Some(2), None));
    }

    #[test]
    fn who_waits_between_two_kicks_has_no_figure_of_a_kick() {
        let figures = counted(&setting(4, Strategy::Serial), &records(&untraced()));
        let figures = figures.expect("the records are whole");
        assert_eq!(value(&figures, "kick-instructions"), None);
    }

    #[test]
    fn a_record_that_is_missing_or_whose_stamps_run_backwards_is_an_error() {
        let mut lines = untraced();
        lines[1] = cpu(2, [40, 2000, 1999, 6040]);
        let error = counted(&setting(4, Strategy::Parallel), &records(&lines));
        let error = error.expect_err("the stamps run backwards").to_string();
        assert!(error.contains("out of order"), "{error}");
        let (_, lines) = lines.split_last().expect("there are some");
        let error = counted(&setting(4, Strategy::Parallel), &records(lines));
        let error = error.expect_err("there is no cycle").to_string();
        assert!(error.contains("cycle"), "{error}");
    }

    /// A trace of a BSP and an AP: a kick, and a wake back.
    fn traced() -> Vec<String> {
        let head = |cpu: u32, kept: u32| {
            format!(
                r#"{{"record":"trace-head","cpu":{cpu},"apic_id":{cpu},"kept":{kept},"overwritten":0,"clock_offset_ns":0,"uncertainty_ns":9}}"#
            )
        };
        let events = |cpu: u32, events: &[(u64, &str)]| {
            let event =
                |(at, what): &(u64, &str)| format!(r#"{{"uptime_ns":{at},"event":{what}}}"#);
            let events: Vec<_> = events.iter().map(event).collect();
            format!(
                r#"{{"record":"trace","cpu":{cpu},"events":[{}]}}"#,
                events.join(",")
            )
        };
        let bsp = [
            (90, r#""poll-start","task":0"#),
            (100, r#""init","to":1"#),
            (103, r#""sipi","to":1"#),
            (113, r#""poll-end""#),
            (115, r#""idle-start""#),
            (7250, r#""irq-entry","vector":65"#),
            (7257, r#""irq-exit","vector":65"#),
            // Behind the bring-up.
            (9999, r#""idle-start""#),
        ];
        let ap = [
            (7100, r#""real-mode""#),
            (7155, r#""long-mode""#),
            (7180, r#""alive""#),
            (7190, r#""ipi-send","to":0,"vector":65,"id":1"#),
            (7195, r#""idle-start""#),
            (7300, r#""irq-entry","vector":65"#),
            (7304, r#""online""#),
            (7306, r#""poll-end""#),
        ];
        vec![
            r#"{"record":"trace-names","steps":[],"vectors":[]}"#.to_owned(),
            head(0, bsp.len() as u32),
            events(0, &bsp),
            head(1, ap.len() as u32),
            events(1, &ap),
            bringup(7206),
        ]
    }

    #[test]
    fn work_is_what_each_ran_until_every_outcome_was_known() {
        let figures = worked(&setting(2, Strategy::Parallel), &records(&traced()));
        let figures = figures.expect("the trace is whole");
        for (name, expected) in [
            // From INIT to SIPI nothing counts.
            ("bsp-instructions", 10 + 2 + 7),
            ("ap-instructions", 55 + 25 + 10 + 5 + 4 + 2),
            ("alive-to-online-instructions", 10 + 5 + 4),
            ("ipis", 1),
            ("interrupts", 2),
            ("bsp-sleeps", 1),
            ("ap-sleeps", 1),
        ] {
            assert_eq!(value(&figures, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_trace_that_cannot_be_counted_by_is_refused() {
        let setting = setting(2, Strategy::Parallel);
        for (from, to, why) in [
            (r#""clock_offset_ns":0"#, r#""clock_offset_ns":1"#, "apart"),
            (r#""overwritten":0"#, r#""overwritten":9"#, "overwritten"),
            (r#""init","to":1"#, r#""alive""#, "no INIT"),
            (
                r#""event":"online""#,
                r#""event":"alive""#,
                "CPU 1 came online",
            ),
        ] {
            let lines = traced();
            let changed = lines.iter().map(|line| line.replace(from, to));
            let changed: Vec<_> = changed.collect();
            assert_ne!(changed, lines);
            let error = worked(&setting, &records(&changed)).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
