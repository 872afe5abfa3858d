//! What a person sees of the ladder: all rungs, the highest first, with the CPUs at each. Made from
//! the records, so that whoever has records can print it.

use core::fmt;

use crate::{ranges::Ranges, record::State};

/// A listing, with the end of its last line left out.
pub struct StatesTable<'a>(pub &'a [State]);

impl fmt::Display for StatesTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|state| state.step.len());
        let width = names.max().unwrap_or_default().max(4);
        write!(
            f,
            "rung {:width$} {:8} {:10} CPUs",
            "step", "section", "mode"
        )?;
        for state in self.0 {
            write!(
                f,
                "\n{:>4} {:width$} {:8} {:10} ",
                state.rung,
                state.step,
                state.section.as_deref().unwrap_or("-"),
                state.mode.as_deref().unwrap_or("-"),
            )?;
            let cpus: Ranges = state.cpus.iter().map(|cpu| cpu.0).collect();
            match (cpus.is_empty(), state.can_rest) {
                (false, _) => cpus.fmt(f)?,
                (true, true) => f.write_str("-")?,
                (true, false) => f.write_str("(pass only)")?,
            }
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{
        string::{String, ToString},
        vec::Vec,
    };

    use super::*;
    use crate::cpu::CpuIndex;

    fn state(rung: u32, step: &str, section: Option<&str>, cpus: &[u32]) -> State {
        State {
            listing: 0,
            rung,
            step: step.into(),
            section: section.map(String::from),
            mode: section.map(|_| String::from("concurrent")),
            can_rest: step != "tables",
            cpus: cpus.iter().copied().map(CpuIndex).collect(),
        }
    }

    #[test]
    fn every_rung_has_a_line_with_its_cpus_and_the_columns_stand_below_their_heads() {
        let table = StatesTable(&[
            state(10, "interrupts", Some("starting"), &[1, 2, 3, 5]),
            state(9, "tables", Some("starting"), &[]),
            state(8, "stack", Some("prepare"), &[]),
            state(0, "offline", None, &[4]),
        ]);
        let text = table.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "rung step       section  mode       CPUs",
                "  10 interrupts starting concurrent 1-3,5",
                "   9 tables     starting concurrent (pass only)",
                "   8 stack      prepare  concurrent -",
                "   0 offline    -        -          4",
            ]
        );
    }
}
