//! How many times longer one thing takes than another within one boot.
//!
//! Whatever slows the host down slows all that is measured in a boot, so this is steadier than the times
//! themselves are, and it can be compared with another boot's.

use super::median::{middle, sorted};

/// How many times longer `ours` take than `theirs`: the median of the quotients of each with each. `None`
/// where one side has no rounds, or a round that took no time.
///
/// As the quotient of the two medians it cares nothing for a few rounds that the host has spoilt, and of
/// two things that are alike it is as often too small as too large. It scatters less from boot to boot, as
/// all rounds have a say in it: in boots on a busy host, by up to a third.
pub fn ratio(ours: &[u64], theirs: &[u64]) -> Option<f64> {
    if ours.contains(&0) || theirs.contains(&0) {
        return None;
    }
    // Logarithms, so that the ratio the other way round is exactly the reciprocal.
    let logarithms =
        |times: &[u64]| -> Vec<f64> { times.iter().map(|&it| (it as f64).ln()).collect() };
    let (ours, theirs) = (logarithms(ours), logarithms(theirs));
    let quotients = ours
        .iter()
        .flat_map(|ours| theirs.iter().map(move |theirs| ours - theirs));
    let quotients: Vec<f64> = quotients.collect();
    Some(middle(&sorted(&quotients)?)?.exp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left / right - 1.0).abs() < 1e-9
    }

    #[test]
    fn a_few_spoilt_rounds_do_not_matter() {
        let steady = ratio(&[150, 151, 152, 153, 154], &[100, 101, 102, 103, 104]);
        let steady = steady.expect("all took some time");
        let spoilt = ratio(&[150, 151, 9_000, 153, 154], &[100, 101, 102, 103, 7_000]);
        let spoilt = spoilt.expect("all took some time");
        assert!(
            (spoilt / steady - 1.0).abs() < 0.02,
            "{spoilt} and {steady}"
        );
        assert!((steady - 1.49).abs() < 0.01, "{steady}");
    }

    #[test]
    fn no_rounds_and_no_time_have_no_ratio() {
        assert_eq!(ratio(&[], &[1]), None);
        assert_eq!(ratio(&[1], &[]), None);
        assert_eq!(ratio(&[1, 2], &[1, 0]), None);
        assert_eq!(ratio(&[0], &[1]), None);
    }

    fn rounds() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(1_000..1_000_000_000_u64, 1..12)
    }

    proptest! {
        #[test]
        fn the_other_way_round_it_is_the_reciprocal(ours in rounds(), theirs in rounds()) {
            let once = ratio(&ours, &theirs).unwrap();
            let other = ratio(&theirs, &ours).unwrap();
            prop_assert!(close(once * other, 1.0), "{} and {}", once, other);
        }

        #[test]
        fn a_slower_host_changes_nothing(ours in rounds(), theirs in rounds(), factor in 2..1_000_u64) {
            let slower = |times: &[u64]| -> Vec<u64> { times.iter().map(|it| it * factor).collect() };
            let once = ratio(&ours, &theirs).unwrap();
            let other = ratio(&slower(&ours), &slower(&theirs)).unwrap();
            prop_assert!(close(once, other), "{} and {}", once, other);
        }

        #[test]
        fn what_takes_twice_as_long_is_twice_the_ratio(ours in rounds(), theirs in rounds()) {
            let doubled: Vec<u64> = ours.iter().map(|it| it * 2).collect();
            let (once, other) = (ratio(&ours, &theirs).unwrap(), ratio(&doubled, &theirs).unwrap());
            prop_assert!(close(once * 2.0, other), "{} and {}", once, other);
        }

        #[test]
        fn the_order_of_rounds_says_nothing(
            (ours, shuffled) in rounds().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
            theirs in rounds()
        ) {
            prop_assert_eq!(ratio(&ours, &theirs), ratio(&shuffled, &theirs));
        }
    }
}
