//! What is pending in the machine's bays, in a bounded time whatever the registers say.
//!
//! A thing is acknowledged as it is taken. A machine that shows it all the same, or shows more than there can
//! be, is not to be trusted any further: the scan ends there, and what was found before stands.

use alloc::vec::Vec;
use core::fmt;

use super::{Bay, Controller, Event, Notification, Status};
use crate::cpu::ApicId;

/// What a scan has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// In the order in which it was found: of one bay, that it was added before that it is to go. What is
    /// asked for twice is done once.
    pub found: Vec<Found>,
    /// What is wrong with the machine's registers.
    pub flaw: Option<Flaw>,
}

/// Something that was pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub bay: Bay,
    /// What.
    pub event: Event,
}

impl Found {
    /// As the machine notified of it.
    pub const fn notification(&self) -> Notification {
        match self.event {
            Event::Added(_) => Notification::Added,
            Event::RemovalAsked(_) => Notification::RemovalAsked,
        }
    }
}

/// What is wrong with the machine's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Something stays pending there, whatever it is told.
    Deaf(Bay),
    /// A CPU sits there, or may, whose id cannot be told.
    NoId(Bay),
    /// More is pending than there can be.
    TooMuch,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deaf(bay) => write!(f, "what is pending in bay {bay} cannot be acknowledged"),
            Self::NoId(bay) => write!(f, "the CPU in bay {bay} has no APIC id"),
            Self::TooMuch => write!(f, "more is pending than there can be"),
        }
    }
}

impl core::error::Error for Flaw {}

/// How often a thing is acknowledged at most. It may be pending again because it was asked for once more
/// at that very moment, but not so often.
const PATIENCE: u32 = 4;

/// Takes all that is pending in the machine's bays, of which there are no more than `bays`.
pub fn scan(controller: &impl Controller, bays: usize) -> Scan {
    let mut scan = Scan::default();
    scan.flaw = scan.take_all(controller, bays).err();
    scan
}

/// The CPUs that sit in the machine's bays and are `awaited`, as if they had been added right now: for those
/// that were added before anybody looked, as of which some machines show no more than that they are there. What
/// is pending of those is acknowledged: one may have been added since the last scan. Of the bays, no more than
/// `bays` are looked at.
pub fn survey(
    controller: &impl Controller,
    bays: usize,
    awaited: impl Fn(ApicId) -> bool,
) -> Vec<Found> {
    let numbers = (0..).map(Bay).take(bays);
    let there = numbers
        .take_while(|&bay| controller.has(bay))
        .filter(|&bay| controller.status(bay).is_present);
    let ids = there.filter_map(|bay| Some((bay, controller.apic_id(bay)?)));
    let found = ids.filter(|&(_, id)| awaited(id)).map(|(bay, id)| {
        controller.acknowledge(bay, Notification::Added);
        Found {
            bay,
            event: Event::Added(id),
        }
    });
    found.collect()
}

impl Scan {
    fn take_all(&mut self, controller: &impl Controller, bays: usize) -> Result<(), Flaw> {
        // In each of them one is added, and is to go.
        let mut left = 2 * bays;
        while let Some((bay, status)) = controller.find_pending() {
            let id = controller.apic_id(bay).ok_or(Flaw::NoId(bay))?;
            for heard in [Notification::Added, Notification::RemovalAsked] {
                if !heard.is_pending_in(status) {
                    continue;
                }
                left = left.checked_sub(1).ok_or(Flaw::TooMuch)?;
                acknowledge(controller, bay, heard)?;
                // What befell a CPU that is gone by now is nobody's business.
                if !status.is_present {
                    continue;
                }
                let event = match heard {
                    Notification::Added => Event::Added(id),
                    Notification::RemovalAsked => Event::RemovalAsked(id),
                };
                let found = Found { bay, event };
                if !self.found.contains(&found) {
                    self.found.push(found);
                }
            }
        }
        Ok(())
    }
}

fn acknowledge(controller: &impl Controller, bay: Bay, heard: Notification) -> Result<(), Flaw> {
    for _ in 0..PATIENCE {
        controller.acknowledge(bay, heard);
        if !heard.is_pending_in(controller.status(bay)) {
            return Ok(());
        }
    }
    Err(Flaw::Deaf(bay))
}

