//! How many CPUs are enough: the policy behind the verdict of a run.
//!
//! A CPU that was skipped or is disabled was not to come up, and counts neither way.

use alloc::string::String;
use core::{fmt, num::NonZeroU32, str::FromStr};

use crate::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
    record,
};

/// What is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Require {
    /// Every AP that was to come up did.
    #[default]
    All,
    /// So many CPUs run, the BSP among them.
    AtLeast(NonZeroU32),
    /// The BSP runs, and whoever came up.
    Any,
}

impl Require {
    /// Judges a bring-up by the records of its CPUs. `unlisted` says why the CPUs are not known,
    /// where they are not: then nobody can say that all came up.
    ///
    /// # Errors
    ///
    /// What is missing, in words for people.
    pub fn judge(self, cpus: &[record::Cpu], unlisted: Option<&str>) -> Result<(), Shortfall> {
        let running = cpus
            .iter()
            .filter(|cpu| matches!(cpu.outcome, Outcome::Bsp | Outcome::Online))
            .count();
        let failed = cpus.iter().filter(|cpu| cpu.outcome.is_failure());
        let shortfall = Shortfall {
            require: self,
            running: running as u32,
            failed: failed.clone().count() as u32,
            first: failed.clone().next().map(|cpu| Missing {
                cpu: cpu.cpu,
                apic_id: cpu.apic_id,
                outcome: cpu.outcome,
            }),
            unlisted: unlisted.map(String::from),
        };
        let is_enough = match self {
            Self::All => shortfall.failed == 0 && unlisted.is_none(),
            Self::AtLeast(count) => shortfall.running >= count.get(),
            Self::Any => true,
        };
        if is_enough { Ok(()) } else { Err(shortfall) }
    }
}

/// A text that is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPolicy;

impl FromStr for Require {
    type Err = NotAPolicy;

    fn from_str(text: &str) -> Result<Self, NotAPolicy> {
        match text {
            "all" => Ok(Self::All),
            "any" => Ok(Self::Any),
            // Digits only: the parser of numbers takes a plus sign too.
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map(Self::AtLeast).map_err(|_| NotAPolicy)
            }
            _ => Err(NotAPolicy),
        }
    }
}

impl fmt::Display for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::AtLeast(count) => count.fmt(f),
            Self::Any => f.write_str("any"),
        }
    }
}

/// Fewer CPUs run than are required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    require: Require,
    running: u32,
    failed: u32,
    first: Option<Missing>,
    unlisted: Option<String>,
}

/// The first CPU that was to come up and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    cpu: Option<CpuIndex>,
    apic_id: ApicId,
    outcome: Outcome,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            require,
            running,
            failed,
            ..
        } = self;
        if let Some(why) = &self.unlisted {
            write!(f, "only CPU 0 is known: {why}")?;
        } else if let Require::AtLeast(count) = require {
            let verb = if *running == 1 {
                "CPU runs"
            } else {
                "CPUs run"
            };
            write!(f, "{running} {verb} of the {count} that are required")?;
        } else {
            // The BSP is running and is no AP.
            let aps = failed + running.saturating_sub(1);
            write!(f, "{failed} of {aps} APs did not come online")?;
        }
        if let Some(first) = self.first {
            write!(f, "; first ")?;
            if let Some(cpu) = first.cpu {
                write!(f, "CPU {cpu} ")?;
            }
            write!(f, "(APIC {}): {}", first.apic_id, first.outcome)?;
        }
        write!(f, "; require={require}")
    }
}

impl core::error::Error for Shortfall {}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{string::ToString, vec::Vec};

    use super::*;

    /// CPUs with these outcomes, the ids three times the numbers.
    fn cpus(outcomes: &[Outcome]) -> Vec<record::Cpu> {
        let numbered = (0..).map(CpuIndex).zip(outcomes);
        numbered
            .map(|(cpu, &outcome)| record::Cpu::unwoken(Some(cpu), ApicId(3 * cpu.0), outcome))
            .collect()
    }

    const TWO_OF_FOUR: &[Outcome] = &[
        Outcome::Bsp,
        Outcome::Online,
        Outcome::NeverStarted,
        Outcome::StuckLongMode,
        Outcome::Skipped,
        Outcome::Disabled,
    ];

    fn verdict(require: &str, outcomes: &[Outcome], unlisted: Option<&str>) -> Option<String> {
        let require: Require = require.parse().unwrap();
        let judged = require.judge(&cpus(outcomes), unlisted);
        judged.err().map(|shortfall| shortfall.to_string())
    }

    #[test]
    fn all_requires_every_cpu_that_was_to_come_up() {
        assert_eq!(
            verdict("all", TWO_OF_FOUR, None).unwrap(),
            "2 of 3 APs did not come online; first CPU 2 (APIC 6): never-started; require=all"
        );
        let whole = [
            Outcome::Bsp,
            Outcome::Online,
            Outcome::Skipped,
            Outcome::Disabled,
        ];
        assert_eq!(verdict("all", &whole, None), None);
        assert_eq!(verdict("all", &[Outcome::Bsp], None), None);
    }

    #[test]
    fn a_number_requires_so_many_that_run_whatever_became_of_the_others() {
        assert_eq!(verdict("1", TWO_OF_FOUR, None), None);
        assert_eq!(verdict("2", TWO_OF_FOUR, None), None);
        assert_eq!(
            verdict("3", TWO_OF_FOUR, None).unwrap(),
            "2 CPUs run of the 3 that are required; first CPU 2 (APIC 6): never-started; require=3"
        );
        assert_eq!(
            verdict("2", &[Outcome::Bsp], None).unwrap(),
            "1 CPU runs of the 2 that are required; require=2"
        );
    }

    #[test]
    fn any_is_content_with_the_bsp() {
        assert_eq!(verdict("any", &[Outcome::Bsp, Outcome::Late], None), None);
        assert_eq!(verdict("any", &[Outcome::Bsp], Some("no MADT")), None);
    }

    #[test]
    fn without_a_list_nobody_can_say_that_all_came_up() {
        let alone = [Outcome::Bsp];
        assert_eq!(
            verdict("all", &alone, Some("no MADT")).unwrap(),
            "only CPU 0 is known: no MADT; require=all"
        );
        assert_eq!(verdict("1", &alone, Some("no MADT")), None);
        assert!(verdict("2", &alone, Some("no MADT")).is_some());
    }

    #[test]
    fn a_stranger_is_a_failure_without_a_number() {
        let mut cpus = cpus(&[Outcome::Bsp]);
        cpus.push(record::Cpu::unwoken(None, ApicId(9), Outcome::UnknownId));
        assert_eq!(
            Require::All.judge(&cpus, None).unwrap_err().to_string(),
            "1 of 1 APs did not come online; first (APIC 9): unknown-id; require=all"
        );
    }

    #[test]
    fn a_policy_survives_its_own_text_and_what_is_none_is_refused() {
        for text in ["all", "any", "1", "4096", "4294967295"] {
            assert_eq!(text.parse::<Require>().unwrap().to_string(), text);
        }
        for text in ["", "0", "-1", "+1", "All", "some", "4294967296", "1.5"] {
            assert_eq!(text.parse::<Require>(), Err(NotAPolicy), "`{text}`");
        }
    }
}
