//! How many attempts at the bring-up there is memory for: each leaves its reports and records on the
//! heap until the end, when they are written.
//!
//! What the first attempt takes is kept free when the APs are prepared. What the heap has beyond
//! that bounds how many may follow, so that no attempt fails for want of memory.

#![forbid(unsafe_code)]

use core::{fmt, num::NonZero};

use reveille_smp::{bringup::Report, record};

/// Room for the text of a record: the name of a step, and a reason.
const HEAP_A_TEXT: usize = 128;
/// Heap that an attempt keeps for a CPU of the plan. A list that grew has up to twice the room that
/// it needs.
const HEAP_A_CPU: usize = 2 * (size_of::<Report>() + size_of::<record::Cpu>()) + HEAP_A_TEXT;

/// Checks that there is memory for the attempts that are asked for, or one where no number is.
/// `heap_to_spare` are the bytes of heap that the first attempt leaves, with so many CPUs in the plan.
///
/// # Errors
///
/// [`TooManyAttempts`] says how many there may be.
pub fn check(
    asked: Option<NonZero<u32>>,
    heap_to_spare: usize,
    cpus: usize,
) -> Result<u32, TooManyAttempts> {
    let asked = asked.map_or(1, NonZero::get);
    let more = heap_to_spare / (cpus.max(1) * HEAP_A_CPU);
    let most = u32::try_from(more).unwrap_or(u32::MAX).saturating_add(1);
    if asked > most {
        return Err(TooManyAttempts { asked, most });
    }
    Ok(asked)
}

/// More attempts than there is memory for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyAttempts {
    /// So many are asked for.
    pub asked: u32,
    /// So many may be.
    pub most: u32,
}

impl fmt::Display for TooManyAttempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, most } = self;
        write!(
            f,
            "attempts={asked}: memory holds the reports of {most} at most; ask for fewer, or give the \
             machine more memory"
        )
    }
}

impl core::error::Error for TooManyAttempts {}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(asked: u32, heap_to_spare: usize, cpus: usize) -> Result<u32, TooManyAttempts> {
        check(NonZero::new(asked), heap_to_spare, cpus)
    }

    #[test]
    fn the_first_attempt_is_always_there() {
        assert_eq!(check(None, 0, 64), Ok(1));
        assert_eq!(attempts(1, 0, 64), Ok(1));
        assert_eq!(attempts(1, 0, 0), Ok(1));
    }

    #[test]
    fn as_many_follow_as_there_is_heap_for_and_no_more() {
        let four_more = 4 * 64 * HEAP_A_CPU;
        assert_eq!(attempts(5, four_more, 64), Ok(5));
        let too_many = Err(TooManyAttempts { asked: 6, most: 5 });
        assert_eq!(attempts(6, four_more, 64), too_many);
        let too_many = Err(TooManyAttempts { asked: 5, most: 4 });
        assert_eq!(attempts(5, four_more - 1, 64), too_many);
        assert_eq!(attempts(u32::MAX, usize::MAX, 1), Ok(u32::MAX));
    }

    #[test]
    fn the_refusal_says_how_many_there_may_be_and_what_to_do() {
        let told = attempts(u32::MAX, HEAP_A_CPU, 1).unwrap_err().to_string();
        let expected = "attempts=4294967295: memory holds the reports of 2 at most; ask for fewer, \
                        or give the machine more memory";
        assert_eq!(told, expected);
    }
}
