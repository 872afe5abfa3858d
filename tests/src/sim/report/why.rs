//! Why one strategy is faster than another, in a line each: how long the BSP is busy, and how long
//! nothing goes on but for one AP. What is neither of them overlaps.

use std::fmt;

use reveille_smp::strategy::Strategy;

use super::{phases::Phases, timeline::millis};

/// The lines, indented as those of the comparison above them.
pub struct Why<'a>(pub &'a [(Strategy, Phases)]);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (strategy, phases) in self.0 {
            writeln!(
                f,
                "{:10}{strategy}: of {} ms the BSP is busy for {}, and for {} all wait for one AP",
                "",
                millis(phases.whole()),
                millis(phases.bsp_busy()),
                millis(phases.one_ap)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::report::by_hand::{brought_up, model, span};

    #[test]
    fn who_waits_for_one_ap_is_slower() {
        let spans = vec![
            span(0, "prepare", 0, 300),
            span(1, "join", 200, 500),
            span(2, "join", 450, 600),
            // Of the one that is waited for already.
            span(2, "poll", 550, 600),
        ];
        let brought_up = brought_up(&model(), Strategy::TwoPass, &[Some(600)], spans);
        let text = Why(&[(Strategy::TwoPass, Phases::of(&brought_up))]).to_string();
        // 300-450, 500-600.
        let expected =
            "two-pass: of 0.60 ms the BSP is busy for 0.30, and for 0.25 all wait for one AP\n";
        assert_eq!(text.trim_start(), expected);
    }
}
