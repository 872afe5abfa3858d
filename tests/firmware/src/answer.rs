//! What a parked AP does about a request in the mailbox. A decision, and nothing else.

use crate::words::Behaviour;

/// A command of the mailbox (ACPI 6.5, section 5.2.12.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Command {
    /// The AP acknowledges, and goes to the wakeup vector.
    Wakeup = 1,
    /// The AP acknowledges, to show that it is parked. Later than ACPI 6.5; Linux knows it
    /// (`arch/x86/kernel/acpi/madt_wakeup.c`).
    Test = 2,
}

impl Command {
    /// The command with this number, if there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Wakeup),
            2 => Some(Self::Test),
            _ => None,
        }
    }
}

/// What is in the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// By whom.
    pub apic_id: u32,
    /// Where to go.
    pub wakeup_vector: u64,
}

/// What an AP does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It looks again later.
    None,
    /// It looks again when so many milliseconds have passed.
    Wait(u32),
    /// It acknowledges, and does nothing else.
    Acknowledge,
    /// It acknowledges and goes.
    Go,
    /// It has seen its own request and is held up before it acknowledges.
    HoldUp,
    /// It acknowledges the request that has come meanwhile, whoever it is for, and goes.
    Swallow,
}

/// The AP that looks.
#[derive(Clone, Copy, Debug)]
pub struct Looker {
    /// Its APIC id.
    pub apic_id: u32,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// A slow one has waited already.
    pub has_waited: bool,
    /// One that swallows has seen its own request already.
    pub is_held_up: bool,
    /// APs that are held up. Until they have taken what is not theirs nobody else goes, or it would be
    /// luck who comes first.
    pub held_up: u32,
}

impl Looker {
    /// Decides.
    pub fn answer(self, request: Request) -> Answer {
        let is_mine = request.apic_id == self.apic_id;
        match (self.behaviour, request.command) {
            (Behaviour::Deaf, _) => Answer::None,
            (Behaviour::Swallow, Command::Wakeup) if self.is_held_up => match is_mine {
                true => Answer::None,
                false => Answer::Swallow,
            },
            _ if !is_mine => Answer::None,
            (Behaviour::Swallow, Command::Wakeup) => Answer::HoldUp,
            (Behaviour::Slow(ms), _) if !self.has_waited => Answer::Wait(ms),
            (_, Command::Test) => Answer::Acknowledge,
            (_, Command::Wakeup) if self.held_up > 0 => Answer::None,
            (_, Command::Wakeup) => Answer::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 3;

    fn looker(behaviour: Behaviour) -> Looker {
        Looker {
            apic_id: ME,
            behaviour,
            has_waited: false,
            is_held_up: false,
            held_up: 0,
        }
    }

    fn request(command: Command, apic_id: u32) -> Request {
        Request {
            command,
            apic_id,
            wakeup_vector: 0x8000,
        }
    }

    const TO_ME: Request = Request {
        command: Command::Wakeup,
        apic_id: ME,
        wakeup_vector: 0x8000,
    };

    #[test]
    fn a_good_ap_does_what_it_is_asked_and_leaves_others_theirs() {
        let good = looker(Behaviour::Good);
        assert_eq!(good.answer(TO_ME), Answer::Go);
        let test = request(Command::Test, ME);
        assert_eq!(good.answer(test), Answer::Acknowledge);
        for command in [Command::Wakeup, Command::Test] {
            assert_eq!(good.answer(request(command, 4)), Answer::None);
        }
    }

    #[test]
    fn a_deaf_one_does_nothing() {
        for command in [Command::Wakeup, Command::Test] {
            let answer = looker(Behaviour::Deaf).answer(request(command, ME));
            assert_eq!(answer, Answer::None);
        }
    }

    #[test]
    fn a_slow_one_waits_once_and_only_for_its_own() {
        let slow = looker(Behaviour::Slow(7));
        assert_eq!(slow.answer(TO_ME), Answer::Wait(7));
        let has_waited = Looker {
            has_waited: true,
            ..slow
        };
        assert_eq!(has_waited.answer(TO_ME), Answer::Go);
        for looker in [slow, has_waited] {
            assert_eq!(looker.answer(request(Command::Wakeup, 4)), Answer::None);
        }
    }

    #[test]
    fn who_swallows_sees_its_own_and_takes_the_next_that_is_anothers_and_the_others_let_it() {
        let swallower = looker(Behaviour::Swallow);
        let to_another = request(Command::Wakeup, 4);
        assert_eq!(swallower.answer(to_another), Answer::None);
        assert_eq!(swallower.answer(TO_ME), Answer::HoldUp);
        let held_up = Looker {
            is_held_up: true,
            held_up: 1,
            ..swallower
        };
        assert_eq!(held_up.answer(TO_ME), Answer::None);
        assert_eq!(held_up.answer(to_another), Answer::Swallow);
        assert_eq!(held_up.answer(request(Command::Test, 4)), Answer::None);
        let other = Looker {
            held_up: 1,
            ..looker(Behaviour::Good)
        };
        assert_eq!(other.answer(TO_ME), Answer::None);
    }

    #[test]
    fn commands_that_nobody_knows_are_none() {
        for number in [0, 3, u16::MAX] {
            assert_eq!(Command::from_number(number), None);
        }
        for command in [Command::Wakeup, Command::Test] {
            assert_eq!(Command::from_number(command as u16), Some(command));
        }
    }
}
