//! Room for what is measured. How much is asked for is the user's to say, so it may be more than there is:
//! then that is an error before anything is measured, and says how much would fit.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;

/// Room for so many measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What is measured, in the plural.
    pub of: &'static str,
    /// Bytes that are free, in pieces of whatever size.
    pub free: usize,
    /// Bytes that are needed whatever is measured.
    pub beside: usize,
    /// Bytes of each measurement.
    pub each: usize,
}

impl Room {
    /// Whether so many measurements take no more than half of what is free: the other half is for what
    /// has to be told.
    ///
    /// # Errors
    ///
    /// How many would fit.
    pub fn check(self, asked: u32) -> Result<(), TooMany> {
        let Self {
            of,
            free,
            beside,
            each,
        } = self;
        let most = (free / 2).saturating_sub(beside) / each.max(1);
        match asked as usize <= most {
            true => Ok(()),
            // Less than what was asked for, which is a `u32`.
            false => Err(TooMany {
                of,
                asked,
                most: most as u32,
            }),
        }
    }
}

/// Bytes that are taken at the most while a list grows to what takes so many: it has up to twice the room
/// that it needs, and the one before is there until it has moved.
pub const fn grown(bytes: usize) -> usize {
    3 * bytes
}

/// An empty list with room for so many of these.
///
/// # Errors
///
/// When there is memory enough but not in one piece: a half is then said to fit.
pub fn reserve<T>(of: &'static str, asked: u32) -> Result<Vec<T>, TooMany> {
    let mut list = Vec::new();
    let most = asked / 2;
    let reserved = list.try_reserve_exact(asked as usize);
    reserved.map_err(|_| TooMany { of, asked, most })?;
    Ok(list)
}

/// There is no room for so many measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// What was to be measured, in the plural.
    pub of: &'static str,
    /// How many were asked for.
    pub asked: u32,
    /// How many would fit.
    pub most: u32,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, asked, most } = self;
        write!(
            f,
            "the times of that many {of} do not fit into memory: {asked} were asked for, {most} would fit"
        )
    }
}

impl core::error::Error for TooMany {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn as_many_fit_as_half_of_the_memory_holds_beside_what_is_needed_anyway() {
        let room = Room {
            of: "calls",
            free: 2_000,
            beside: 200,
            each: 8,
        };
        assert_eq!(room.check(100), Ok(()));
        let error = TooMany {
            of: "calls",
            asked: 101,
            most: 100,
        };
        assert_eq!(room.check(101), Err(error));
        let nothing = Room {
            beside: 1_001,
            ..room
        };
        assert_eq!(nothing.check(0), Ok(()));
        assert!(nothing.check(1).is_err_and(|error| error.most == 0));
        assert_eq!(
            error.to_string(),
            "the times of that many calls do not fit into memory: 101 were asked for, 100 would fit"
        );
    }

    #[test]
    fn a_list_that_no_memory_holds_is_an_error() {
        assert!(reserve::<u64>("calls", 100).is_ok_and(|list| list.capacity() >= 100));
        // Beyond what any list may take.
        let error = reserve::<[u64; usize::MAX >> 34]>("calls", u32::MAX).map(drop);
        assert!(error.is_err_and(|error| error.asked == u32::MAX));
    }
}
