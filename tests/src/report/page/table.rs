//! Tables of figures that sort.
//!
//! **A cell has its figure twice:** in words for people, and whole in `data-value`, which sorting goes by. A cell
//! without a figure has no `data-value`, and comes last however its column is sorted.

use maud::{Markup, Render, html};

use super::words::{NONE, UNKNOWN, millis};

/// A table that sorts.
pub(super) struct Table {
    /// What it shows, in a line.
    pub(super) caption: String,
    /// Its columns, the first of which names the rows.
    pub(super) columns: &'static [Column],
    /// Its rows, each with a cell for each column.
    pub(super) rows: Vec<Row>,
}

/// What a column is called, and whether it has words or figures.
pub(super) enum Column {
    /// Words, which begin at the left.
    Words(&'static str),
    /// Figures, which end at the right.
    Figures(&'static str),
}

/// A row: the machine and the contender it is about, where it is, and its cells.
#[derive(Default)]
pub(super) struct Row {
    /// The machine, for whoever looks for it.
    pub(super) machine: Option<String>,
    /// The contender.
    pub(super) contender: Option<String>,
    /// What it says.
    pub(super) cells: Vec<Cell>,
}

/// What a cell says.
pub(super) struct Cell {
    value: Option<String>,
    text: Markup,
}

impl Cell {
    /// Words.
    pub(super) fn words(text: impl Render) -> Self {
        Self {
            value: None,
            text: html! { (text) },
        }
    }

    /// The name of a machine, which may be long, and is broken at its commas.
    pub(super) fn name(name: &str) -> Self {
        let parts = || name.split_inclusive(',');
        Self::words(html! { span.long { @for part in parts() { (part) wbr; } } })
    }

    /// A number that stands for itself.
    pub(super) fn number(value: impl Into<u64>) -> Self {
        let value = value.into();
        Self::figure(value, value)
    }

    /// A number that has one more form for people.
    pub(super) fn figure(value: impl ToString, text: impl Render) -> Self {
        Self {
            value: Some(value.to_string()),
            text: html! { (text) },
        }
    }

    /// A time in nanoseconds, which people get in milliseconds.
    pub(super) fn millis(nanos: Option<u64>) -> Self {
        Self::of(nanos, millis)
    }

    /// A number that nobody may have told.
    pub(super) fn told(value: Option<u32>) -> Self {
        match value {
            Some(value) => Self::number(value),
            None => Self::words(html! { span.none { (UNKNOWN) } }),
        }
    }

    /// A figure, in words of its own, or that there is none.
    pub(super) fn of<T: Copy + ToString>(value: Option<T>, text: impl Fn(T) -> String) -> Self {
        match value {
            Some(value) => Self::figure(value, text(value)),
            None => Self::words(html! { span.none { (NONE) } }),
        }
    }
}

impl Render for Table {
    fn render(&self) -> Markup {
        html! {
            // What is wider than a phone scrolls by itself, and a keyboard has to reach it for that.
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table.sortable {
                    caption { (self.caption) }
                    thead { tr { @for column in self.columns { (column) } } }
                    tbody { @for row in &self.rows { (self.row(row)) } }
                }
            }
        }
    }
}

impl Table {
    fn row(&self, row: &Row) -> Markup {
        let cells = self.columns.iter().zip(&row.cells).enumerate();
        html! {
            tr data-machine=[&row.machine] data-contender=[&row.contender] {
                @for (index, (column, cell)) in cells {
                    @if index == 0 {
                        th scope="row" class=[column.class()] data-value=[&cell.value] { (cell.text) }
                    } @else {
                        td class=[column.class()] data-value=[&cell.value] { (cell.text) }
                    }
                }
            }
        }
    }
}

impl Column {
    fn class(&self) -> Option<&'static str> {
        match self {
            Self::Words(_) => None,
            Self::Figures(_) => Some("figure"),
        }
    }
}

impl Render for Column {
    fn render(&self) -> Markup {
        let (Self::Words(name) | Self::Figures(name)) = self;
        html! {
            th scope="col" class=[self.class()] aria-sort="none" { button type="button" { (name) } }
        }
    }
}
