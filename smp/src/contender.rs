//! What a benchmark puts side by side in one boot: the strategies, and two yardsticks that are none.

use core::{fmt, str::FromStr};

use crate::strategy::Strategy;

/// One of those that are measured side by side. Its text is its name in lists and in results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// A way to bring up all APs.
    Strategy(Strategy),
    /// The same trampoline into Rust and an answer, without executor and steps
    /// ([`record::Bare`](crate::record::Bare)).
    Bare,
    /// APs that count in real mode and halt ([`record::Floor`](crate::record::Floor)).
    Floor,
}

impl Contender {
    /// All there are: the strategies in their order, then the yardsticks.
    pub const ALL: [Self; 7] = [
        Self::Strategy(Strategy::Parallel),
        Self::Strategy(Strategy::Broadcast),
        Self::Strategy(Strategy::TwoPass),
        Self::Strategy(Strategy::Serial),
        Self::Strategy(Strategy::Legacy),
        Self::Bare,
        Self::Floor,
    ];

    /// What a list of them looks like.
    pub const SYNTAX: &str = "a list of parallel, broadcast, two-pass, serial, legacy, bare, floor";

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strategy(strategy) => strategy.into(),
            Self::Bare => "bare",
            Self::Floor => "floor",
        }
    }

    const fn bit(self) -> u8 {
        1 << match self {
            Self::Strategy(strategy) => strategy as u8,
            Self::Bare => 5,
            Self::Floor => 6,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// None of the names of [`Contender::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl FromStr for Contender {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.name() == name).ok_or(Unknown)
    }
}

/// Which of them take part: all, unless a list says otherwise. As text a list without spaces, such as
/// `serial,bare`; who is in it twice is in it once, and the order is nobody's choice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contenders(u8);

impl Contenders {
    /// Whether this one takes part.
    pub fn contains(self, contender: Contender) -> bool {
        self.0 & contender.bit() != 0
    }

    /// Those that do, in the order of [`Contender::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Contender> {
        let all = Contender::ALL.into_iter();
        all.filter(move |&it| self.contains(it))
    }

    /// The strategies that do, in the order of `order`.
    pub fn strategies(self, order: &[Strategy]) -> impl Iterator<Item = Strategy> {
        let order = order.iter().copied();
        order.filter(move |&it| self.contains(Contender::Strategy(it)))
    }
}

impl Default for Contenders {
    fn default() -> Self {
        Contender::ALL.into_iter().collect()
    }
}

impl FromIterator<Contender> for Contenders {
    fn from_iter<I: IntoIterator<Item = Contender>>(contenders: I) -> Self {
        let bits = contenders.into_iter().map(Contender::bit);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

impl FromStr for Contenders {
    type Err = Unknown;

    fn from_str(list: &str) -> Result<Self, Unknown> {
        list.split(',').map(str::parse).collect()
    }
}

impl fmt::Display for Contenders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, contender) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{contender}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Contenders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_strategy_and_both_yardsticks_take_part_unless_a_list_says_otherwise() {
        let all = Contenders::default();
        for &strategy in Strategy::ALL {
            assert!(all.contains(Contender::Strategy(strategy)));
        }
        assert_eq!(all.iter().count(), Strategy::ALL.len() + 2);
        assert_eq!(all.to_string().parse(), Ok(all));
        for name in all.iter().map(Contender::name) {
            assert!(Contender::SYNTAX.contains(name), "{name}");
        }
    }

    #[test]
    fn a_list_is_taken_whole_or_not_at_all_and_says_who_not_in_which_order() {
        let few: Contenders = "floor,serial,serial".parse().expect("they are known");
        assert_eq!(few.to_string(), "serial,floor");
        assert!(few.contains(Contender::Floor) && !few.contains(Contender::Bare));
        let order = [Strategy::Serial, Strategy::Parallel];
        assert!(few.strategies(&order).eq([Strategy::Serial]));
        for wrong in ["", "serial,", "Serial", "serial, bare", "all", "fastest"] {
            assert_eq!(wrong.parse::<Contenders>(), Err(Unknown), "{wrong}");
        }
    }
}
