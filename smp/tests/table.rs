//! The table of a bring-up at terminals of all widths, as a terminal counts columns.
#![cfg(not(loom))]

use proptest::{option, prelude::*};
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    look::{Bars, Colour, Columns, Look},
    outcome::Outcome,
    record::{Bringup, Cpu},
    table::{Headline, Table},
};
use unicode_width::UnicodeWidthStr;

const OUTCOMES: [Outcome; 10] = [
    Outcome::Bsp,
    Outcome::Online,
    Outcome::NeverStarted,
    Outcome::StuckRealMode,
    Outcome::StuckLongMode,
    Outcome::UnknownId,
    Outcome::Late,
    Outcome::Failed,
    Outcome::Skipped,
    Outcome::Disabled,
];

/// The shades of the stages, in their order.
const STAGES: [char; 5] = ['·', '░', '▒', '▓', '█'];

fn look(columns: u16, colour: Colour) -> Look {
    Look {
        columns: Some(Columns::nearest(columns)),
        bars: Bars::Blocks,
        colour,
    }
}

/// A machine of so many CPUs, of which each 16th fails in one way or another.
fn machine(count: u32) -> Vec<Cpu> {
    let cpu = |number: u32| {
        let start = 10_000 + 40_000 * u64::from(number);
        let mut cpu = Cpu {
            package: Some(number / 128),
            core: Some(number / 2 % 64),
            thread: Some(number % 2),
            sipis: 1,
            init_ns: Some(0),
            sipi_ns: Some(start),
            real_ns: Some(start + 400_000),
            long_ns: Some(start + 500_000),
            alive_ns: Some(start + 1_000_000),
            online_ns: Some(start + 2_000_000),
            polls: 4,
            ..Cpu::unwoken(Some(CpuIndex(number)), ApicId(2 * number), Outcome::Online)
        };
        if number % 16 == 3 {
            cpu.outcome = [
                Outcome::NeverStarted,
                Outcome::StuckLongMode,
                Outcome::Failed,
            ][number as usize / 16 % 3];
            (cpu.alive_ns, cpu.online_ns, cpu.sipis) = (None, None, 2);
        }
        cpu
    };
    let bsp = Cpu::unwoken(Some(CpuIndex::BSP), ApicId(0), Outcome::Bsp);
    [bsp].into_iter().chain((1..count).map(cpu)).collect()
}

/// Such a machine, of which nothing is seen of so many CPUs in a row. They are folded.
fn with_silent(silent: usize) -> Vec<Cpu> {
    let count = u32::try_from(silent).expect("a few");
    let mut cpus = machine(count + 30);
    for cpu in &mut cpus[20..][..silent] {
        cpu.outcome = Outcome::NeverStarted;
        (cpu.real_ns, cpu.long_ns) = (None, None);
        (cpu.alive_ns, cpu.online_ns, cpu.sipis) = (None, None, 2);
    }
    cpus
}

/// The text without colours, which are all the escape sequences that there may be.
fn plain(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = String::from(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (parameters, rest) = piece.split_once('m').expect("a colour");
        let is_parameter = |it: char| it.is_ascii_digit() || it == ';';
        assert!(parameters.chars().all(is_parameter), "{piece:?}");
        plain += rest;
    }
    assert!(!plain.contains('\x1b'), "{text:?}");
    plain
}

/// Whether the line is that of a CPU which ended like this: the head, the legend and what is told below have the word
/// too, and the scale has a number in front.
fn is_row_of(line: &str, outcome: &str) -> bool {
    let mut words = line.split_whitespace();
    let begins_with_a_number = words.next().is_some_and(|it| it.parse::<u32>().is_ok());
    begins_with_a_number && words.any(|word| word == outcome)
}

/// The bar of a row: what is behind the outcome.
fn bar(row: &str) -> String {
    let is_of_bar = |it: char| STAGES.contains(&it) || matches!(it, '×' | '?');
    let begins = row.find(is_of_bar).unwrap_or(row.len());
    row[begins..].into()
}

