//! CPUs send each other tasks and await what these come to.
//!
//! The roll call of every boot does so too: a ring of tasks in which one is missing fails the run.

use reveille_tests::qemu::machine::Machine;

use crate::boot::comes_up_whole;

/// The CPUs on which the tasks of a relay ran.
fn relay(cpus: u32, append: &str) -> String {
    let machine = Machine::new(cpus).append("test=relay").append(append);
    let ended = comes_up_whole(&machine);
    let line = |line: &str| Some(line.strip_prefix("relay: ")?.trim_end().to_owned());
    ended.console.lines().find_map(line).expect("it came back")
}

#[test]
fn a_task_goes_from_the_bsp_over_all_aps_and_back_and_each_cpu_hears_of_the_rest() {
    assert_eq!(relay(4, ""), "CPU 0 > 1 > 2 > 3 > 0");
}

#[test]
fn the_bsp_sends_itself_tasks_also_where_it_is_alone() {
    assert_eq!(relay(1, ""), "CPU 0 > 0");
}

#[test]
fn cpus_that_went_down_and_came_back_take_tasks_again() {
    assert_eq!(relay(3, "bench=1"), "CPU 0 > 1 > 2 > 0");
}
