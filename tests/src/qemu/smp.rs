//! The value of QEMU's `-smp`, as far as we must understand it: how many CPUs it makes, and how
//! large their APIC ids get.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result, bail};

/// More CPUs than any machine of QEMU's takes (q35: 4,096), and few enough to reckon with.
const MOST: u32 = 1 << 16;

/// A value for `-smp`, passed on as it was written. In JSON its text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Smp {
    text: String,
    cpus: u32,
    highest_apic_id: u32,
}

impl Smp {
    /// CPUs that are there when the machine starts.
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// The highest APIC id that a CPU of this machine can have, now or plugged in later.
    pub fn highest_apic_id(&self) -> u32 {
        self.highest_apic_id
    }
}

impl From<u32> for Smp {
    fn from(cpus: u32) -> Self {
        Self {
            text: cpus.to_string(),
            cpus,
            highest_apic_id: cpus.saturating_sub(1),
        }
    }
}

impl FromStr for Smp {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut cpus = None;
        let mut maxcpus = None;
        // From the outermost level to the innermost.
        let mut levels = [
            ("sockets", None),
            ("dies", None),
            ("modules", None),
            ("cores", None),
            ("threads", None),
        ];
        for (index, part) in text.split(',').enumerate() {
            let (key, value) = match part.split_once('=') {
                Some(pair) => pair,
                None if index == 0 => ("cpus", part),
                None => bail!("`{part}` is not of the form key=number"),
            };
            let number: u32 = value
                .parse()
                .ok()
                .filter(|number| (1..=MOST).contains(number))
                .with_context(|| format!("`{value}` is not a number of CPUs"))?;
            match key {
                "cpus" => cpus = Some(number),
                "maxcpus" => maxcpus = Some(number),
                _ => match levels.iter_mut().find(|(name, _)| *name == key) {
                    Some((_, level)) => *level = Some(number),
                    None => bail!("`{key}` is no part of -smp on a PC"),
                },
            }
        }
        let product = levels
            .iter()
            .try_fold(1, |product: u32, (_, level)| {
                product.checked_mul(level.unwrap_or(1))
            })
            .filter(|product| *product <= MOST)
            .with_context(|| format!("`{text}` is more CPUs than a machine takes"))?;
        let maxcpus = maxcpus.or(cpus).unwrap_or(product).max(product);
        Ok(Self {
            text: text.to_owned(),
            cpus: cpus.unwrap_or(maxcpus),
            highest_apic_id: highest_apic_id(maxcpus, levels.map(|(_, level)| level)),
        })
    }
}

impl TryFrom<String> for Smp {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Smp> for String {
    fn from(smp: Smp) -> Self {
        smp.text
    }
}

impl fmt::Display for Smp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// QEMU gives each level of the topology as many bits of the id as its size needs, so ids have
/// holes where a size is no power of two (QEMU, `include/hw/i386/topology.h`). The first level
/// that was not named takes what is left over, cores before sockets.
fn highest_apic_id(maxcpus: u32, levels: [Option<u32>; 5]) -> u32 {
    let [sockets, dies, modules, cores, threads] = levels;
    let (dies, modules) = (dies.unwrap_or(1), modules.unwrap_or(1));
    let share = |named: u32| maxcpus.div_ceil(named).max(1);
    let (sockets, cores, threads) = match (sockets, cores, threads) {
        (sockets, None, threads) => {
            let (sockets, threads) = (sockets.unwrap_or(1), threads.unwrap_or(1));
            (sockets, share(sockets * dies * modules * threads), threads)
        }
        (None, Some(cores), threads) => {
            let threads = threads.unwrap_or(1);
            (share(dies * modules * cores * threads), cores, threads)
        }
        (Some(sockets), Some(cores), None) => {
            (sockets, cores, share(sockets * dies * modules * cores))
        }
        (Some(sockets), Some(cores), Some(threads)) => (sockets, cores, threads),
    };
    [dies, modules, cores, threads]
        .into_iter()
        .fold(sockets - 1, |id, size| {
            let bits = size.next_power_of_two().trailing_zeros();
            (id << bits) | (size - 1)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smp(text: &str) -> (u32, u32) {
        let smp: Smp = text.parse().expect("a good value");
        assert_eq!(smp.to_string(), text);
        (smp.cpus(), smp.highest_apic_id())
    }

    #[test]
    fn a_plain_number_is_the_number_of_cpus() {
        assert_eq!(smp("8"), (8, 7));
        assert_eq!(smp("cpus=255"), (255, 254));
    }

    #[test]
    fn a_topology_leaves_holes_in_the_ids() {
        // Measured: ids 0-5 and 8-13.
        assert_eq!(smp("12,sockets=2,cores=3,threads=2"), (12, 13));
        assert_eq!(smp("sockets=2,cores=65,threads=2"), (260, 511 - 128 + 2));
    }

    #[test]
    fn cpus_that_can_be_plugged_in_later_have_ids_too() {
        assert_eq!(smp("4,maxcpus=8"), (4, 7));
        assert_eq!(smp("2,maxcpus=288"), (2, 287));
    }

    #[test]
    fn what_is_not_a_number_of_cpus_is_refused() {
        for text in [
            "",
            "0",
            "eight",
            "8,cores",
            "8,books=2",
            "cores=-1",
            "100000",
            "sockets=60000,cores=60000,threads=60000",
        ] {
            assert!(text.parse::<Smp>().is_err(), "{text:?} was taken");
        }
    }
}
