//! A time of which each order of magnitude in a range is as likely as another.
//!
//! Whole numbers do: the kernel has no logarithms. `from * (to / from)^share`, where the powers of the ratio by halves,
//! quarters and so on are roots that the compiler has drawn, and those are multiplied that are in the share's binary
//! digits.

#![forbid(unsafe_code)]

use core::time::Duration;

/// The distribution.
#[derive(Clone, Debug)]
pub struct LogUniform {
    from: Duration,
    to: Duration,
    /// The ratio's square root, the root of that, and so on, in units of 2^-[`BITS`].
    roots: [u64; DIGITS],
}

/// Binary digits of a share: a draw is exact to one part in 2^16 of the ratio's logarithm.
const DIGITS: usize = 16;

/// Binary places of a root.
const BITS: u32 = 40;

impl LogUniform {
    /// Between these two.
    ///
    /// # Panics
    ///
    /// Where the shortest is zero, or longer than the longest, or the range is of more than six orders
    /// of magnitude: where that is a constant, as it is read by the compiler.
    pub const fn new(from: Duration, to: Duration) -> Self {
        let (shortest, longest) = (from.as_nanos(), to.as_nanos());
        assert!(shortest > 0 && shortest <= longest && longest / shortest <= 1_000_000);
        let mut root = (longest << BITS) / shortest;
        let mut roots = [0; DIGITS];
        let mut digit = 0;
        while digit < DIGITS {
            root = (root << BITS).isqrt();
            roots[digit] = root as u64;
            digit += 1;
        }
        Self { from, to, roots }
    }

    /// The shortest.
    pub const fn from(&self) -> Duration {
        self.from
    }

    /// The longest.
    pub const fn to(&self) -> Duration {
        self.to
    }

    /// The time below which this share of all lies, in units of 2^-16.
    pub fn at(&self, share: u16) -> Duration {
        let digits = (0..DIGITS).filter(|digit| share << digit & 0x8000 != 0);
        let nanos = digits.fold(self.from.as_nanos(), |nanos, digit| {
            (nanos * u128::from(self.roots[digit])) >> BITS
        });
        Duration::from_nanos_u128(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECADE: LogUniform =
        LogUniform::new(Duration::from_micros(350), Duration::from_micros(3500));

    #[test]
    fn a_share_is_that_part_of_the_way_on_a_scale_of_logarithms() {
        for share in (0..=u16::MAX).step_by(97) {
            let exact = 350_000.0 * 10_f64.powf(f64::from(share) / 65_536.0);
            let got = DECADE.at(share).as_nanos() as f64;
            assert!((got / exact - 1.0).abs() < 1e-4, "{share}: {got}, {exact}");
        }
    }

    #[test]
    fn draws_lie_between_the_two_ends_and_grow_with_the_share() {
        let all: Vec<_> = (0..=u16::MAX).map(|share| DECADE.at(share)).collect();
        assert!(all.is_sorted());
        assert_eq!(all[0], DECADE.from());
        assert!(all[usize::from(u16::MAX)] < DECADE.to());
        let mean = all.iter().map(Duration::as_nanos).sum::<u128>() / all.len() as u128;
        // (3500 - 350) / ln 10.
        assert!(mean.abs_diff(1_368_028) < 200, "{mean}");
    }

    #[test]
    fn a_range_of_one_time_gives_that() {
        let one = LogUniform::new(Duration::from_nanos(7), Duration::from_nanos(7));
        assert_eq!(one.at(0x8001), Duration::from_nanos(7));
    }
}
