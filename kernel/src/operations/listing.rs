//! All rungs of the ladder, with the CPUs at each, as records.

#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};

use reveille_smp::{ladder::Ladder, record::State};

use super::resolve::Member;

/// The listing of this number, the highest rung first.
pub fn listing(number: u32, members: &[Member], ladder: &Ladder) -> Vec<State> {
    let rungs = ladder.rungs().rev();
    let states = rungs.map(|rung| {
        let step = ladder.step_below(rung);
        let here = members.iter().filter(|member| member.rung == rung);
        State {
            listing: number,
            rung: rung.0.into(),
            step: String::from(ladder.name(rung)),
            section: step.map(|step| String::from(step.section().name())),
            mode: step.map(|step| String::from(step.mode().name())),
            can_rest: ladder.can_rest(rung),
            cpus: here.map(|member| member.cpu).collect(),
        }
    });
    states.collect()
}

#[cfg(test)]
mod tests {
    use reveille_smp::{cpu::CpuIndex, ladder::Rung};

    use super::{super::ladder_for_tests::test_ladder, *};

    #[test]
    fn every_rung_is_listed_once_from_the_top_down_and_every_cpu_at_its_own() {
        let ladder = test_ladder();
        let member = |cpu, rung| Member {
            cpu: CpuIndex(cpu),
            rung,
            is_sibling: false,
        };
        let join = ladder.find("join").unwrap();
        let members = [
            member(1, ladder.top()),
            member(2, join),
            member(3, Rung::OFFLINE),
            member(4, ladder.top()),
        ];
        let states = listing(2, &members, &ladder);
        let seen: Vec<_> = states
            .iter()
            .map(|state| (state.rung, state.step.as_str(), state.cpus.len()))
            .collect();
        assert_eq!(
            seen,
            [
                (7, "inbox", 2),
                (6, "calls", 0),
                (5, "join", 1),
                (4, "interrupts", 0),
                (3, "tables", 0),
                (2, "kick", 0),
                (1, "stack", 0),
                (0, "offline", 1),
            ]
        );
        assert!(states.iter().all(|state| state.listing == 2));
        let rests: Vec<_> = states.iter().map(|state| state.can_rest).collect();
        assert_eq!(rests, [true, true, true, true, false, false, true, true]);
        let ends = [&states[2], &states[7]].map(|it| (it.section.as_deref(), it.mode.as_deref()));
        assert_eq!(ends, [(Some("online"), Some("serialised")), (None, None)]);
    }
}
