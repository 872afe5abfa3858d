//! No CPU uses a mapping that was taken away or led elsewhere.

use reveille_tests::{
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::boot::{boot, comes_up_whole};

#[test]
fn all_cpus_read_what_is_there_now_and_so_does_one_that_took_no_calls_as_it_changed() {
    for machine in [
        Machine::new(4),
        Machine::new(4).cpu("max,-x2apic"),
        Machine::new(1),
    ] {
        comes_up_whole(&machine.append("test=tlb"));
    }
}

#[test]
fn cpus_that_keep_their_translations_are_found_out() {
    let machine = Machine::new(4).accel(Accel::Icount);
    let ended = boot(&machine.append("test=no-flush"));
    let Outcome::Failed(words) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    assert_eq!(
        words,
        "CPU 1 reads 1 and 1 where 2 is: it has kept a translation"
    );
}

#[test]
fn registers_that_were_for_the_boot_alone_are_gone_for_every_cpu() {
    let ended = boot(&Machine::new(2).append("test=touch-hpet"));
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    let fault = "#PF page fault, supervisor read from 0x00000000fed000f0, page not present";
    assert!(line.contains("CPU 1") && line.contains(fault), "{line}");
}
