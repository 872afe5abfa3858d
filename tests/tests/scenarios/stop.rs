//! The machine is stopped from any CPU, and whoever does not come to it has a name.

use reveille_smp::{
    cpu::CpuIndex,
    record::{Stop, StopTimes},
};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::boot::{boot, comes_up_whole};

fn record(ended: &Ended) -> Stop {
    ended.records.stop().expect("the stops are told")
}

#[test]
fn while_one_cpu_runs_what_it_stopped_the_others_for_none_of_them_runs() {
    // No virtual time: the CPUs are to be busy on several threads.
    for machine in [Machine::new(4), Machine::new(4).cpu("max,-x2apic")] {
        let ended = comes_up_whole(&machine.append("stop=40"));
        let stop = record(&ended);
        assert_eq!((stop.asked, stop.done, stop.failed), (40, 40, 0));
        assert_eq!((stop.cpus, stop.reason, stop.missing), (4, None, vec![]));
        let samples = |times: Option<StopTimes>| times.map_or(0, |times| times.samples);
        assert_eq!(samples(stop.one) + samples(stop.all), 40);
    }
}

#[test]
fn two_cpus_that_stop_all_others_at_once_come_to_each_other() {
    let machine = Machine::new(3)
        .accel(Accel::Icount)
        .append("stop=60 seed=1");
    let stop = record(&comes_up_whole(&machine));
    assert!(stop.together > 0, "{stop:?}");
    assert_eq!((stop.done, stop.failed), (60, 0));
}

#[test]
fn the_boot_processor_alone_stops_a_machine_of_one_cpu() {
    let stop = record(&comes_up_whole(&Machine::new(1).append("stop=4")));
    assert_eq!((stop.cpus, stop.done), (1, 4));
}

#[test]
fn a_cpu_that_does_not_come_is_named_and_the_machine_goes_on() {
    // By these seeds CPU 3 is called first by another, and calls itself.
    for seed in [1, 11] {
        cpu_3_is_named_once(seed);
    }
}

fn cpu_3_is_named_once(seed: u32) {
    let machine = Machine::new(4).append(&format!("stop=8 seed={seed} test=late-stop"));
    let ended = boot(&machine);
    let Outcome::Failed(words) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    let reason = "the machine was not stopped: CPU 3 did not come to the rendezvous";
    assert!(words.ends_with(reason), "{words}");
    let stop = record(&ended);
    assert_eq!((stop.done, stop.failed), (7, 1));
    assert_eq!(stop.missing, [CpuIndex(3)]);
}

#[test]
fn a_cpu_that_hangs_while_all_run_something_is_named_and_ends_the_run() {
    let ended = boot(&Machine::new(4).append("test=hang-in-stop"));
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    assert!(
        line.contains("stop_machine: CPU 3 was not done in time"),
        "{line}"
    );
}
