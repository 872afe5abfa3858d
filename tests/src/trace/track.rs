//! What a track of the picture shows, in the order of time: slices that begin and end, points, and
//! the ends of arrows.
//!
//! Invariant: in a track that [`nest`](super::nest) made, no mark is earlier than the one before
//! it, and slices nest: the one that ends is the one that began last.

use serde_json::{Map, Value};

/// One CPU's track.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Our number for the CPU.
    pub cpu: u32,
    /// What a person calls it.
    pub name: String,
    /// What it shows.
    pub marks: Vec<Mark>,
}

/// Something on a track, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When, in nanoseconds of the picture's clock.
    pub at_ns: u64,
    /// What.
    pub what: What,
}

/// What a mark is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A slice begins.
    Begin(Label),
    /// The slice that began last, of those that have not ended, ends.
    End,
    /// Something took place, without a duration.
    Point(Label),
}

/// What is written on a slice or a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// What kind of thing it is; a viewer can hide all of one kind.
    pub category: &'static str,
    /// What more is known of it.
    pub args: Map<String, Value>,
    /// The arrows that leave or arrive here. Only a slice has some.
    pub ends: Ends,
}

/// The ends of arrows at one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    /// Those that leave.
    pub leave: Vec<Arrow>,
    /// Those that arrive.
    pub arrive: Vec<Arrow>,
}

/// One end of an arrow from a slice to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Both ends have the same number, and no other arrow has it.
    pub number: u64,
    /// What passes along it.
    pub name: &'static str,
}

impl Label {
    /// A label of a category.
    pub fn new(name: &str, category: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            category,
            ..Self::default()
        }
    }

    /// The same, with something more that is known.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.args.insert(key.to_owned(), value.into());
        self
    }

    /// The same, with the ends of arrows.
    pub fn with_ends(mut self, ends: Ends) -> Self {
        self.ends = ends;
        self
    }
}
