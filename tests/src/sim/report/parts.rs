//! The parts of a bring-up as people publish them.

use std::time::Duration;

use reveille_smp::step::Section;

use super::BroughtUp;
use crate::sim::model::{At, Model, Part};

/// How long each part took in one simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    all: Duration,
    first_threads: Duration,
    prepare: Duration,
}

impl Parts {
    /// The parts of a simulation, of which spans were kept.
    pub fn of(model: &Model, brought_up: &BroughtUp) -> Self {
        let BroughtUp { round, spans, .. } = brought_up;
        let begin = spans.iter().map(|span| span.start).min();
        let begin = begin.unwrap_or(round.start);
        let last_online = |is_counted: &dyn Fn(usize) -> bool| {
            let counted = round
                .reports
                .iter()
                .filter(|report| is_counted(report.cpu.as_usize()));
            let last = counted.filter_map(|report| report.online).max();
            last.map_or(Duration::ZERO, |last| last - begin)
        };
        let is_prepare = |what: &str| {
            let sends = [At::Init, At::Sipi, At::Broadcast];
            let mut steps = model.steps.iter();
            sends.iter().any(|at| what == <&str>::from(at))
                || steps.any(|step| step.section == Section::Prepare && step.name == what)
        };
        let of_bsp = spans.iter().filter(|span| span.cpu == 0);
        let prepare = of_bsp.filter(|span| is_prepare(span.what));
        Self {
            all: last_online(&|_| true),
            first_threads: last_online(&|cpu| model.shape.place(cpu).thread == 0),
            prepare: prepare.map(|span| span.end - span.start).sum(),
        }
    }

    /// How long that part took.
    pub fn get(&self, part: Part) -> Duration {
        match part {
            Part::All => self.all,
            Part::FirstThreads => self.first_threads,
            Part::OtherThreads => self.all.saturating_sub(self.first_threads),
            Part::Prepare => self.prepare,
            Part::Online => self.all.saturating_sub(self.prepare),
        }
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::strategy::Strategy;

    use super::*;
    use crate::sim::report::by_hand::{brought_up, model, span};

    #[test]
    fn the_parts_count_from_the_first_piece_of_work() {
        let model = model();
        let spans = vec![
            span(0, "prepare", 5, 105),
            span(0, "init", 105, 115),
            span(0, "poll", 115, 150),
            span(1, "join", 150, 600),
            span(1, "sipi", 150, 600),
        ];
        // CPU 1 is the other first thread.
        let online = [Some(605), Some(905), None];
        let brought_up = brought_up(&model, Strategy::Serial, &online, spans);
        let parts = Parts::of(&model, &brought_up);
        let micros = |part| parts.get(part).as_micros();
        assert_eq!(micros(Part::All), 900);
        assert_eq!(micros(Part::FirstThreads), 600);
        assert_eq!(micros(Part::OtherThreads), 300);
        assert_eq!(micros(Part::Prepare), 110);
        assert_eq!(micros(Part::Online), 790);
    }
}
