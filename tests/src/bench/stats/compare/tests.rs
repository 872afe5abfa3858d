//! Sets by hand, compared.

use super::*;
use crate::{
    bench::{
        report::by_hand,
        results::{Header, Outcome, Results},
    },
    qemu::machine::Accel,
};

/// Boots of which `parallel` takes so many hundredths of `bare`, and the host is busy in the first ones.
fn set(machine: &Machine, boots: u32, hundredths: u64, busy: u32) -> Results {
    let boot = |number: u32| {
        // A busy host slows `bare` more.
        let is_busy = number <= busy;
        let bare = 500_000 + u64::from(number) * 1_000 + if is_busy { 300_000 } else { 0 };
        let parallel = (500_000 + u64::from(number) * 1_003) * hundredths / 100;
        let mut run = by_hand::run(
            machine,
            number,
            &[("bare", &[bare]), ("parallel", &[parallel])],
        );
        run.load.busy = is_busy;
        run
    };
    by_hand::results((1..=boots).map(boot).collect())
}

fn only(comparison: &Comparison) -> &Cell {
    let cells: Vec<_> = comparison.cells().collect();
    assert_eq!(cells.len(), 1, "{comparison:?}");
    cells[0]
}

#[test]
fn on_a_host_that_was_busy_now_and_then_the_quiet_boots_are_compared() {
    let machine = Machine::new(8);
    let (old, new) = (set(&machine, 16, 150, 8), set(&machine, 10, 150, 1));
    let comparison = Comparison::between(&old, &new, By::Bare);
    assert!(matches!(
        only(&comparison).judgement,
        Ok(Judgement {
            verdict: Verdict::NoDifference(_),
            ..
        })
    ));
    let pair = &comparison.pairs[0];
    assert_eq!((pair.old_boots.compared, pair.new_boots.compared), (8, 9));
    assert!(comparison.is_decided() && !comparison.is_worse());
}

#[test]
fn boots_on_a_busy_host_and_boots_on_a_quiet_one_are_never_called_different() {
    let machine = Machine::new(8);
    let (old, new) = (set(&machine, 10, 150, 0), set(&machine, 10, 150, 10));
    for (old, new) in [(&old, &new), (&new, &old)] {
        let comparison = Comparison::between(old, new, By::Bare);
        assert_eq!(
            only(&comparison).judgement,
            Err(Unjudged::Unlike),
            "{comparison:?}"
        );
        assert!(!comparison.is_decided() && !comparison.is_worse());
    }
}

#[test]
fn what_fails_now_is_worse_and_what_is_new_is_not() {
    let machine = Machine::new(8);
    let (old, mut new) = (set(&machine, 8, 150, 0), set(&machine, 8, 150, 0));
    for run in &mut new.runs {
        run.outcome = Outcome::Failed("it hung".to_owned());
    }
    let comparison = Comparison::between(&old, &new, By::Bare);
    assert_eq!(only(&comparison).judgement, Err(Unjudged::Lost));
    assert!(comparison.is_worse());
    let comparison = Comparison::between(&new, &old, By::Bare);
    assert_eq!(only(&comparison).judgement, Err(Unjudged::NotInOld));
    assert!(!comparison.is_worse());
}

#[test]
fn a_machine_that_is_not_measured_any_more_is_lost_as_a_strategy_is() {
    let machines = [Machine::new(8), Machine::new(16)];
    let [eight, sixteen] = [0, 1].map(|it| set(&machines[it], 8, 150, 0));
    let mut both = eight.clone();
    both.runs.extend(sixteen.runs);
    let comparison = Comparison::between(&both, &eight, By::Bare);
    assert_eq!(comparison.lost, ["q35 tcg 16"]);
    assert!(comparison.is_worse() && !comparison.is_decided());
    // What is new is not worse.
    let comparison = Comparison::between(&eight, &both, By::Bare);
    assert!(!comparison.is_worse() && comparison.lost.is_empty());
    // In one part of several, the others may have it.
    let mut part = eight.clone();
    part.header.shard = Some("1/2".parse().expect("it is one"));
    assert!(Comparison::between(&both, &part, By::Bare).is_worse());
    part.header.plan = machines.to_vec();
    let comparison = Comparison::between(&both, &part, By::Bare);
    assert!(!comparison.is_worse() && comparison.lost.is_empty());
    // Nothing is lost of a machine on which nothing was measured.
    for run in &mut both.runs[8..] {
        run.outcome = Outcome::Failed("it hung".to_owned());
    }
    assert!(!Comparison::between(&both, &eight, By::Bare).is_worse());
    // One strategy less.
    let mut less = eight.clone();
    for run in &mut less.runs {
        run.samples.remove("parallel");
    }
    assert!(Comparison::between(&eight, &less, By::Bare).is_worse());
}

