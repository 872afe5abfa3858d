//! Sentences for the CPUs that are not as they should be: one for all that share it, however many
//! they are.

use core::fmt;

use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

use crate::{
    lines::{BELOW_TABLE, Sentence},
    look::Look,
    outcome::Outcome,
    ranges::Ranges,
    record::Cpu,
};

/// A line for each thing that befell CPUs, in the order of the first CPU of each.
pub(crate) struct Explanations<'a>(pub(crate) &'a [Cpu], pub(crate) Look);

/// What befell a CPU: CPUs for which all of it is the same share a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fate<'a> {
    outcome: &'static str,
    is_numbered: bool,
    step: Option<&'a str>,
    reason: Option<&'a str>,
}

/// The CPUs of one line, without its end.
struct Group<'a> {
    fate: Fate<'a>,
    outcome: Outcome,
    cpus: Ranges,
    apic_ids: Ranges,
}

impl fmt::Display for Explanations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        groups(self.0).iter().try_for_each(|group| {
            let text = group.to_string();
            let (text, indent, look) = (text.as_str(), BELOW_TABLE, self.1);
            writeln!(f, "{}", Sentence { text, indent, look })
        })
    }
}

fn groups(cpus: &[Cpu]) -> Vec<Group<'_>> {
    let mut position = BTreeMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for cpu in cpus {
        if cpu.reason.is_none() && cpu.outcome.advice().is_none() {
            continue;
        }
        let fate = Fate {
            outcome: cpu.outcome.into(),
            is_numbered: cpu.cpu.is_some(),
            step: cpu.step.as_deref(),
            reason: cpu.reason.as_deref(),
        };
        let at = *position.entry(fate).or_insert_with(|| {
            groups.push(Group {
                fate,
                outcome: cpu.outcome,
                cpus: Ranges::default(),
                apic_ids: Ranges::default(),
            });
            groups.len() - 1
        });
        if let Some(number) = cpu.cpu {
            groups[at].cpus.push(number.0);
        }
        groups[at].apic_ids.push(cpu.apic_id.0);
    }
    groups
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fate,
            outcome,
            cpus,
            apic_ids,
        } = self;
        if fate.is_numbered {
            let word = if cpus.is_single() { "CPU" } else { "CPUs" };
            write!(f, "{word} {cpus} (APIC {apic_ids}): {outcome}")?;
        } else {
            write!(f, "APIC {apic_ids}: {outcome}")?;
        }
        if let Some(step) = fate.step {
            write!(f, " at step {step}")?;
        }
        for sentence in [fate.reason, outcome.advice()].into_iter().flatten() {
            write!(f, "; {sentence}")?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::cpu::{ApicId, CpuIndex};

    fn cpu(number: Option<u32>, apic_id: u32, outcome: Outcome, reason: Option<&str>) -> Cpu {
        Cpu {
            reason: reason.map(String::from),
            ..Cpu::unwoken(number.map(CpuIndex), ApicId(apic_id), outcome)
        }
    }

    fn lines(cpus: &[Cpu]) -> Vec<String> {
        let text = Explanations(cpus, Look::default()).to_string();
        text.lines().map(String::from).collect()
    }

    #[test]
    fn a_cpu_that_failed_gets_a_sentence_and_a_healthy_one_none() {
        let mut stuck = cpu(
            Some(2),
            7,
            Outcome::Failed,
            Some("it did not finish in time"),
        );
        stuck.step = Some("inbox".into());
        let lines = lines(&[cpu(Some(1), 6, Outcome::Online, None), stuck]);
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0]
                .starts_with("CPU 2 (APIC 7): failed at step inbox; it did not finish in time; "),
            "{lines:?}"
        );
    }

    #[test]
    fn cpus_that_share_a_fate_share_a_line_and_others_do_not() {
        let mut cpus = Vec::new();
        for number in 12..10_000 {
            cpus.push(cpu(Some(number), number, Outcome::Skipped, Some("no room")));
        }
        cpus[5].reason = Some("another".into());
        cpus[6].outcome = Outcome::Failed;
        cpus[7].step = Some("inbox".into());
        let lines = lines(&cpus);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(
            lines[0],
            "CPUs 12-16,20-9999 (APIC 12-16,20-9999): skipped; no room"
        );
        assert_eq!(lines[1], "CPU 17 (APIC 17): skipped; another");
    }

    #[test]
    fn cpus_without_numbers_are_named_by_their_ids() {
        let disabled = |id| cpu(None, id, Outcome::Disabled, Some("not now"));
        let numbered = cpu(Some(4), 6, Outcome::Disabled, Some("not now"));
        assert_eq!(
            lines(&[numbered, disabled(8), disabled(9)]),
            [
                "CPU 4 (APIC 6): disabled; not now",
                "APIC 8-9: disabled; not now"
            ]
        );
    }
}
