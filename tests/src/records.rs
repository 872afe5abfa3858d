//! The guest's records, as they came and as what they mean.

use anyhow::{Context, Result};
use reveille_smp::record::{Boot, Bringup, Cpu, Exit, Record};

/// The lines of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    lines: Vec<String>,
}

impl Records {
    /// Adds a line, without its end.
    pub fn push(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The lines as they came.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// All of them, taken apart.
    pub fn parse(&self) -> Result<Vec<Record>> {
        self.lines
            .iter()
            .map(|line| serde_json::from_str(line).with_context(|| format!("the record {line}")))
            .collect()
    }

    /// The machine.
    pub fn boot(&self) -> Result<Boot> {
        self.find(|record| match record {
            Record::Boot(boot) => Some(boot),
            _ => None,
        })?
        .context("there is no record `boot`")
    }

    /// The CPUs in the boot's first attempt, in the kernel's order.
    pub fn cpus(&self) -> Result<Vec<Cpu>> {
        self.cpus_of_attempt(0)
    }

    /// The CPUs in an attempt, in the kernel's order; the first one has number 0.
    pub fn cpus_of_attempt(&self, attempt: u32) -> Result<Vec<Cpu>> {
        let cpus = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Cpu(cpu) if cpu.attempt == attempt => Some(cpu),
            _ => None,
        });
        Ok(cpus.collect())
    }

    /// The boot's own bring-up, round 0, in its first attempt.
    pub fn bringup(&self) -> Result<Bringup> {
        self.bringup_of_attempt(0)
    }

    /// The boot's own bring-up, round 0, in an attempt; the first one has number 0.
    pub fn bringup_of_attempt(&self, attempt: u32) -> Result<Bringup> {
        self.find(|record| match record {
            Record::Bringup(bringup) if (bringup.round, bringup.attempt) == (0, attempt) => {
                Some(bringup)
            }
            _ => None,
        })?
        .with_context(|| format!("there is no record `bringup` of round 0, attempt {attempt}"))
    }

    /// The bring-ups, round 0 first.
    pub fn bringups(&self) -> Result<Vec<Bringup>> {
        let bringups = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Bringup(bringup) => Some(bringup),
            _ => None,
        });
        Ok(bringups.collect())
    }

    /// The kernel's verdict.
    pub fn exit(&self) -> Result<Exit> {
        self.find(|record| match record {
            Record::Exit(exit) => Some(exit),
            _ => None,
        })?
        .context("there is no record `exit`")
    }

    fn find<T>(&self, select: impl Fn(Record) -> Option<T>) -> Result<Option<T>> {
        Ok(self.parse()?.into_iter().find_map(select))
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::record::ExitStatus;

    use super::*;

    fn records(lines: &[&str]) -> Records {
        let mut records = Records::default();
        lines
            .iter()
            .for_each(|line| records.push((*line).to_owned()));
        records
    }

    #[test]
    fn the_verdict_is_found_among_the_records() {
        let records = records(&[
            r#"{"record":"floor","round":1,"aps":3,"total_ns":5}"#,
            r#"{"record":"exit","status":"failed","reason":"because"}"#,
        ]);
        let exit = records.exit().expect("there is one");
        assert_eq!(exit.status, ExitStatus::Failed);
        assert_eq!(exit.reason.as_deref(), Some("because"));
        assert!(records.boot().is_err());
    }

    #[test]
    fn a_line_that_is_no_record_is_named_in_the_error() {
        let error = records(&[r#"{"record":"exi"#])
            .parse()
            .expect_err("it is cut off");
        assert!(
            format!("{error:#}").contains(r#"{"record":"exi"#),
            "{error:#}"
        );
    }
}