#[test]
fn it_is_known_before_the_first_boot_how_many_it_takes_until_something_is_slower() {
    let machine = Machine::new(8);
    let mut header = set(&machine, 1, 150, 0).header;
    header.plan = vec![machine.clone(), Machine::new(1), Machine::new(64)];
    header.strategies = ["parallel", "bare"].map(str::to_owned).to_vec();
    let needed = |old: &Results, header: &Header, by| boots_needed(old, header, &[0, 1, 2], by);
    let old = set(&machine, 7, 150, 0);
    let fewest = needed(&old, &header, By::Bare).expect("one is not enough");
    // So it is: one cell, as `bare` is a yardstick and the other machines are not in the old results.
    let verdict = |boots: usize| {
        let new = set(&machine, boots as u32, 300, 0);
        let comparison = Comparison::between(&old, &new, By::Bare);
        comparison.is_worse()
    };
    assert!(verdict(fewest) && !verdict(fewest - 1), "{fewest}");
    assert!(needed(&old, &header, By::Time) > Some(fewest), "two cells");
    assert!(needed(&set(&machine, 3, 150, 0), &header, By::Bare) > Some(fewest));
    // Machines of another part are not compared, and nor is what is new.
    assert_eq!(boots_needed(&old, &header, &[2], By::Bare), None);
    let mut exact = machine.clone();
    exact.accel = Accel::Icount;
    header.plan[0] = exact.clone();
    assert_eq!(needed(&set(&exact, 1, 150, 0), &header, By::Bare), None);
}

#[test]
fn a_machine_with_other_words_is_compared_where_it_is_the_only_one() {
    let mut with = Machine::new(8);
    with.words = "consistency=off".to_owned();
    let (old, new) = (set(&Machine::new(8), 8, 150, 0), set(&with, 8, 150, 0));
    assert_eq!(Comparison::between(&old, &new, By::Bare).pairs.len(), 1);
    // With the same one there, that is meant.
    let mut both = new.runs.clone();
    both.extend(old.runs.clone());
    let both = by_hand::results(both);
    let comparison = Comparison::between(&old, &both, By::Bare);
    assert_eq!(comparison.pairs.len(), 1);
    assert_eq!(comparison.pairs[0].new.words, "");
    assert!(
        comparison
            .notes
            .iter()
            .any(|note| note.contains("consistency=off"))
    );
    // Which of two is meant is not known.
    let mut other = Machine::new(8);
    other.words = "trace=on".to_owned();
    let other = set(&other, 8, 150, 0);
    assert_eq!(Comparison::between(&other, &both, By::Bare).pairs.len(), 0);
    assert_eq!(Comparison::between(&both, &other, By::Bare).pairs.len(), 0);
}

#[test]
fn virtual_time_is_compared_exactly_and_must_repeat() {
    let mut machine = Machine::new(8);
    machine.accel = Accel::Icount;
    let of = |parallel: &[u64]| {
        let boot =
            |(number, time): (u32, &u64)| by_hand::run(&machine, number, &[("parallel", &[*time])]);
        by_hand::results((1..).zip(parallel).map(boot).collect())
    };
    let judged = |old: &[u64], new: &[u64]| {
        let comparison = Comparison::between(&of(old), &of(new), By::Bare);
        only(&comparison).judgement.map(|it| it.verdict)
    };
    use crate::bench::stats::judge::Confidence::Exact;
    assert_eq!(
        judged(&[500, 500], &[500]),
        Ok(Verdict::NoDifference(Exact))
    );
    assert_eq!(judged(&[500], &[501]), Ok(Verdict::Slower(Exact)));
    assert_eq!(judged(&[500, 501], &[500]), Err(Unjudged::DoesNotRepeat));
}

#[test]
fn what_is_below_the_kernel_is_seen_by_times_and_told_of_by_ratios() {
    let machine = Machine::new(8);
    let (old, mut new) = (set(&machine, 8, 150, 0), set(&machine, 8, 150, 0));
    new.header.qemu = "11.0.0".to_owned();
    for run in &mut new.runs {
        for samples in run.samples.values_mut() {
            samples.online_ns.iter_mut().for_each(|it| *it *= 2);
        }
    }
    let by_bare = Comparison::between(&old, &new, By::Bare);
    assert!(!by_bare.is_worse(), "{by_bare:?}");
    assert!(by_bare.notes.iter().any(|note| note.contains("--by time")));
    let by_time = Comparison::between(&old, &new, By::Time);
    let cells: Vec<_> = by_time.cells().map(|it| it.contender.as_str()).collect();
    assert_eq!(cells, ["parallel", "bare"]);
    assert!(by_time.is_worse(), "all takes twice as long: {by_time:?}");
    let both = Comparison::between(&old, &new, By::Both);
    let measures: Vec<_> = both.cells().map(|it| it.measure).collect();
    assert_eq!(measures, [Measure::OfBare, Measure::Time, Measure::Time]);
}

#[test]
fn times_of_sets_that_were_not_measured_in_turns_are_told_to_be_such() {
    let machine = Machine::new(8);
    let mut old = set(&machine, 8, 150, 0);
    let is_warned = |old: &Results, started: &str, by| {
        let mut new = old.clone();
        new.header.started = started.to_owned();
        let comparison = Comparison::between(old, &new, by);
        comparison
            .notes
            .iter()
            .any(|note| note.contains("not measured in turns"))
    };
    let warned = |started| is_warned(&old, started, By::Time);
    // Eight boots of a second each, from 02:00:00 on.
    assert!(!warned("2026-11-29T02:00:01Z") && !warned("2026-11-29T01:59:53Z"));
    assert!(warned("2026-11-29T02:00:08Z") && warned("2026-11-29T01:59:52Z"));
    // Ratios go with the host. Fixed delays do not, and are compared by time in any case.
    assert!(!is_warned(&old, "2026-11-29T02:00:08Z", By::Bare));
    for run in &mut old.runs {
        let legacy = run.samples["parallel"].clone();
        run.samples.insert("legacy".to_owned(), legacy);
    }
    assert!(is_warned(&old, "2026-11-29T02:00:08Z", By::Bare));
}
