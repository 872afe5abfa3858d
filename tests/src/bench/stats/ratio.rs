//! How many times longer one thing takes than another within one boot.
//!
//! Whatever slows the host down slows all that is measured in a boot, so this is steadier than the times
//! themselves are, and it can be compared with another boot's.

use reveille_smp::table::median;

use super::median::middle;

/// How many times longer `ours` take than `theirs` as a person reads it: the quotient of the medians, as the
/// kernel tells it too. `None` where one side has no rounds, or took no time.
pub fn of_medians(ours: &[u64], theirs: &[u64]) -> Option<f64> {
    let median = |times: &[u64]| median(&mut times.to_vec()).filter(|&it| it > 0);
    Some(median(ours)? as f64 / median(theirs)? as f64)
}

/// The same as two boots are compared by it: the median of the quotients of each of ours with each of theirs,
/// of the faster half of either. `None` where one side has no rounds, or one that took no time.
///
/// What a host does to a round makes it longer, by up to a hundred times, and never shorter; so the slower half
/// tells of the host, and in the faster half all rounds have a say, and not the one in the middle alone. In 24
/// boots of 25 rounds at 8 CPUs on a busy host this scattered by 10 % from boot to boot, the quotient of the
/// medians by 29 %, and the times by 34 %.
pub fn of_faster_halves(ours: &[u64], theirs: &[u64]) -> Option<f64> {
    if ours.contains(&0) || theirs.contains(&0) {
        return None;
    }
    // Logarithms, so that the ratio the other way round is exactly the reciprocal.
    let logarithms = |times: &[u64]| -> Vec<f64> {
        let faster = faster_half(times).into_iter();
        faster.map(|it| (it as f64).ln()).collect()
    };
    let (ours, theirs) = (logarithms(ours), logarithms(theirs));
    let quotients = ours
        .iter()
        .flat_map(|ours| theirs.iter().map(move |theirs| ours - theirs));
    let mut quotients: Vec<f64> = quotients.collect();
    let last = quotients.len().checked_sub(1)?;
    // No need to put the others in order.
    let (below, &mut high, _) = quotients.select_nth_unstable_by(last.div_ceil(2), f64::total_cmp);
    let low = match last % 2 {
        0 => high,
        _ => below.iter().copied().max_by(f64::total_cmp)?,
    };
    Some(low.midpoint(high).exp())
}

/// What a boot took, as two boots are compared by it: the median of the faster half, in nanoseconds.
pub fn of_faster_half_ns(times: &[u64]) -> Option<f64> {
    let faster: Vec<f64> = faster_half(times).into_iter().map(|it| it as f64).collect();
    middle(&faster)
}

/// The faster ones, in their order; of an odd number, the one in the middle is among them.
fn faster_half(times: &[u64]) -> Vec<u64> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.truncate(times.len().div_ceil(2));
    times
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
        let steady = ([150, 151, 152, 153, 154], [100, 101, 102, 103, 104]);
        let spoilt = ([150, 9_000, 8_000, 153, 154], [100, 101, 102, 5_000, 7_000]);
        let of = |(ours, theirs): ([u64; 5], [u64; 5])| {
            of_faster_halves(&ours, &theirs).expect("all took some time")
        };
        let (steady, spoilt) = (of(steady), of(spoilt));
        assert!(
            (spoilt / steady - 1.0).abs() < 0.02,
            "{spoilt} and {steady}"
        );
        assert!((steady - 1.49).abs() < 0.01, "{steady}");
    }

    #[test]
    fn a_person_reads_the_quotient_of_the_medians() {
        assert_eq!(of_medians(&[3, 1, 900], &[2]), Some(1.5));
        assert_eq!(of_medians(&[3], &[]), None);
        assert_eq!(of_medians(&[3], &[0]), None);
    }

    #[test]
    fn a_boot_took_the_median_of_its_faster_half() {
        assert_eq!(of_faster_half_ns(&[90, 10, 30, 20, 80]), Some(20.0));
        assert_eq!(of_faster_half_ns(&[10, 30, 80, 90]), Some(20.0));
        assert_eq!(of_faster_half_ns(&[7]), Some(7.0));
        assert_eq!(of_faster_half_ns(&[]), None);
    }

    #[test]
    fn no_rounds_and_no_time_have_no_ratio() {
        assert_eq!(of_faster_halves(&[], &[1]), None);
        assert_eq!(of_faster_halves(&[1], &[]), None);
        assert_eq!(of_faster_halves(&[1, 2], &[1, 0]), None);
        assert_eq!(of_faster_halves(&[0], &[1]), None);
    }

    fn rounds() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(1_000..1_000_000_000_u64, 1..12)
    }

    proptest! {
        #[test]
        fn the_other_way_round_it_is_the_reciprocal(ours in rounds(), theirs in rounds()) {
            let once = of_faster_halves(&ours, &theirs).unwrap();
            let other = of_faster_halves(&theirs, &ours).unwrap();
            prop_assert!(close(once * other, 1.0), "{} and {}", once, other);
        }

        #[test]
        fn a_slower_host_changes_nothing(ours in rounds(), theirs in rounds(), factor in 2..1_000_u64) {
            let slower = |times: &[u64]| -> Vec<u64> { times.iter().map(|it| it * factor).collect() };
            let once = of_faster_halves(&ours, &theirs).unwrap();
            let other = of_faster_halves(&slower(&ours), &slower(&theirs)).unwrap();
            prop_assert!(close(once, other), "{} and {}", once, other);
        }

        #[test]
        fn what_takes_twice_as_long_is_twice_the_ratio(ours in rounds(), theirs in rounds()) {
            let doubled: Vec<u64> = ours.iter().map(|it| it * 2).collect();
            let (once, other) = (of_faster_halves(&ours, &theirs).unwrap(), of_faster_halves(&doubled, &theirs).unwrap());
            prop_assert!(close(once * 2.0, other), "{} and {}", once, other);
        }

        #[test]
        fn the_order_of_rounds_says_nothing(
            (ours, shuffled) in rounds().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
            theirs in rounds()
        ) {
            prop_assert_eq!(of_faster_halves(&ours, &theirs), of_faster_halves(&shuffled, &theirs));
        }
    }
}
