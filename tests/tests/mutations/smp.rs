//! The guards of the bring-up and of what CPUs share while they run, a list a subject.

mod bringup;
mod calls;
mod changes;
mod clocks;
mod hotplug;
mod inbox;
mod ladder;
mod probe;
mod rendezvous;
mod slot;
mod trace;
mod turn;

use crate::Subject;

pub(crate) const SUBJECT: Subject = Subject {
    folders: &["smp"],
    package: "reveille-smp",
    loom: &["--lib"],
    rustflags: "--cfg loom",
    module: "loom_slot::",
    mutations: &[
        trace::MUTATIONS,
        clocks::MUTATIONS,
        slot::MUTATIONS,
        turn::MUTATIONS,
        bringup::MUTATIONS,
        ladder::MUTATIONS,
        hotplug::MUTATIONS,
        inbox::MUTATIONS,
        calls::MUTATIONS,
        changes::MUTATIONS,
        rendezvous::MUTATIONS,
        probe::MUTATIONS,
    ],
};
