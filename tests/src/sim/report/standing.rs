//! What was simulated beside what was measured on the real machine, those from which the model was
//! made kept apart from those that it has to predict.

use std::{fmt, time::Duration};

use comfy_table::{CellAlignment, Table, presets};
use reveille_smp::{look::Look, strategy::Strategy, table::median};

use super::{parts::Parts, timeline::millis};
use crate::{
    sim::model::{Model, Total},
    terminal::look::fit,
};

/// One measured time and its simulation.
pub struct Standing<'a> {
    /// What was measured.
    pub total: &'a Total,
    /// The median of the simulations.
    pub simulated: Duration,
}

impl Standing<'_> {
    /// By how much the simulation is longer than what was measured, in percent.
    pub fn error_percent(&self) -> f64 {
        (self.simulated.as_secs_f64() / self.total.published.as_secs_f64() - 1.0) * 100.0
    }

    /// Whether it is as near as was asked, if anything was.
    pub fn is_met(&self) -> Option<bool> {
        let within = self.total.within_percent?;
        Some(self.error_percent().abs() <= within)
    }
}

/// All that was measured on a machine of this size with a strategy that was simulated: first what
/// the model was made from, then what it has to predict.
pub fn standings<'a>(model: &'a Model, simulated: &[(Strategy, &[Parts])]) -> Vec<Standing<'a>> {
    let standing = |total: &'a Total| {
        let runs = simulated
            .iter()
            .find(|(strategy, _)| *strategy == total.strategy);
        let nanos = |parts: &Parts| parts.get(total.part).as_nanos() as u64;
        let mut times: Vec<u64> = runs?.1.iter().map(nanos).collect();
        Some(Standing {
            total,
            simulated: Duration::from_nanos(median(&mut times)?),
        })
    };
    let mut standings: Vec<_> = model.fitting_totals().filter_map(standing).collect();
    standings.sort_by_key(|standing| standing.total.role);
    standings
}

/// How many are not as near as was asked, in words, if any.
pub fn missed(standings: &[Standing<'_>]) -> Option<String> {
    let asked: Vec<_> = standings.iter().filter_map(Standing::is_met).collect();
    let missed = asked.iter().filter(|&&is_met| !is_met).count();
    let all = asked.len();
    let word = if all == 1 {
        "prediction"
    } else {
        "predictions"
    };
    (missed > 0).then(|| format!("{missed} of {all} {word} missed what was asked"))
}

/// A line for each; nothing where there are none.
pub struct StandingTable<'a>(pub &'a [Standing<'a>], pub Look);

impl fmt::Display for StandingTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header([
            "ms",
            "",
            "",
            "published",
            "simulated",
            "error",
            "asked",
        ]);
        let mut last_role = None;
        for standing in self.0 {
            let total = standing.total;
            let is_new = last_role.replace(total.role) != Some(total.role);
            table.add_row([
                if is_new {
                    total.role.to_string()
                } else {
                    String::new()
                },
                total.strategy.to_string(),
                match &total.name {
                    Some(name) => format!("{}, {name}", total.part),
                    None => total.part.to_string(),
                },
                millis(total.published).to_string(),
                millis(standing.simulated).to_string(),
                format!("{:+.1} %", standing.error_percent()),
                match (total.within_percent, standing.is_met()) {
                    (Some(within), Some(true)) => format!("{within} %: kept"),
                    (Some(within), _) => format!("{within} %: missed"),
                    (None, _) => String::new(),
                },
            ]);
        }
        for column in table.column_iter_mut().take(1) {
            column.set_padding((0, 1));
        }
        for column in table.column_iter_mut().skip(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        fit(&mut table, self.1);
        writeln!(f, "{}", table.trim_fmt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{
        model::Use,
        report::by_hand::{brought_up, model, span},
    };

    fn runs(model: &Model, online: [u64; 3]) -> Vec<Parts> {
        let run = |online| {
            let spans = vec![span(0, "prepare", 0, 500)];
            Parts::of(
                model,
                &brought_up(model, Strategy::Parallel, &[Some(online)], spans),
            )
        };
        online.map(run).into()
    }

    #[test]
    fn the_median_of_the_runs_stands_beside_what_was_measured() {
        let model = model();
        let runs = [(Strategy::Parallel, &runs(&model, [1_000, 2_100, 9_000])[..])];
        let standings = standings(&model, &runs);
        // What nobody simulated is left out.
        let roles: Vec<_> = standings.iter().map(|it| it.total.role).collect();
        assert_eq!(roles, [Use::Calibrated, Use::Validated]);
        assert_eq!(standings[1].simulated, Duration::from_micros(2_100));
        assert!((standings[1].error_percent() - 5.0).abs() < 1e-9);
        assert_eq!(standings[1].is_met(), Some(true));
        assert_eq!(standings[0].is_met(), None);
        let text = StandingTable(&standings, Look::default()).to_string();
        assert!(
            text.contains("validated") && text.contains("+5.0 %"),
            "{text}"
        );
        assert!(text.contains("10 %: kept"), "{text}");
        assert!(text.contains(" all, May "), "{text}");
    }

    #[test]
    fn an_error_in_either_direction_can_be_too_large() {
        let model = model();
        for (online, expected) in [(2_201, false), (2_199, true), (1_801, true), (1_799, false)] {
            let runs = [(Strategy::Parallel, &runs(&model, [online; 3])[..])];
            assert_eq!(
                standings(&model, &runs)[1].is_met(),
                Some(expected),
                "{online}"
            );
            let told = missed(&standings(&model, &runs));
            let expected = (!expected).then_some("1 of 1 prediction missed what was asked");
            assert_eq!(told.as_deref(), expected);
        }
    }

    #[test]
    fn a_machine_of_another_size_stands_beside_nothing() {
        let larger = model().with_cpus(8).expect("it can grow");
        let runs = [(Strategy::Parallel, &runs(&larger, [1, 2, 3])[..])];
        let standings = standings(&larger, &runs);
        assert_eq!(StandingTable(&standings, Look::default()).to_string(), "");
    }
}
