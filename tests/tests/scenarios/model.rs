//! A boot that is to take a published machine's times takes no less, in the order that the model asks for.
//!
//! How much longer it takes is the host's doing, and is measured (BENCHMARKS.md). Less than the
//! model's time is nobody's: so these bounds hold on a busy host too.

use std::time::Duration;

use reveille_kernel::model::{
    Model,
    figures::{Figures, On, Step, Who},
};
use reveille_smp::{record::Cpu, step::Section, strategy::Strategy};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Machine},
        smp::Smp,
    },
};

use crate::{
    boot::{boot, comes_up_whole},
    firmware::parked,
};

fn figures() -> &'static Figures {
    Model::Skylake112.figures()
}

fn machine(smp: &str, append: &str) -> Machine {
    let smp: Smp = smp.parse().expect("it is a shape");
    Machine::new(smp).append("model=skylake-112").append(append)
}

/// The APs of round 0.
fn aps(ended: &Ended) -> Vec<Cpu> {
    let mut cpus = ended.records.cpus().expect("all records are whole");
    cpus.retain(|cpu| cpu.sipi_ns.is_some());
    cpus
}

fn is_first_thread(cpu: &Cpu) -> bool {
    cpu.thread == Some(0)
}

/// Whether it is the one of its package whose clock is checked.
fn is_checked(cpu: &Cpu) -> bool {
    cpu.package > Some(0) && cpu.core == Some(0) && is_first_thread(cpu)
}

/// What steps take of somebody's time for an AP.
fn taken<'a>(steps: impl IntoIterator<Item = &'a Step>, on: On, cpu: &Cpu) -> Duration {
    let pieces = steps.into_iter().flat_map(|step| step.up);
    let of_cpu = pieces.filter(|piece| match piece.who {
        Who::Every => true,
        Who::FirstThreads => is_first_thread(cpu),
        Who::OtherThreads => !is_first_thread(cpu),
        Who::FirstOfPackage => is_checked(cpu),
    });
    of_cpu
        .filter(|piece| piece.on == on)
        .map(|piece| piece.time)
        .sum()
}

/// What an AP takes at the least, from its SIPI on.
fn from_sipi_on(cpu: &Cpu) -> Duration {
    let answer = match is_first_thread(cpu) {
        true => figures().first_threads_answer,
        false => figures().other_threads_answer.from(),
    };
    let steps = || figures().steps;
    answer + taken(steps(), On::Ap, cpu) + taken(steps(), On::Pair, cpu)
}

/// What the BSP takes for an AP until its SIPI has been sent.
fn until_sipi(cpu: &Cpu) -> Duration {
    taken(figures().steps, On::Bsp, cpu) + figures().init + figures().sipi
}

fn ns(time: Option<u64>) -> Duration {
    Duration::from_nanos(time.expect("all came up"))
}

/// Checks every AP of round 0, which came up in parallel.
fn takes_the_models_time(ended: &Ended) {
    let aps = aps(ended);
    let boot = ended.records.boot().expect("a boot record");
    assert_eq!(boot.model.as_deref(), Some("skylake-112"));
    assert!(
        ended
            .console
            .contains("model: skylake-112, 2 x Skylake-SP,")
    );
    for cpu in &aps {
        let (sipi, alive, online) = (ns(cpu.sipi_ns), ns(cpu.alive_ns), ns(cpu.online_ns));
        assert!(online - sipi >= from_sipi_on(cpu), "{cpu:?}");
        let starting = |step: &&Step| step.section == Section::Starting;
        let starting = figures().steps.iter().filter(starting);
        let answered = figures().other_threads_answer.from();
        assert!(
            alive - sipi >= answered + taken(starting, On::Ap, cpu),
            "{cpu:?}"
        );
        // The BSP's are of CPU 0, which is up.
        let is_primary =
            |it: &&Cpu| is_first_thread(it) && (it.package, it.core) == (cpu.package, cpu.core);
        let primary = aps.iter().find(is_primary);
        if let Some(primary) = primary.filter(|_| !is_first_thread(cpu)) {
            assert!(sipi >= ns(primary.alive_ns), "{cpu:?} before {primary:?}");
        }
    }
    // The kicks, whoever is kicked: the first INIT is where times begin, and the last SIPI is yet to be over.
    let bsp: Duration = aps.iter().skip(1).map(until_sipi).sum();
    let kicks = ended.records.bringup().expect("round 0").kick_ns;
    assert!(ns(kicks) + figures().sipi >= bsp, "{kicks:?}, {bsp:?}");
}

