//! CPUs that are added and removed many times: whatever one leaves behind adds up.

use reveille_tests::{
    outcome::Outcome,
    qemu::{machine::Machine, smp::Smp},
};

use super::session::Session;
use crate::boot::LIMIT;

/// How often one is added and removed, behind the first times, which prepare what stays.
const TIMES: usize = 30;

/// The KiB of heap and the frames that are in use.
fn in_use(session: &mut Session) -> (u64, u64) {
    session.types(b"metrics\r");
    session.sees("heap ");
    let shown = session.sees("\n");
    println!("{shown}");
    let number = |text: &str| text.split(' ').next().and_then(|it| it.parse().ok());
    let frames = shown.split("frames ").nth(1).and_then(number);
    number(&shown).zip(frames).expect("both are shown")
}

#[test]
fn cpus_that_come_and_go_leave_no_memory_in_use() {
    let smp: Smp = "2,maxcpus=64".parse().expect("it is good");
    let mut session = Session::start(Machine::new(smp));
    let mut told = 0;
    let mut is_told = |session: &mut Session| {
        told += 1;
        let reports = session.guest.wait_for_records(LIMIT, |records| {
            let hotplugs = records.hotplugs().expect("all records are whole");
            (hotplugs.len() == told).then_some(())
        });
        reports.expect("the kernel notices");
    };
    let mut come_and_go = |session: &mut Session| {
        session.guest.plug(2, "cpu2").expect("it is free");
        is_told(session);
        session.guest.ask_back(2).expect("QEMU asks the guest");
        is_told(session);
        session.sees("removed in");
    };
    (0..2).for_each(|_| come_and_go(&mut session));
    let before = in_use(&mut session);
    (0..TIMES).for_each(|_| come_and_go(&mut session));
    let after = in_use(&mut session);
    assert_eq!(after.1, before.1, "frames");
    // What is shown is rounded.
    assert!(
        after.0.abs_diff(before.0) <= 1,
        "{before:?}, then {after:?}"
    );
    assert_eq!(session.exits().outcome, Outcome::Ok);
}
