//! A chart as a figure: its canvas, what it says in words, and its figures as tables.
//!
//! **Nothing is in the canvas alone.** Whoever does not see it, prints the page or runs no scripts has the same
//! from the caption and the tables.

use std::cmp::Reverse;

use maud::{Markup, Render, html};

/// A chart, and what there is to choose from in it.
pub(super) struct Chart {
    /// Its name, in ids and among `window.reveille.charts`.
    pub(super) name: &'static str,
    /// What is chosen, such as `Machine`.
    pub(super) choose: &'static str,
    /// What can be chosen; at least one. It opens on that with the most CPUs, or the first of those.
    pub(super) choices: Vec<Choice>,
    /// How it is to be read.
    pub(super) reading: Markup,
    /// Buttons of its own.
    pub(super) buttons: &'static [(&'static str, &'static str)],
}

/// One of those that a chart can show.
pub(super) struct Choice {
    /// What a person chooses it by.
    pub(super) name: String,
    /// Of how many CPUs it is; 0 where it is of machines of many sizes.
    pub(super) cpus: usize,
    /// The result in words.
    pub(super) says: String,
    /// Its figures.
    pub(super) figures: Markup,
}

impl Chart {
    /// What is shown to who has chosen nothing: bringing up a few CPUs is what any kernel is quick at.
    fn opens_on(&self) -> usize {
        let choices = self.choices.iter().enumerate();
        let largest = choices.min_by_key(|(_, choice)| Reverse(choice.cpus));
        largest.map_or(0, |(index, _)| index)
    }
}

impl Render for Chart {
    fn render(&self) -> Markup {
        let chooser = format!("choose-{}", self.name);
        let opens_on = self.opens_on();
        let says = self.choices.get(opens_on).map(|it| it.says.as_str());
        html! {
            figure.chart id={ "chart-" (self.name) } {
                @if self.choices.len() > 1 || !self.buttons.is_empty() {
                    div.controls {
                        @if self.choices.len() > 1 {
                            label for=(chooser) { (self.choose) }
                            select id=(chooser) autocomplete="off" {
                                @for (index, choice) in self.choices.iter().enumerate() {
                                    option data-says=(choice.says) selected[index == opens_on] { (choice.name) }
                                }
                            }
                        }
                        @for (action, name) in self.buttons {
                            button type="button" data-action=(action) { (name) }
                        }
                    }
                }
                div.canvas role="img" aria-label=[says] {}
                figcaption {
                    @for (index, choice) in self.choices.iter().enumerate() {
                        p data-choice=(index) {
                            @if self.choices.len() > 1 { b { (choice.name) ": " } }
                            (choice.says)
                        }
                    }
                    p.reading { (self.reading) }
                }
                details {
                    summary { "The figures as a table" }
                    @for (index, choice) in self.choices.iter().enumerate() {
                        div data-choice=(index) { (choice.figures) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_opens_on_the_first_of_the_largest_machines() {
        let choices = [("small", 8), ("large", 64), ("as large", 64)].map(|(name, cpus)| Choice {
            name: name.to_owned(),
            cpus,
            says: format!("It says {name}."),
            figures: html! {},
        });
        let chart = Chart {
            name: "sizes",
            choose: "Machine",
            choices: choices.into(),
            reading: html! {},
            buttons: &[],
        };
        let page = chart.render().into_string();
        assert_eq!(page.matches(" selected").count(), 1);
        assert!(
            page.contains(r#"<option data-says="It says large." selected>large"#),
            "{page}"
        );
        assert!(page.contains(r#"aria-label="It says large.""#), "{page}");
    }
}
