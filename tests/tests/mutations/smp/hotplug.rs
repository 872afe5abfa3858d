//! The guards of CPUs that are added and removed while others run.

use crate::Mutation;

const COMES_LATE: &str = "a_cpu_that_is_taken_out_as_it_comes_late_leaves_a_slot_that_nobody_uses";
const THE_NEXT: &str = "a_cpu_that_comes_in_the_place_of_another_sees_what_that_one_left";

const EJECTED: &str = "fake::removal::a_cpu_is_ejected_once_it_has_disappeared_from_its_slot";
const APPEARS: &str =
    "fake::removal::a_cpu_that_appears_while_others_are_driven_disappears_before_it_is_ejected";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        guard: "a CPU that comes late as it is taken out is taken out all the same",
        file: "state.rs",
        from: "                Err(Refused(changed)) => now = changed,
                gone => return gone,",
        to: "                gone => return gone,",
        noticed_by: COMES_LATE,
    },
    Mutation {
        guard: "only a CPU that is down is taken out",
        file: "state.rs",
        from: "            if !now.stage().is_down() {
                return Err(Refused(now));
            }
            match self.exchange(now, now.at(Stage::NotPresent)) {",
        to: "            match self.exchange(now, now.at(Stage::NotPresent)) {",
        noticed_by: COMES_LATE,
    },
    Mutation {
        guard: "a CPU that has parked releases what it wrote to the next one in its place",
        file: "state.rs",
        from: "to.0, Ordering::AcqRel, Ordering::Acquire",
        to: "to.0, Ordering::Acquire, Ordering::Acquire",
        noticed_by: THE_NEXT,
    },
    Mutation {
        guard: "a CPU is in no slot any more when it is ejected",
        file: "hotplug/removal.rs",
        from: "    vacate(seat)?;
    depart();
    controller.eject(bay);",
        to: "    controller.eject(bay);
    vacate(seat)?;
    depart();",
        noticed_by: EJECTED,
    },
    Mutation {
        guard: "a CPU that is added as it is to be taken out is taken out of its slot",
        file: "hotplug/removal.rs",
        from: "if stage == Stage::NotPresent {",
        to: "if matches!(stage, Stage::NotPresent | Stage::Ready) {",
        noticed_by: APPEARS,
    },
];