impl Notification {
    const fn is_pending_in(self, status: Status) -> bool {
        match self {
            Self::Added => status.was_added,
            Self::RemovalAsked => status.is_to_go,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec;
    use core::cell::{Cell, RefCell};

    use proptest::prelude::*;

    use super::{super::Verdict, *};

    /// Bays in which things are pending. Ids are ten times the bays' numbers.
    #[derive(Default)]
    struct Fake {
        bays: RefCell<Vec<Status>>,
        /// Where one is to go as the thing of this number is acknowledged, counted from 0.
        meanwhile: Cell<Option<(u32, usize)>>,
        acknowledged: Cell<u32>,
        accesses: Cell<u32>,
    }

    impl Fake {
        fn new(bays: impl IntoIterator<Item = (bool, bool)>) -> Self {
            let status = |(was_added, is_to_go)| Status {
                is_present: true,
                was_added,
                is_to_go,
            };
            Self {
                bays: RefCell::new(bays.into_iter().map(status).collect()),
                ..Self::default()
            }
        }

        fn count(&self) {
            self.accesses.set(self.accesses.get() + 1);
        }
    }

    impl Controller for Fake {
        fn find_pending(&self) -> Option<(Bay, Status)> {
            self.count();
            let bays = self.bays.borrow();
            let mut numbered = (0..).map(Bay).zip(bays.iter().copied());
            numbered.find(|(_, status)| status.is_pending())
        }

        fn has(&self, bay: Bay) -> bool {
            self.count();
            (bay.0 as usize) < self.bays.borrow().len()
        }

        fn status(&self, bay: Bay) -> Status {
            self.count();
            self.bays.borrow()[bay.0 as usize]
        }

        fn apic_id(&self, bay: Bay) -> Option<ApicId> {
            self.count();
            Some(ApicId(10 * bay.0))
        }

        fn acknowledge(&self, bay: Bay, heard: Notification) {
            self.count();
            let mut bays = self.bays.borrow_mut();
            let status = &mut bays[bay.0 as usize];
            match heard {
                Notification::Added => status.was_added = false,
                Notification::RemovalAsked => status.is_to_go = false,
            }
            let number = self.acknowledged.replace(self.acknowledged.get() + 1);
            if let Some((_, at)) = self.meanwhile.get().filter(|it| it.0 == number) {
                bays[at].is_to_go = true;
            }
        }

        fn eject(&self, _: Bay) {}

        fn report(&self, _: Bay, _: Notification, _: Verdict) {}
    }

    fn added(bay: u32) -> Found {
        Found {
            bay: Bay(bay),
            event: Event::Added(ApicId(10 * bay)),
        }
    }

    fn to_go(bay: u32) -> Found {
        Found {
            bay: Bay(bay),
            event: Event::RemovalAsked(ApicId(10 * bay)),
        }
    }

    #[test]
    fn all_that_is_pending_is_found_once_and_acknowledged() {
        let fake = Fake::new([(false, false), (true, false), (true, true), (false, true)]);
        let found = vec![added(1), added(2), to_go(2), to_go(3)];
        assert_eq!(scan(&fake, 4), Scan { found, flaw: None });
        assert_eq!(scan(&fake, 4), Scan::default());
    }

    #[test]
    fn a_cpu_that_is_to_go_as_its_addition_is_acknowledged_is_found_too() {
        for at in [0, 1] {
            let fake = Fake::new([(false, false), (true, false)]);
            fake.meanwhile.set(Some((0, at)));
            let found = vec![added(1), to_go(at as u32)];
            assert_eq!(scan(&fake, 2), Scan { found, flaw: None });
        }
    }

    #[test]
    fn a_cpu_that_is_asked_for_twice_goes_once() {
        let fake = Fake::new([(false, true), (true, true)]);
        fake.meanwhile.set(Some((2, 0)));
        let found = vec![to_go(0), added(1), to_go(1)];
        assert_eq!(scan(&fake, 2), Scan { found, flaw: None });
        assert_eq!(scan(&fake, 2), Scan::default());
    }

    #[test]
    fn of_a_bay_in_which_no_cpu_sits_nothing_is_told() {
        let fake = Fake::new([(true, true), (true, false)]);
        fake.bays.borrow_mut()[0].is_present = false;
        let found = vec![added(1)];
        assert_eq!(scan(&fake, 2), Scan { found, flaw: None });
        assert_eq!(scan(&fake, 2), Scan::default());
    }

    #[test]
    fn a_survey_finds_who_is_there_and_awaited_and_no_scan_finds_them_again() {
        let fake = Fake::new([(false, false), (false, false), (true, true), (true, false)]);
        let awaited = |id: ApicId| ![ApicId(0), ApicId(30)].contains(&id);
        assert_eq!(survey(&fake, 2, awaited), [added(1)]);
        assert_eq!(survey(&fake, 9, awaited), [added(1), added(2)]);
        assert_eq!(scan(&fake, 4).found, [to_go(2), added(3)]);
        fake.bays.borrow_mut()[1].is_present = false;
        assert_eq!(survey(&fake, 9, awaited), [added(2)]);
    }

    #[test]
    fn more_than_there_can_be_is_a_flaw_and_what_was_found_before_stands() {
        let fake = Fake::new([(true, true); 3]);
        let found = vec![added(0), to_go(0), added(1), to_go(1)];
        let flaw = Some(Flaw::TooMuch);
        assert_eq!(scan(&fake, 2), Scan { found, flaw });
        assert_eq!(scan(&fake, 0).flaw, Some(Flaw::TooMuch));
    }

    /// Registers that say anything, whatever they are told.
    struct Hostile {
        words: RefCell<Vec<u32>>,
        accesses: Cell<usize>,
    }

    impl Hostile {
        fn word(&self) -> u32 {
            self.accesses.set(self.accesses.get() + 1);
            let words = self.words.borrow();
            words[self.accesses.get() % words.len()]
        }

        fn any_status(&self) -> Status {
            let word = self.word();
            Status {
                is_present: word & 1 != 0,
                was_added: word & 2 != 0,
                is_to_go: word & 4 != 0,
            }
        }
    }

    impl Controller for Hostile {
        fn find_pending(&self) -> Option<(Bay, Status)> {
            let status = self.any_status();
            status.is_pending().then(|| (Bay(self.word()), status))
        }

        fn has(&self, _: Bay) -> bool {
            !self.word().is_multiple_of(16)
        }

        fn status(&self, _: Bay) -> Status {
            self.any_status()
        }

        fn apic_id(&self, _: Bay) -> Option<ApicId> {
            let word = self.word();
            (!word.is_multiple_of(8)).then_some(ApicId(word))
        }

        fn acknowledge(&self, _: Bay, _: Notification) {
            self.word();
        }

        fn eject(&self, _: Bay) {}

        fn report(&self, _: Bay, _: Notification, _: Verdict) {}
    }

    #[test]
    fn registers_of_ones_are_deaf() {
        let hostile = Hostile {
            words: RefCell::new(vec![u32::MAX]),
            accesses: Cell::new(0),
        };
        let scan = scan(&hostile, 8);
        assert_eq!(scan.flaw, Some(Flaw::Deaf(Bay(u32::MAX))));
        assert!(scan.found.is_empty());
    }

    proptest! {
        #[test]
        fn whatever_the_registers_say_a_scan_ends_behind_as_many_accesses_as_there_are_bays(
            words in proptest::collection::vec(any::<u32>(), 1..50),
            bays in 0_usize..20,
        ) {
            let hostile = Hostile { words: RefCell::new(words), accesses: Cell::new(0) };
            let scan = scan(&hostile, bays);
            prop_assert!(scan.found.len() <= 2 * bays);
            let an_event = 3 + 2 * PATIENCE as usize;
            prop_assert!(hostile.accesses.get() <= (2 * bays + 1) * (an_event + 2));
            let before = hostile.accesses.get();
            prop_assert!(survey(&hostile, bays, |_| true).len() <= bays);
            prop_assert!(hostile.accesses.get() - before <= 4 * bays + 1);
        }
    }
}
