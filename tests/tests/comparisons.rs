//! What `cargo xtask bench --compare` says of real boots, many times: of one kernel twice, and of one of which every
//! bring-up takes a tenth longer. `cargo xtask test --full` runs it, behind all else, as it measures.
//!
//! Sets are measured one behind the other, as a person or a CI job would: one of the kernel as it is, one of the
//! kernel that is slower, and one as it is again. What is said of each pair of them is counted. Then all boots of
//! the kernel as it is are shuffled and dealt into two sets, twenty times, and these are compared with each other and
//! with the slower one: that many tries of the judgement, in minutes rather than hours.
//!
//! `COMPARISONS=5` deals five times; nothing is asserted of fewer than twenty but what is wrong in any of them.

use std::{env, time::Duration};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use reveille_smp::contender::Contenders;
use reveille_tests::{
    bench::{
        boots::{boot, run_of},
        cell::Machine,
        plan::Plan,
        provenance::Provenance,
        report::Verdicts,
        results::{Header, Results, Run},
        stats::{compare::Comparison, judge::Verdict, measure::By},
    },
    interrupt::Interrupts,
    kernel::Kernel,
};

/// Boots of a set, and rounds of each of them: enough for three cells on a host with a load of 13 on two cores. Boots of
/// a quiet one differ by what chance does in a round, so that more of either help alike, and twenty do.
const BOOTS: u32 = 30;
const ROUNDS: u32 = 100;

/// Of four, boots differ by three times as much: which of the host's processors they are on is most of it.
const CPUS: u32 = 8;

/// With `legacy`, whose delays keep the other rounds apart from each other: without it, what a busy host does lasts
/// for a whole boot, and boots differ by 10 % where they differ by 3 % with it. Without `serial`: what its APs work
/// overlaps with the boot processor's way to sleep, so that it takes 8 % longer and not 10.
const CONTENDERS: &str = "parallel,two-pass,legacy,bare";

const LIMIT: Duration = Duration::from_secs(120);

#[test]
#[ignore = "it takes some fifteen minutes: `cargo xtask test --full` runs it"]
fn one_kernel_twice_shows_no_difference_and_a_tenth_more_is_slower_in_19_of_20() {
    let tries = env::var("COMPARISONS").map_or(20, |tries| tries.parse().expect("it is a number"));
    let lab = Lab::new();
    let same = Machine::new(CPUS);
    let slower = Machine {
        words: "test=slower".to_owned(),
        ..same.clone()
    };
    let before = lab.set(&same);
    let slowers = [lab.set(&slower)];
    let sames = [before, lab.set(&same)];
    let mut apart = Count::default();
    apart.same(&sames[0], &sames[1]);
    for same in &sames {
        apart.slower(same, &slowers[0]);
    }
    println!("sets apart: {apart:?} of 1 and 2");

    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut dealt = Count::default();
    for _ in 0..tries {
        let sames = dealt_anew(&sames, &mut rng);
        dealt.same(&sames[0], &sames[1]);
        dealt.slower(&sames[0], &slowers[0]);
    }
    println!("dealt anew: {dealt:?} of {tries}");
    assert_eq!(apart.soothed + dealt.soothed, 0, "{apart:?}, {dealt:?}");
    // All verdicts of a comparison together are 99 % sure, whatever the host did between its two sets.
    assert_eq!(apart.alarmed, 0, "{apart:?}");
    if tries >= 20 {
        let most_wrong = tries / 20;
        assert!(dealt.no_difference + most_wrong >= tries, "{dealt:?}");
        assert!(dealt.slower + most_wrong >= tries, "{dealt:?}");
    }
}

/// What is there to measure with.
struct Lab {
    kernel: Kernel,
    interrupts: Interrupts,
    contenders: Contenders,
    header: Header,
}

impl Lab {
    fn new() -> Self {
        let kernel = Kernel::ready().expect("the kernel builds");
        let contenders = CONTENDERS.parse().expect("they are known");
        let plan = Plan {
            machines: vec![Machine::new(CPUS)],
            contenders,
            runs: BOOTS,
            rounds: ROUNDS,
        };
        let provenance = Provenance::here(&kernel).expect("the host tells of itself");
        Self {
            header: provenance.header(&plan, None),
            interrupts: Interrupts::listen().expect("signals can be heard"),
            kernel,
            contenders,
        }
    }

    fn set(&self, machine: &Machine) -> Results {
        let mut results = Results::new(self.header.clone());
        let qemu = machine.qemu_for(ROUNDS, self.contenders);
        for number in 1..=BOOTS {
            let booted = boot(&self.kernel, &qemu, LIMIT, &self.interrupts).expect("QEMU starts");
            let run = run_of(machine, number, self.contenders, ROUNDS, &booted);
            assert!(run.is_ok(), "{:?}", run.outcome);
            results.add(run);
        }
        results
    }
}

/// Sets of the same sizes, of the same boots in another order.
fn dealt_anew(sets: &[Results], rng: &mut ChaCha8Rng) -> Vec<Results> {
    let mut runs: Vec<Run> = sets.iter().flat_map(|set| set.runs.clone()).collect();
    for last in (1..runs.len()).rev() {
        runs.swap(last, rng.next_u64() as usize % (last + 1));
    }
    let dealt = runs.chunks(BOOTS as usize).map(|runs| {
        let mut set = Results::new(sets[0].header.clone());
        for (number, run) in (1..).zip(runs) {
            set.add(Run {
                run: number,
                ..run.clone()
            });
        }
        set
    });
    dealt.collect()
}

/// What was said.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Of one kernel twice: no difference, in every cell.
    no_difference: u32,
    /// Of one kernel twice: slower, or faster, in any cell.
    alarmed: u32,
    /// Of a tenth more: slower, in every cell.
    slower: u32,
    /// Of a tenth more: no difference, or faster, in any cell. That must never be.
    soothed: u32,
}

impl Count {
    fn same(&mut self, old: &Results, new: &Results) {
        let same = Comparison::between(old, new, By::Bare);
        let is_right = all(&same, |it| matches!(it, Verdict::NoDifference(_)));
        self.no_difference += u32::from(is_right);
        let is_calm = |it| matches!(it, Verdict::NoDifference(_) | Verdict::CannotTell { .. });
        self.alarmed += u32::from(!all(&same, is_calm));
        show_if(!is_right, &same);
    }

    fn slower(&mut self, old: &Results, new: &Results) {
        let more = Comparison::between(old, new, By::Bare);
        let is_right = all(&more, |it| matches!(it, Verdict::Slower(_)));
        self.slower += u32::from(is_right);
        show_if(!is_right, &more);
        let is_open = |it| matches!(it, Verdict::Slower(_) | Verdict::CannotTell { .. });
        self.soothed += u32::from(!all(&more, is_open));
    }
}

fn all(comparison: &Comparison, is_right: impl Fn(Verdict) -> bool) -> bool {
    let mut verdicts = comparison
        .cells()
        .map(|cell| cell.judgement.map(|it| it.verdict));
    verdicts.all(|verdict| verdict.is_ok_and(&is_right))
}

fn show_if(is_to_be_shown: bool, comparison: &Comparison) {
    if is_to_be_shown {
        println!("{}", Verdicts(comparison));
    }
}
