//! What one AP more costs: a machine with many beside one with few.
//!
//! The difference is free of what a machine costs in any case, which is so much more that nobody would see a
//! rise of what an AP costs in the sum.

use anyhow::{Context, Result};

use super::{
    figures::{Figure, Section},
    settings::Setting,
};
use crate::records::Records;

/// A frame of memory.
const FRAME_BYTES: u64 = 4096;

/// What one AP more costs the machine, from boots without a trace that differ in the number of CPUs alone:
/// those with the fewest and the most APs, if there are two.
///
/// # Errors
///
/// A record is missing.
pub fn an_ap_more<'a>(
    boots: impl IntoIterator<Item = (&'a Setting, &'a Records)>,
) -> Result<Option<Section>> {
    let plain = boots.into_iter();
    let mut plain: Vec<_> = plain
        .filter(|(setting, _)| setting.is_plain() && setting.cpus() > 1)
        .collect();
    plain.sort_by_key(|(setting, _)| setting.cpus());
    let (Some(&(few, from)), Some(&(many, to))) = (plain.first(), plain.last()) else {
        return Ok(None);
    };
    let more = u64::from(many.cpus() - few.cpus());
    if more == 0 {
        return Ok(None);
    }
    let (mut figures, pair) = (Vec::new(), [from, to]);
    let mut add = |name: &str, of: &dyn Fn(&Records) -> Result<u64>| -> Result<()> {
        let [from, to] = [of(pair[0])?, of(pair[1])?];
        let growth = to.checked_sub(from).context("more CPUs cost less")?;
        // To the nearest.
        figures.push(Figure::new(name, (growth + more / 2) / more));
        Ok(())
    };
    add("prepare-instructions", &|records| {
        let kick = records.boot()?.entry_to_kick_ns;
        kick.context("nobody was kicked")
    })?;
    add("heap-bytes", &|records| {
        Ok(records.cycle()?.balance.heap_before)
    })?;
    add("memory-bytes", &|records| {
        Ok(records.cycle()?.balance.frames_before * FRAME_BYTES)
    })?;
    Ok(Some(Section {
        name: format!("q35, an AP more, from {} to {}", few.cpus(), many.cpus()),
        figures,
    }))
}

#[cfg(test)]
mod tests {
    use reveille_smp::strategy::Strategy;

    use super::*;
    use crate::qemu::machine::Chipset;

    fn records(kick: u64, heap: u64, frames: u64) -> Records {
        let mut records = Records::default();
        records.push(format!(
            r#"{{"record":"boot","schema":1,"machine":"m","accel_hint":"","cpus_listed":1,"cpus_enabled":1,"apic":"x2apic","tsc_hz":1,"clock_source":"hpet","entry_to_kick_ns":{kick}}}"#
        ));
        records.push(format!(
            r#"{{"record":"cycle","asked":1,"done":1,"aps":1,"lost":0,"failed":0,"duration_ns":5,"heap_before":{heap},"heap_after":{heap},"frames_before":{frames},"frames_after":{frames}}}"#
        ));
        records
    }

    #[test]
    fn the_difference_is_divided_among_the_aps_that_make_it() {
        let of = |chipset, cpus| Setting::new(chipset, cpus, Strategy::Parallel);
        let q35 = |cpus| of(Chipset::Q35, cpus);
        let boots = [
            (q35(1), records(0, 0, 0)),
            (q35(2), records(1000, 500, 10)),
            (of(Chipset::Pc, 64), records(9, 9, 9)),
            (q35(5), records(1031, 1100, 11)),
            (q35(3), records(9, 9, 9)),
        ];
        let boots = || boots.iter().map(|(setting, records)| (setting, records));
        let section = an_ap_more(boots()).expect("the records are whole");
        let section = section.expect("there are two machines");
        assert_eq!(section.name, "q35, an AP more, from 2 to 5");
        let figures = [
            Figure::new("prepare-instructions", 10),
            Figure::new("heap-bytes", 200),
            Figure::new("memory-bytes", 1365),
        ];
        assert_eq!(section.figures, figures);
        assert_eq!(an_ap_more(boots().take(3)).expect("whole"), None);
    }

    #[test]
    fn more_cpus_that_cost_less_are_an_error() {
        let boots = [(2, records(1000, 500, 10)), (3, records(1000, 499, 10))];
        let boots = boots.map(|(cpus, records)| {
            (
                Setting::new(Chipset::Q35, cpus, Strategy::Parallel),
                records,
            )
        });
        let boots = boots.iter().map(|(setting, records)| (setting, records));
        let error = an_ap_more(boots).expect_err("the heap shrinks");
        assert!(error.to_string().contains("cost less"), "{error}");
    }
}
