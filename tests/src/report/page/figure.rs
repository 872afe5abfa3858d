//! A chart as a figure: its canvas, what it says in words, and its figures as tables.
//!
//! **Nothing is in the canvas alone.** Whoever does not see it, prints the page or runs no scripts has the same
//! from the caption and the tables.

use maud::{Markup, Render, html};

/// A chart, and what there is to choose from in it.
pub(super) struct Chart {
    /// Its name, in ids and among `window.reveille.charts`.
    pub(super) name: &'static str,
    /// What is chosen, such as `Machine`.
    pub(super) choose: &'static str,
    /// What can be chosen; at least one.
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
    /// The result in words.
    pub(super) says: String,
    /// Its figures.
    pub(super) figures: Markup,
}

impl Render for Chart {
    fn render(&self) -> Markup {
        let chooser = format!("choose-{}", self.name);
        let says = self.choices.first().map(|it| it.says.as_str());
        html! {
            figure.chart id={ "chart-" (self.name) } {
                @if self.choices.len() > 1 || !self.buttons.is_empty() {
                    div.controls {
                        @if self.choices.len() > 1 {
                            label for=(chooser) { (self.choose) }
                            select id=(chooser) autocomplete="off" {
                                @for choice in &self.choices {
                                    option data-says=(choice.says) { (choice.name) }
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
