//! The steps that tests add to the ladder by `test=`, each test its own: all that are asked for.
//!
//! Two of one name, such as both kinds of waits, make no ladder, and that is told.

use reveille_smp::step::{Mode, Step};

use super::{
    needless_poll::NeedlessPoll,
    slower::{SetOut, Slower},
    wait::Wait,
};
use crate::command_line::TestHook;

/// The steps that these tests add.
pub(super) fn asked_for(tests: &[TestHook]) -> impl Iterator<Item = &'static dyn Step> {
    tests.iter().flat_map(|&test| of(test)).copied()
}

fn of(test: TestHook) -> &'static [&'static dyn Step] {
    match test {
        TestHook::WaitSerialised => &[&Wait(Mode::Serialised)],
        TestHook::WaitConcurrent => &[&Wait(Mode::Concurrent)],
        TestHook::NeedlessPoll => &[&NeedlessPoll],
        TestHook::Slower => &[&SetOut, &Slower],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tests: &[TestHook]) -> Vec<&'static str> {
        asked_for(tests).map(Step::name).collect()
    }

    #[test]
    fn every_test_that_is_asked_for_has_its_steps() {
        assert!(names(&[TestHook::PanicAp]).is_empty());
        let asked = [
            TestHook::WaitSerialised,
            TestHook::Relay,
            TestHook::NeedlessPoll,
            TestHook::Slower,
        ];
        let all = ["wait", "needless-poll", "set-out", "slower"];
        assert_eq!(names(&asked), all);
    }
}
