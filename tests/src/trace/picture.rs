//! What a file in the Trace Event Format shows: tracks, slices that nest, points, and arrows between slices.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What a file shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The tracks, in the order in which a viewer sorts them.
    pub tracks: Vec<Seen>,
    /// The arrows, in the order in which they leave.
    pub arrows: Vec<Drawn>,
    /// What the file says beside the picture.
    pub other: Map<String, Value>,
}

/// A track that was read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What a person calls it.
    pub name: String,
    /// Its slices, in the order in which they begin.
    pub slices: Vec<Slice>,
    /// Its points, in their order.
    pub points: Vec<Point>,
}

/// A slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub category: String,
    /// When it began, in nanoseconds.
    pub began_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// The slice around it, by its place among the track's slices.
    pub parent: Option<usize>,
    /// What more is said of it.
    pub args: Map<String, Value>,
}

impl Slice {
    /// Why its end is not there, if that is so.
    pub fn endless(&self) -> Option<&str> {
        self.args.get("endless")?.as_str()
    }
}

/// A point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub category: String,
    /// When it was, in nanoseconds.
    pub at_ns: u64,
    /// What more is said of it.
    pub args: Map<String, Value>,
}

/// An arrow between two slices. Both are told by their tracks and by their places among the slices
/// of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// What passes along it.
    pub name: String,
    /// Where it leaves.
    pub from: (usize, usize),
    /// Where it arrives.
    pub to: (usize, usize),
}

impl Picture {
    /// All slices, with their places.
    pub fn slices(&self) -> impl Iterator<Item = ((usize, usize), &Slice)> {
        let of = |(index, track): (usize, &'_ Seen)| {
            (0..track.slices.len()).map(move |slice| (index, slice))
        };
        let places = self.tracks.iter().enumerate().flat_map(of);
        places.map(|place| (place, self.slice(place)))
    }

    /// What was sent and has no arrow: an interrupt, or a call.
    pub fn unanswered(&self) -> Vec<&Slice> {
        let answered: BTreeSet<_> = self.arrows.iter().map(|it| it.from).collect();
        let sends = self.slices().filter(|(_, it)| it.category == "send");
        let lost = sends.filter(|(place, _)| !answered.contains(place));
        lost.map(|(_, slice)| slice).collect()
    }

    /// The slice at one end of an arrow.
    pub fn slice(&self, (track, slice): (usize, usize)) -> &Slice {
        &self.tracks[track].slices[slice]
    }
}
