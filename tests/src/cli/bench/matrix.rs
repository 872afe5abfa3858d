//! The options that say what is measured: each machine type with each accelerator and each number of CPUs.

use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use reveille_smp::contender::{Contender, Contenders};

use super::super::{kernel_keys::is_known, machine_options::AccelOption};
use crate::{
    bench::cell::Machine,
    kernel::Kernel,
    qemu::{
        accel,
        machine::{Accel, Chipset},
        smp::Smp,
    },
};

/// The published machines whose times the kernel can keep to.
pub(super) const MODELS: &[&str] = &["skylake-112"];

/// The words that a benchmark adds itself, and those that keep a boot from its end.
const OURS: &[&str] = &["bench", "strategies", "model", "after"];

/// The machines.
#[derive(Clone, Debug, Args)]
pub(super) struct Matrix {
    /// Numbers of CPUs: a list; a part with `=` belongs to the number before it; several times
    #[arg(long, value_name = "LIST", default_value = "2,8,64", value_parser = str::parse::<SmpList>)]
    smp: Vec<SmpList>,

    /// What is compared in each boot [default: all]
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Contender::ALL.map(Contender::name))
            .try_map(|name| name.parse::<Contender>().map_err(|_| "unknown"))
    )]
    strategies: Vec<Contender>,

    /// What executes the guests
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        default_value = "auto"
    )]
    accel: Vec<AccelOption>,

    /// The machine types
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        default_value = "q35"
    )]
    machine: Vec<Chipset>,

    /// A published machine whose times the kernel keeps to
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(MODELS))]
    model: Option<String>,

    /// QEMU's CPU model, with flags [default: all that the accelerator has]
    #[arg(long, value_name = "MODEL")]
    cpu: Option<String>,

    /// Size of the memory, such as 2G [default: 512M]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,

    /// Further words for the kernel; may be given several times
    #[arg(long, value_name = "KEY=VALUE ...", value_parser = words)]
    append: Vec<String>,
}

impl Matrix {
    /// Who is measured in each boot.
    pub(super) fn contenders(&self) -> Contenders {
        match self.strategies.is_empty() {
            true => Contenders::default(),
            false => self.strategies.iter().copied().collect(),
        }
    }

    /// The machines, each once: of each machine type and accelerator all numbers of CPUs. Says on the
    /// standard error which accelerator `auto` came to be, and why.
    ///
    /// # Errors
    ///
    /// An accelerator that was asked for is not there.
    pub(super) fn machines(&self, kernel: &Kernel) -> Result<Vec<Machine>> {
        let mut machines = Vec::new();
        for &chipset in &self.machine {
            for &accel in &self.accel {
                let accel = resolve(accel, chipset, self.cpu.as_deref(), kernel)?;
                for smp in self.smp.iter().flat_map(|SmpList(list)| list) {
                    let machine = Machine {
                        chipset,
                        accel,
                        smp: smp.clone(),
                        cpu: self.cpu.clone(),
                        memory: self.memory.clone(),
                        words: self.append.join(" "),
                        model: self.model.clone(),
                    };
                    if !machines.contains(&machine) {
                        machines.push(machine);
                    }
                }
            }
        }
        Ok(machines)
    }
}

/// What executes the guests. Says on the standard error which accelerator `auto` came to be, and why.
///
/// # Errors
///
/// An accelerator that was asked for is not there.
pub(super) fn resolve(
    asked: AccelOption,
    chipset: Chipset,
    cpu: Option<&str>,
    kernel: &Kernel,
) -> Result<Accel> {
    Ok(match asked {
        AccelOption::Auto => {
            let choice = accel::choose(kernel, chipset, cpu, &kernel.scratch())?;
            eprintln!("xtask: {chipset}, {} ({})", choice.accel, choice.reason);
            choice.accel
        }
        AccelOption::Tcg => Accel::Tcg,
        AccelOption::Icount => Accel::Icount,
        AccelOption::Kvm => {
            accel::device_opens().context("--accel kvm: /dev/kvm does not open")?;
            Accel::Kvm
        }
    })
}

/// Values for `-smp` in one word, such as `2,8,64` or `112,sockets=2,cores=28,threads=2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SmpList(pub(super) Vec<Smp>);

impl FromStr for SmpList {
    type Err = anyhow::Error;

    fn from_str(list: &str) -> Result<Self> {
        let mut values: Vec<String> = Vec::new();
        for part in list.split(',') {
            match values.last_mut() {
                Some(value) if part.contains('=') => *value += &format!(",{part}"),
                _ => values.push(part.to_owned()),
            }
        }
        let values: Result<_> = values.iter().map(|value| value.parse()).collect();
        values.map(Self)
    }
}

/// Words for the kernel that a benchmark can be with.
fn words(text: &str) -> Result<String> {
    for word in text.split_ascii_whitespace() {
        let (key, _) = word
            .split_once('=')
            .with_context(|| format!("`{word}` is no KEY=VALUE"))?;
        is_known(key)?;
        ensure!(!OURS.contains(&key), "`{key}=` is for the benchmark to say");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::KERNEL_KEYS;

    #[test]
    fn a_part_with_an_equals_sign_belongs_to_the_number_before_it() {
        let texts = |list: &str| {
            let SmpList(list) = list.parse().expect("they are numbers of CPUs");
            list.iter().map(Smp::to_string).collect::<Vec<_>>()
        };
        assert_eq!(texts("2,8,64"), ["2", "8", "64"]);
        assert_eq!(
            texts("2,112,sockets=2,cores=28,threads=2,8,maxcpus=16"),
            ["2", "112,sockets=2,cores=28,threads=2", "8,maxcpus=16"]
        );
        assert_eq!(texts("sockets=2,cores=3"), ["sockets=2,cores=3"]);
        for wrong in ["", "2,", "2,,8", "0", "two", "2,books=3"] {
            assert!(wrong.parse::<SmpList>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_models_are_those_of_the_kernels_key() {
        let key = KERNEL_KEYS.iter().find(|(key, _)| *key == "model");
        let (_, meaning) = key.expect("there is such a key");
        let (_, models) = meaning.rsplit_once(": ").expect("they are named last");
        assert!(models.split(", ").eq(MODELS.iter().copied()), "{models}");
    }

    #[test]
    fn words_are_the_kernels_and_not_the_benchmarks_own() {
        assert!(words("init-delay=10000 report=cpu").is_ok());
        for (wrong, hint) in [
            ("quiet", "KEY=VALUE"),
            ("brinup=serial", "there is one called `bringup`"),
            ("report=cpu bench=3", "`bench=`"),
            ("after=halt", "`after=`"),
        ] {
            let error = words(wrong).expect_err(wrong).to_string();
            assert!(error.contains(hint), "{wrong}: {error}");
        }
    }
}
