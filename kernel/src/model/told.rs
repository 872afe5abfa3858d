//! What is said of a model on the console, so that nobody takes its times for this machine's.

#![forbid(unsafe_code)]

use alloc::{format, vec::Vec};
use core::fmt;

use reveille_smp::{lines::Words, look::Look};

use super::machine::Modelled;

/// The lines, with the end of the last left out.
pub struct Told<'a>(pub &'a Modelled, pub Look);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(modelled, look) = *self;
        let indent = 7;
        let figures = modelled.figures();
        let steps: Vec<_> = figures.steps.iter().map(|step| step.name).collect();
        let text = format!(
            "model: {}, {}: the times below are not this machine's. A kick, an answer and the steps {} take what they \
             take there, at the least",
            modelled.model().name(),
            figures.title,
            steps.join(", "),
        );
        let text = text.as_str();
        write!(f, "{}", Words { text, indent }.within(look))?;
        if modelled.fits() {
            return Ok(());
        }
        let text = format!(
            "       this machine has {} CPUs and another shape than the model's {}: what each takes is the model's, and \
             what all take together is nobody's",
            modelled.cpus(),
            figures.cpus(),
        );
        let text = text.as_str();
        write!(f, "\n{}", Words { text, indent }.within(look))
    }
}