#[test]
fn every_layout_fits_its_terminal_and_ends_each_colour_in_its_line() {
    for columns in [40, 60, 80, 120, 200, 500] {
        let machines = [machine(1), machine(8), machine(300)];
        let folded = [100, 9_000].map(with_silent);
        for cpus in machines.into_iter().chain(folded) {
            let text = Table(&cpus, look(columns, Colour::On)).to_string();
            let without = Table(&cpus, look(columns, Colour::Off)).to_string();
            assert_eq!(plain(&text), without);
            for line in text.lines() {
                let width = plain(line).width();
                assert!(width <= columns.into(), "{width} of {columns}: {line}");
                let opened = line.matches("\x1b[").count();
                assert_eq!(opened, 2 * line.matches("\x1b[m").count(), "{line:?}");
                assert!(!plain(line).ends_with(' '), "{line:?}");
            }
            let rows = without.lines().filter(|line| is_row_of(line, "online"));
            let online = cpus.iter().filter(|cpu| cpu.outcome == Outcome::Online);
            assert_eq!(rows.count(), online.count(), "{without}");
        }
    }
}

#[test]
fn bars_agree_with_the_times_and_who_failed_is_marked() {
    for columns in [40, 80, 120, 200] {
        bars_agree(&machine(300), 0, columns);
        bars_agree(&with_silent(100), 98, columns);
    }
}

/// Of a machine of which so many CPUs are folded.
fn bars_agree(cpus: &[Cpu], folded: usize, columns: u16) {
    let text = Table(cpus, look(columns, Colour::Off)).to_string();
    let row = |cpu: &Cpu| {
        let number = format!("{:>4} ", cpu.cpu.expect("it has one").0);
        text.lines().find(|line| line.starts_with(&number)).map(bar)
    };
    let aps = cpus.iter().skip(1);
    let bars: Vec<_> = aps.filter_map(|cpu| Some((cpu, row(cpu)?))).collect();
    assert_eq!(bars.len() + folded, cpus.len() - 1, "{text}");
    let longest = bars.iter().map(|(_, bar)| bar.width()).max();
    let cells = longest.expect("there are some") as u64;
    let end = cpus.iter().filter_map(|cpu| cpu.online_ns).max();
    let end = end.expect("some are online");
    for (cpu, bar) in bars {
        match cpu.online_ns {
            Some(online) => {
                // A cell is there if its middle is.
                let expected = (2 * online * cells + end).div_ceil(2 * end) - 1;
                assert_eq!(bar.width() as u64, expected, "{columns}: {bar}");
            }
            None => assert!(bar.ends_with('×') && bar.width() as u64 == cells, "{bar}"),
        }
        let stage = |it| STAGES.iter().position(|stage| *stage == it);
        let stages: Vec<_> = bar.chars().filter_map(stage).collect();
        assert!(stages.is_sorted(), "{bar}");
    }
}

#[test]
fn a_clock_that_was_not_compared_leaves_the_bars_of_the_others_as_they_are() {
    let well = machine(8);
    let look = look(100, Colour::Off);
    let number = 5;
    let rows = |cpus: &[Cpu]| {
        let text = Table(cpus, look).to_string();
        let rows = text.lines().filter(|line| is_row_of(line, "online"));
        rows.map(bar).collect::<Vec<_>>()
    };
    let (mut ahead, mut behind) = (well.clone(), well.clone());
    for (cpus, by_ns) in [(&mut ahead, 4_000_000_000), (&mut behind, -4_000_000_000)] {
        let odd = &mut cpus[number];
        odd.uncertainty_ns = None;
        for time in [
            &mut odd.real_ns,
            &mut odd.long_ns,
            &mut odd.alive_ns,
            &mut odd.online_ns,
        ] {
            *time = time.map(|nanos| nanos.saturating_add_signed(by_ns));
        }
    }
    let mut expected = rows(&well);
    // The boot processor and CPU 3 are not among them.
    let at = number - 2;
    for cpus in [ahead, behind] {
        let text = Table(&cpus, look).to_string();
        assert!(text.contains("? clock not compared"), "{text}");
        let rows = rows(&cpus);
        assert!(rows[at].ends_with('?') && rows[at].width() < 10, "{text}");
        expected[at].clone_from(&rows[at]);
        assert_eq!(rows, expected, "{text}");
    }
}