/// How long a strategy's only measured round took.
fn round(ended: &Ended, strategy: Strategy) -> Duration {
    let rounds = ended.records.bringups().expect("all records are whole");
    let name = strategy.to_string();
    let round = rounds
        .iter()
        .find(|it| it.round == 1 && it.strategy == name);
    ns(round
        .unwrap_or_else(|| panic!("a round of {strategy}"))
        .online_ns)
}

/// Checks what strategies take at the least that do one thing after the other, in a boot with a round of each.
fn strategies_take_their_sums(ended: &Ended) {
    let aps = aps(ended);
    let last = aps.last().expect("there are APs");
    // Its INIT is the first time that is told: what was prepared for it lies before.
    let unseen = until_sipi(last);
    let each: Duration = aps
        .iter()
        .map(|cpu| until_sipi(cpu) + from_sipi_on(cpu))
        .sum();
    assert!(round(ended, Strategy::Serial) >= each - unseen);
    let online = |cpu: &Cpu| {
        let online = |step: &&Step| step.section == Section::Online;
        let steps = || figures().steps.iter().filter(online);
        taken(steps(), On::Ap, cpu) + taken(steps(), On::Pair, cpu)
    };
    let [first, second] = [true, false].map(|first| {
        let wave: Vec<_> = aps
            .iter()
            .filter(|cpu| is_first_thread(cpu) == first)
            .collect();
        // The last of a wave that is kicked may be online last too, and the others are so before it.
        let kicks: Duration = wave.iter().map(|cpu| until_sipi(cpu)).sum();
        let online: Duration = wave.iter().map(|cpu| online(cpu)).sum();
        kicks + online
    });
    assert!(round(ended, Strategy::TwoPass) >= first + second - unseen);
    let bsp: Duration = aps.iter().map(until_sipi).sum();
    assert!(round(ended, Strategy::Parallel) >= bsp - unseen);
}

const ROUNDS: &str = "bench=1 strategies=serial,two-pass,parallel";

#[test]
fn in_virtual_time_siblings_come_behind_microcode_and_every_strategy_takes_its_time() {
    let machine = machine("8,sockets=2,cores=2,threads=2", ROUNDS).accel(Accel::Icount);
    let ended = comes_up_whole(&machine);
    takes_the_models_time(&ended);
    strategies_take_their_sums(&ended);
    let [serial, two_pass, parallel] =
        [Strategy::Serial, Strategy::TwoPass, Strategy::Parallel].map(|it| round(&ended, it));
    println!("serial {serial:?}, two-pass {two_pass:?}, parallel {parallel:?}");
    assert!(serial > two_pass && two_pass > parallel);
    assert!(
        ended
            .console
            .contains("this machine has 8 CPUs and another shape")
    );
    assert!(ended.console.contains("no yardsticks"));
}

#[test]
fn in_virtual_time_a_modelled_boot_repeats_to_the_byte_and_another_seed_is_another_boot() {
    let records = |seed: &str| {
        let machine = machine("4,sockets=1,cores=2,threads=2", seed).accel(Accel::Icount);
        comes_up_whole(&machine).records
    };
    let first = records("seed=5");
    assert_eq!(first, records("seed=5"));
    assert_ne!(first, records("seed=6"));
}

#[test]
fn where_cpus_are_woken_by_mailbox_a_model_of_init_and_sipi_is_refused() {
    let ended = boot(&parked(4).append("madt=module model=skylake-112"));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(reason.contains("woken by INIT and SIPI"), "{reason}");
    assert!(reason.contains("wake=init-sipi"), "{reason}");
}

#[test]
fn where_nothing_that_was_asked_for_can_be_measured_that_is_an_error() {
    let asked = "bench=1 strategies=bare,floor";
    let by_mailbox = parked(4).append("madt=module").append(asked);
    let missing = Machine::new(4)
        .append(asked)
        .append("fault=2:silent attempts=1 require=any");
    for (machine, why) in [
        (
            machine("4", asked),
            "bare and floor do nothing of the model's",
        ),
        (by_mailbox, "bare and floor need INIT and SIPI"),
        (missing, "bare and floor count on all APs"),
    ] {
        let ended = boot(&machine);
        let Outcome::Failed(reason) = &ended.outcome else {
            panic!("it ended as {:?}", ended.outcome);
        };
        assert!(reason.contains(why), "{reason}");
    }
}

/// The machine itself, on a host that has not as many processors.
pub(crate) fn whole_machine() {
    let ended = comes_up_whole(&machine("112,sockets=2,cores=28,threads=2", ROUNDS));
    takes_the_models_time(&ended);
    strategies_take_their_sums(&ended);
    assert!(!ended.console.contains("another shape"));
}
