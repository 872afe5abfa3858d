//! By which way the APs are woken: what is asked for, and what the firmware offers.
//!
//! A mailbox that is listed and can be used is used: firmware that keeps the APs itself may deliver
//! neither INIT nor SIPI to them, as under a hypervisor that is not trusted.

#![forbid(unsafe_code)]

use alloc::{format, string::String};
use core::fmt;

use reveille_smp::{machine::Way, madt::Mailbox};
use strum::{EnumString, VariantNames};

use crate::memory::paging::MapError;

/// `wake=`: the way that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Wake {
    /// The mailbox, if there is one.
    #[default]
    Auto,
    /// INIT and SIPI, whatever there is.
    InitSipi,
    /// The mailbox, or the run fails.
    Mailbox,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waking<M> {
    /// The mailbox, mapped, where that is the way.
    pub mailbox: Option<M>,
    /// Why there is none though one is listed.
    pub flaw: Option<Unusable>,
}

impl<M> Waking<M> {
    /// The way.
    pub fn way(&self) -> Way {
        match self.mailbox {
            None => Way::InitSipi,
            Some(_) => Way::Mailbox,
        }
    }

    /// What is to be told of it, for people.
    pub fn flaw(&self) -> Option<String> {
        let flaw = self.flaw?;
        Some(format!("{flaw}; INIT and SIPI are used"))
    }
}

/// Chooses. `map` makes the mailbox that the firmware lists usable.
///
/// # Errors
///
/// [`NoMailbox`] when one is asked for and there is none.
pub fn choose<M>(
    asked: Wake,
    listed: Option<Mailbox>,
    map: impl FnOnce(Mailbox) -> Result<M, Unusable>,
) -> Result<Waking<M>, NoMailbox> {
    let mapped = match (asked, listed) {
        (Wake::InitSipi, _) | (Wake::Auto, None) => None,
        (Wake::Mailbox, None) => return Err(NoMailbox::NotListed),
        (_, Some(listed)) => Some(map(listed)),
    };
    match (asked, mapped.transpose()) {
        (Wake::Mailbox, Err(unusable)) => Err(NoMailbox::Unusable(unusable)),
        (_, Err(flaw)) => Ok(Waking {
            mailbox: None,
            flaw: Some(flaw),
        }),
        (_, Ok(mailbox)) => Ok(Waking {
            mailbox,
            flaw: None,
        }),
    }
}

/// Why a mailbox that is listed cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// It, or its reset vector, is where no memory can be.
    NoSuchAddress {
        /// Where.
        address: u64,
        /// How many bits an address has here.
        bits: u32,
    },
    /// It, or its reset vector, cannot be mapped: as a rule because the memory map lists its memory
    /// as free.
    Map {
        /// Where.
        address: u64,
        /// Why.
        cause: MapError,
    },
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the firmware's wakeup mailbox cannot be used: ")?;
        match self {
            Self::NoSuchAddress { address, bits } => {
                write!(f, "{address:#x} is no address of {bits} bits")
            }
            Self::Map { address, cause } => write!(f, "{address:#x}: {cause}"),
        }
    }
}

/// There is no mailbox, and nothing else will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMailbox {
    /// The firmware lists none that is right.
    NotListed,
    /// The one that it lists cannot be used.
    Unusable(Unusable),
}

impl fmt::Display for NoMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wake=mailbox: ")?;
        match self {
            Self::NotListed => f.write_str("the MADT lists no wakeup mailbox that can be used"),
            Self::Unusable(unusable) => unusable.fmt(f),
        }
    }
}

impl core::error::Error for NoMailbox {}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: Mailbox = Mailbox {
        address: 0x7000,
        reset_vector: None,
    };

    const UNUSABLE: Unusable = Unusable::Map {
        address: 0x7000,
        cause: MapError::AlreadyMapped { page: 0x7000 },
    };

    fn way(asked: Wake, listed: Option<Mailbox>) -> Result<Way, NoMailbox> {
        let waking = choose(asked, listed, |it| Ok(it.address))?;
        assert_eq!(waking.flaw(), None);
        Ok(waking.way())
    }

    #[test]
    fn a_mailbox_that_is_listed_is_used_unless_something_else_is_asked_for() {
        assert_eq!(way(Wake::Auto, Some(LISTED)), Ok(Way::Mailbox));
        assert_eq!(way(Wake::Mailbox, Some(LISTED)), Ok(Way::Mailbox));
        assert_eq!(way(Wake::InitSipi, Some(LISTED)), Ok(Way::InitSipi));
        assert_eq!(way(Wake::Auto, None), Ok(Way::InitSipi));
        assert_eq!(way(Wake::InitSipi, None), Ok(Way::InitSipi));
    }

    #[test]
    fn a_mailbox_that_is_asked_for_and_not_there_is_an_error() {
        assert_eq!(way(Wake::Mailbox, None), Err(NoMailbox::NotListed));
        let refused = choose(Wake::Mailbox, Some(LISTED), |_| Err::<(), _>(UNUSABLE));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "wake=mailbox: the firmware's wakeup mailbox cannot be used: 0x7000: page 0x7000 is \
             mapped already"
        );
    }

    #[test]
    fn a_mailbox_that_cannot_be_used_is_told_and_the_other_way_is_taken() {
        let waking = choose(Wake::Auto, Some(LISTED), |_| Err::<(), _>(UNUSABLE)).unwrap();
        assert_eq!(waking.way(), Way::InitSipi);
        let flaw = waking.flaw().unwrap();
        assert!(
            flaw.ends_with("mapped already; INIT and SIPI are used"),
            "{flaw}"
        );
    }
}