#[test]
fn for_a_file_there_is_no_escape_sequence_no_bar_and_all_columns() {
    let text = Table(&machine(8), Look::default()).to_string();
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
    assert!(
        text.contains(" cpu   apic place      sipi  real  long alive online sipis polls outcome\n")
    );
    let sentence = text.lines().last().expect("who failed is explained");
    assert!(
        sentence.len() > 80 && sentence.starts_with("CPU 3 (APIC 6): "),
        "{text}"
    );
}

fn any_time() -> impl Strategy<Value = Option<u64>> {
    option::of(prop_oneof![0..1_000_000_000_u64, 0..=u64::MAX])
}

/// A CPU, or many in a row that ended alike.
fn any_cpus() -> impl Strategy<Value = Vec<Cpu>> {
    let count = prop_oneof![4 => Just(1_usize), 1 => 2..=60_usize];
    (any_cpu(), count).prop_map(|(cpu, count)| vec![cpu; count])
}

prop_compose! {
    fn any_cpu()(
        (number, apic_id, outcome) in (option::of(0..=u32::MAX), 0..=u32::MAX, 0..OUTCOMES.len()),
        place in option::of((0..=u32::MAX, 0..300_u32, 0..=1_u32)),
        times in [any_time(), any_time(), any_time(), any_time(), any_time(), any_time()],
        (sipis, polls) in (0..5_u32, 0..=u32::MAX),
        uncertainty_ns in any_time(),
        (step, reason) in (option::of("[a-z]{1,90}"), option::of("[a-z ,]{0,200}")),
    ) -> Cpu {
        let [init_ns, sipi_ns, real_ns, long_ns, alive_ns, online_ns] = times;
        Cpu {
            package: place.map(|it| it.0),
            core: place.map(|it| it.1),
            thread: place.map(|it| it.2),
            step,
            reason,
            sipis,
            init_ns,
            sipi_ns,
            real_ns,
            long_ns,
            alive_ns,
            online_ns,
            polls,
            uncertainty_ns,
            ..Cpu::unwoken(number.map(CpuIndex), ApicId(apic_id), OUTCOMES[outcome])
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_records_no_line_is_wider_than_the_terminal(
        cpus in prop::collection::vec(any_cpus(), 0..40).prop_map(|it| it.concat()),
        columns in 40..=500_u16,
        bars in prop_oneof![Just(Bars::Off), Just(Bars::Blocks), Just(Bars::Ascii)],
        is_coloured: bool,
        (aps, online, nanos) in (0..=u32::MAX, 0..=u32::MAX, any_time()),
    ) {
        let colour = if is_coloured { Colour::On } else { Colour::Off };
        let look = Look { bars, ..look(columns, colour) };
        let bringup = Bringup {
            aps,
            online,
            online_ns: nanos,
            ..bringup()
        };
        let text = format!("{}{}", Table(&cpus, look), Headline(&bringup, look));
        prop_assert!(is_coloured || text == plain(&text));
        for line in plain(&text).lines() {
            prop_assert!(line.width() <= columns.into(), "{}: {}", columns, line);
        }
    }

    #[test]
    fn in_fewer_columns_nothing_panics(
        cpus in prop::collection::vec(any_cpu(), 0..12),
        columns in 20..40_u16,
    ) {
        let text = Table(&cpus, look(columns, Colour::On)).to_string();
        prop_assert!(!text.is_empty());
    }
}

fn bringup() -> Bringup {
    Bringup {
        strategy: "parallel".into(),
        round: 0,
        aps: 0,
        online: 0,
        failed: 0,
        kick_ns: None,
        alive_ns: None,
        online_ns: None,
        total_ns: 1_000_000,
        polls: 0,
        spurious_polls: 0,
        doorbells: 0,
        uncertainty_ns: None,
        attempt: 0,
    }
}
