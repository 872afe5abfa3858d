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
    /// Judges a bring-up by the records of its CPUs. `strangers` is how many came with ids that no
    /// CPU of the list has: of them, only the last has a record. `gap` says why the list of CPUs
    /// may lack some, where it may: then nobody can say that all came up.
    ///
    /// It is enough without more to say, or although CPUs failed.
    ///
    /// # Errors
    ///
    /// What is missing, in words for people.
    pub fn judge(
        self,
        cpus: &[record::Cpu],
        strangers: u32,
        gap: Option<&str>,
    ) -> Result<Option<Enough>, Shortfall> {
        let count = |is_counted: fn(Outcome) -> bool| {
            let counted = cpus.iter().filter(|cpu| is_counted(cpu.outcome));
            counted.count() as u32
        };
        let running = count(|outcome| matches!(outcome, Outcome::Bsp | Outcome::Online));
        let failed = count(|outcome| outcome.is_failure() && outcome != Outcome::UnknownId);
        let is_enough = match self {
            Self::All => failed == 0 && strangers == 0 && gap.is_none(),
            Self::AtLeast(count) => running >= count.get(),
            Self::Any => true,
        };
        if is_enough {
            return Ok((failed > 0).then_some(Enough {
                require: self,
                running,
                failed,
            }));
        }
        let first = cpus.iter().find(|cpu| cpu.outcome.is_failure());
        Err(Shortfall {
            require: self,
            running,
            failed,
            strangers,
            first: first.map(|cpu| Missing {
                cpu: cpu.cpu,
                apic_id: cpu.apic_id,
                outcome: cpu.outcome,
            }),
            gap: gap.map(String::from),
        })
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

/// As many CPUs run as are required, and others failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    require: Require,
    running: u32,
    failed: u32,
}

impl fmt::Display for Enough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            require,
            running,
            failed,
        } = self;
        let all = running + failed;
        let verb = if *running == 1 { "runs" } else { "run" };
        write!(
            f,
            "{running} of {all} CPUs {verb}, enough for require={require}"
        )
    }
}

/// Fewer CPUs run than are required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    require: Require,
    running: u32,
    failed: u32,
    strangers: u32,
    first: Option<Missing>,
    gap: Option<String>,
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
            strangers,
            ..
        } = self;
        let mut separator = "";
        if let Require::AtLeast(count) = require {
            let verb = if *running == 1 {
                "CPU runs"
            } else {
                "CPUs run"
            };
            write!(f, "{running} {verb} of the {count} that are required")?;
            separator = "; ";
        } else {
            if *failed > 0 {
                // The BSP is running and is no AP.
                let aps = failed + running.saturating_sub(1);
                write!(f, "{failed} of {aps} APs did not come online")?;
                separator = ", and ";
            }
            match strangers {
                0 => {}
                1 => write!(f, "{separator}1 CPU came with an unknown id")?,
                count => write!(f, "{separator}{count} CPUs came with unknown ids")?,
            }
            if failed + strangers > 0 {
                separator = "; ";
            }
        }
        if let Some(gap) = &self.gap {
            write!(f, "{separator}{gap}")?;
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

    fn verdict(require: &str, outcomes: &[Outcome], gap: Option<&str>) -> Option<String> {
        let require: Require = require.parse().unwrap();
        let judged = require.judge(&cpus(outcomes), 0, gap);
        judged.err().map(|shortfall| shortfall.to_string())
    }

    fn enough(require: &str, outcomes: &[Outcome]) -> Option<String> {
        let require: Require = require.parse().unwrap();
        let judged = require.judge(&cpus(outcomes), 0, None).unwrap();
        judged.map(|enough| enough.to_string())
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
    }

    #[test]
    fn enough_is_told_with_what_it_did_without_and_nothing_where_it_did_without_nobody() {
        assert_eq!(
            enough("2", TWO_OF_FOUR).unwrap(),
            "2 of 4 CPUs run, enough for require=2"
        );
        assert_eq!(
            enough("any", &[Outcome::Bsp, Outcome::Late]).unwrap(),
            "1 of 2 CPUs runs, enough for require=any"
        );
        for require in ["all", "1", "any"] {
            let whole = [Outcome::Bsp, Outcome::Online, Outcome::Skipped];
            assert_eq!(enough(require, &whole), None);
        }
    }

    #[test]
    fn where_the_list_may_lack_cpus_nobody_can_say_that_all_came_up() {
        let alone = [Outcome::Bsp];
        let gap = Some("only CPU 0 is known: no MADT");
        assert_eq!(
            verdict("all", &alone, gap).unwrap(),
            "only CPU 0 is known: no MADT; require=all"
        );
        assert_eq!(
            verdict("all", &[Outcome::Bsp, Outcome::NeverStarted], Some("cut")).unwrap(),
            "1 of 1 APs did not come online; cut; first CPU 1 (APIC 3): never-started; require=all"
        );
        assert_eq!(
            verdict("2", &alone, gap).unwrap(),
            "1 CPU runs of the 2 that are required; only CPU 0 is known: no MADT; require=2"
        );
        assert_eq!(verdict("1", &alone, gap), None);
        assert_eq!(verdict("any", &alone, gap), None);
    }

    #[test]
    fn strangers_are_failures_and_no_aps() {
        let verdict = |outcomes: &[Outcome], strangers| {
            let mut cpus = cpus(outcomes);
            cpus.push(record::Cpu::unwoken(None, ApicId(99), Outcome::UnknownId));
            let judged = Require::All.judge(&cpus, strangers, None);
            judged.unwrap_err().to_string()
        };
        assert_eq!(
            verdict(&[Outcome::Bsp], 1),
            "1 CPU came with an unknown id; first (APIC 99): unknown-id; require=all"
        );
        assert_eq!(
            verdict(TWO_OF_FOUR, 1),
            "2 of 3 APs did not come online, and 1 CPU came with an unknown id; \
             first CPU 2 (APIC 6): never-started; require=all"
        );
        assert!(verdict(&[Outcome::Bsp], 2).starts_with("2 CPUs came with unknown ids; first "));
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
