//! What the live view shows, on terminals of all sizes.

use core::time::Duration;

use proptest::prelude::*;
use reveille_smp::{plan::Skip, state::Stage};

use super::*;
use crate::shell::figures::{CpuState, for_tests::*};

fn size(rows: usize, columns: usize) -> Size {
    Size { rows, columns }
}

/// The same CPUs a second later: each has polled a hundred times and slept for three quarters of it.
fn a_second_later(before: &Moment) -> Moment {
    let mut after = before.clone();
    after.at = before.at + Duration::from_secs(1);
    for it in after.cpus.iter_mut().filter(|it| it.state.is_online()) {
        it.counts.executor.polls += 100;
        it.counts.executor.wakes += 90;
        it.counts.executor.doorbells_sent += 30;
        it.counts.executor.doorbells_saved += 60;
        it.counts.calls.run += 5;
        it.counts.calls.interrupts += 2;
        it.time.online += Duration::from_secs(1);
        it.time.asleep += Duration::from_millis(750);
    }
    after
}

fn lines(view: View<'_>, size: Size) -> Vec<String> {
    view.screen(size).lines().map(String::from).collect()
}

#[test]
fn a_screen_shows_totals_and_a_line_for_each_cpu_that_is_there() {
    let mut before = moment(0..4);
    before.cpus[2].state = CpuState::Slot {
        stage: Stage::Parked,
        rung: "executor",
        failure: None,
    };
    before.cpus[3].state = CpuState::Skipped(Skip::NotNamed);
    let now = a_second_later(&before);
    let jobs = ["[1] torture 60".to_string(), "[2] bench".to_string()];
    let view = View {
        before: Some(&before),
        now: &now,
        jobs: &jobs,
        first: 0,
    };
    let expected = [
        "up 0:00:13, 2 CPUs online, 1 away, 1 not there",
        "idle 75.0 %, 200 polls/s, 180 wakes/s, 10 calls/s, 64 IPIs/s, 120 saved/s",
        "heap 512 KiB of 15 MiB, [1] torture 60, [2] bench, frames 5000 of 65000",
        " cpu  apic state         for idle% polls/s wakes/s calls/s  IPIs/s             ",
        "   0     0 online     11.0 s  75.0     100      90       5      32 [|||       ]",
        "   1     2 online     11.0 s  75.0     100      90       5      32 [|||       ]",
        "   2     4 executor   11.0 s     -       0       0       0       0",
        "",
        "",
        "q quits",
    ];
    assert_eq!(lines(view, size(10, 80)), expected);
    let narrow = lines(view, size(8, 40));
    let memory = lines(view, size(10, 40)).swap_remove(2);
    assert_eq!(memory, "heap 512 KiB of 15 MiB, [1] torture 6..");
    let expected = [
        "up 0:00:13, 2 CPUs online, 1 away",
        "idle 75.0 %, 200 polls/s, 180 wakes/s",
        " cpu state      idle% polls/s wakes/s  ",
        "   0 online      75.0     100      90",
        "   1 online      75.0     100      90",
        "   2 executor       -       0       0",
        "",
        "q quits",
    ];
    assert_eq!(narrow, expected);
}

#[test]
fn of_many_cpus_a_part_is_shown_and_the_last_line_says_which() {
    let now = moment(0..64);
    let view = |first| View {
        before: None,
        now: &now,
        jobs: &[],
        first,
    };
    let screen = lines(view(10), size(24, 80));
    assert_eq!(screen[4].split_whitespace().next(), Some("10"));
    assert_eq!(
        screen[23],
        "lines 11-29 of 64, q quits, arrows, PgUp, PgDn, Home, End scroll"
    );
    assert_eq!(
        screen[1],
        "idle - %, - polls/s, - wakes/s, - calls/s, - IPIs/s, - saved/s"
    );
    let beyond = lines(view(1_000), size(24, 80));
    assert_eq!(beyond[22].split_whitespace().next(), Some("63"));
}

#[test]
fn a_small_terminal_keeps_its_cpus_and_loses_what_tells_least() {
    let now = moment(0..3);
    let view = View {
        before: None,
        now: &now,
        jobs: &[],
        first: 0,
    };
    assert_eq!(lines(view, size(1, 40)).len(), 1);
    assert!(lines(view, size(1, 40))[0].starts_with("   0 online"));
    let three = lines(view, size(3, 40));
    assert!(three[0].starts_with(" cpu state"), "{three:?}");
    assert_eq!(rows_for_cpus(size(24, 80)), 19);
    assert_eq!(rows_for_cpus(size(8, 40)), 4);
}

prop_compose! {
    /// Some CPUs, each with whatever it may show, and the same a while later.
    fn any_moments()(
        cpus in 1_u32..=512,
        states in prop::collection::vec(0_u8..8, 512),
        counts in prop::collection::vec(any::<[u32; 4]>(), 512),
        nanos in 0_u64..10_000_000_000,
    ) -> (Moment, Moment) {
        let before = moment(0..cpus);
        let mut after = before.clone();
        after.at = before.at + Duration::from_nanos(nanos);
        for (at, it) in after.cpus.iter_mut().enumerate().skip(1) {
            if let Some(state) = state(states[at]) {
                it.state = state;
            }
            let [polls, wakes, calls, asleep] = counts[at];
            it.counts.executor.polls += u64::from(polls);
            it.counts.executor.wakes += u64::from(wakes) << 32;
            it.counts.calls.run += u64::from(calls);
            it.time.online += Duration::from_nanos(nanos);
            it.time.asleep += Duration::from_nanos(u64::from(asleep));
        }
        (before, after)
    }
}

/// As it is, or another.
fn state(number: u8) -> Option<CpuState> {
    let stages = [
        Stage::Parked,
        Stage::Moving,
        Stage::GivenUp,
        Stage::Abandoned,
        Stage::NotPresent,
    ];
    let stage = *stages.get(usize::from(number))?;
    Some(CpuState::Slot {
        stage,
        rung: "interrupts",
        failure: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_screen_fits_its_terminal_and_shows_the_cpus_in_order(
        (before, now) in any_moments(),
        rows in 8_usize..=60,
        columns in 40_usize..=200,
        first in 0_usize..600,
        jobs in prop::collection::vec("[ -~]{0,40}", 0..4),
    ) {
        let view = View { before: Some(&before), now: &now, jobs: &jobs, first };
        let screen = lines(view, size(rows, columns));
        prop_assert_eq!(screen.len(), rows);
        prop_assert!(screen.iter().all(|line| line.len() < columns), "{:#?}", screen);

        let heads = screen.iter().position(|line| line.starts_with(" cpu")).unwrap();
        let shown: Vec<u32> = screen[heads + 1..rows - 1]
            .iter()
            .map_while(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        let there: Vec<u32> = now.present().filter_map(|it| Some(it.cpu?.0)).collect();
        let room = rows_for_cpus(size(rows, columns));
        prop_assert_eq!(shown.len(), room.min(there.len()));
        let start = first.min(there.len() - shown.len());
        prop_assert_eq!(&shown[..], &there[start..start + shown.len()]);
        // A figure below each head of a column, or a dash: no line is cut.
        let line = &screen[heads + 1];
        let last = screen[heads].trim_end().len();
        prop_assert!(line.len() >= last, "{:#?}", screen);
    }
}
