//! What a person sees of a CPU that was added or removed: one line, made from the record.

use core::fmt;

use crate::{
    outcome::Outcome,
    record::{Hotplug, HotplugOutcome, Removal},
    table::Millis,
};

/// The line, without an end of line.
pub struct HotplugLine<'a>(pub &'a Hotplug);

impl fmt::Display for HotplugLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hotplug {
            cpu,
            apic_id,
            outcome,
            step,
            reason,
            duration_ns,
            ..
        } = self.0;
        let ms = Millis {
            nanos: *duration_ns,
        };
        f.write_str("hotplug: ")?;
        match cpu {
            Some(cpu) => write!(f, "CPU {cpu} (APIC {apic_id})")?,
            None => write!(f, "APIC {apic_id}")?,
        }
        let advice = match outcome {
            HotplugOutcome::Added(outcome @ Outcome::Skipped) => {
                write!(f, " added: {outcome}")?;
                None
            }
            HotplugOutcome::Added(outcome) => {
                write!(f, " added: {outcome}")?;
                if let Some(step) = step {
                    write!(f, " at step {step}")?;
                }
                let after = if *outcome == Outcome::Online {
                    "in"
                } else {
                    "after"
                };
                write!(f, " {after} {ms} ms")?;
                outcome.advice()
            }
            HotplugOutcome::Removal(Removal::Removed) => {
                write!(f, " removed in {ms} ms")?;
                None
            }
            HotplugOutcome::Removal(Removal::Refused) => {
                write!(f, " not removed")?;
                if let Some(step) = step {
                    write!(f, ", failed at step {step}")?;
                }
                None
            }
        };
        match reason.as_deref().or(advice) {
            Some(why) => write!(f, "; {why}"),
            None => Ok(()),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
        record::{HotplugEvent, HotplugSource},
    };

    fn line(outcome: HotplugOutcome, step: Option<&str>, reason: Option<&str>) -> String {
        let event = match outcome {
            HotplugOutcome::Added(_) => HotplugEvent::Add,
            HotplugOutcome::Removal(_) => HotplugEvent::Remove,
        };
        HotplugLine(&Hotplug {
            event,
            cpu: Some(CpuIndex(3)),
            apic_id: ApicId(6),
            outcome,
            step: step.map(String::from),
            reason: reason.map(String::from),
            duration_ns: 1_420_000,
            source: HotplugSource::Sci,
        })
        .to_string()
    }

    #[test]
    fn a_line_says_what_came_of_it_and_why_it_is_not_what_was_asked_for() {
        let added = HotplugOutcome::Added;
        assert_eq!(
            line(added(Outcome::Online), None, None),
            "hotplug: CPU 3 (APIC 6) added: online in 1.42 ms"
        );
        assert_eq!(
            line(added(Outcome::Failed), Some("tlb"), Some("it was told to")),
            "hotplug: CPU 3 (APIC 6) added: failed at step tlb after 1.42 ms; it was told to"
        );
        let silent = line(added(Outcome::NeverStarted), None, None);
        let expected =
            "hotplug: CPU 3 (APIC 6) added: never-started after 1.42 ms; it gave no sign of life";
        assert!(silent.starts_with(expected), "{silent}");
        assert_eq!(
            line(added(Outcome::Skipped), None, Some("smt=off")),
            "hotplug: CPU 3 (APIC 6) added: skipped; smt=off"
        );
        assert_eq!(
            line(HotplugOutcome::Removal(Removal::Removed), None, None),
            "hotplug: CPU 3 (APIC 6) removed in 1.42 ms"
        );
        assert_eq!(
            line(
                HotplugOutcome::Removal(Removal::Refused),
                Some("inbox"),
                Some("it was told to")
            ),
            "hotplug: CPU 3 (APIC 6) not removed, failed at step inbox; it was told to"
        );
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_record_survives_its_own_text() {
        use crate::record::Record;
        let record = Record::Hotplug(Hotplug {
            event: HotplugEvent::Remove,
            cpu: None,
            apic_id: ApicId(9),
            outcome: HotplugOutcome::Removal(Removal::Removed),
            step: None,
            reason: None,
            duration_ns: 7,
            source: HotplugSource::Poll,
        });
        let text = serde_json::to_string(&record).unwrap();
        assert!(
            text.contains(r#""record":"hotplug","event":"remove","cpu":null"#),
            "{text}"
        );
        assert!(text.contains(r#""outcome":"removed""#), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
