//! The shapes that the drawing is made of, with numbers as short as a hundredth of a pixel needs.

use std::ops::Range;

use svg::node::element::{Line, Path, Rectangle, Text, Title, path::Data};

use super::words::clean;

/// What is no further apart cannot be told apart, in pixels.
const FINEST: f64 = 0.2;

/// A place or a size.
pub(super) fn px(value: f64) -> f32 {
    ((value * 100.0).round() / 100.0) as f32
}

/// A rectangle.
pub(super) fn rect(class: &str, x: &Range<f64>, y: f64, height: f64) -> Rectangle {
    Rectangle::new()
        .set("class", class)
        .set("x", px(x.start))
        .set("y", px(y))
        .set("width", px(x.end - x.start))
        .set("height", px(height))
}

/// A line.
pub(super) fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", px(from.0))
        .set("y1", px(from.1))
        .set("x2", px(to.0))
        .set("y2", px(to.1))
}

/// Words on a line that begins, or as the class says ends, at a place.
pub(super) fn text(class: &str, words: &str, x: f64, y: f64, letters: f64) -> Text {
    Text::new(clean(words))
        .set("class", class)
        .set("x", px(x))
        .set("y", px(y))
        .set("font-size", px(letters))
}

/// What is told of something under the pointer.
pub(super) fn title(words: &str) -> Title {
    Title::new(clean(words))
}

/// A cross around a place.
pub(super) fn cross(x: f64, y: f64, half: f64) -> Path {
    let data = Data::new()
        .move_to((px(x - half), px(y - half)))
        .line_by((px(half * 2.0), px(half * 2.0)))
        .move_by((0, px(-half * 2.0)))
        .line_by((px(-half * 2.0), px(half * 2.0)));
    Path::new().set("class", "cross").set("d", data)
}

/// Many bars of one height as one shape. They are in their order, and what cannot be told apart is one.
pub(super) fn bars(
    class: &str,
    ranges: impl IntoIterator<Item = Range<f64>>,
    y: f64,
    height: f64,
) -> Path {
    let mut data = Data::new();
    for bar in joined(ranges) {
        let width = px(bar.end - bar.start);
        data = data
            .move_to((px(bar.start), px(y)))
            .horizontal_line_by(width)
            .vertical_line_by(px(height))
            .horizontal_line_by(-width)
            .close();
    }
    Path::new().set("class", class).set("d", data)
}

/// Ranges that are seen, and seen apart.
fn joined(ranges: impl IntoIterator<Item = Range<f64>>) -> Vec<Range<f64>> {
    let mut joined: Vec<Range<f64>> = Vec::new();
    for range in ranges {
        let end = range.end.max(range.start + FINEST);
        match joined.last_mut() {
            Some(last) if range.start - last.end < FINEST => last.end = last.end.max(end),
            _ => joined.push(range.start..end),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_that_cannot_be_told_apart_are_one() {
        let ranges = [0.0..0.01, 0.1..0.3, 0.45..2.0, 2.5..2.5];
        let joined = joined(ranges);
        assert_eq!(joined, [0.0..2.0, 2.5..2.7]);
        let path = bars("poll", joined, 10.0, 4.0).to_string();
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }

    #[test]
    fn numbers_are_as_short_as_a_hundredth_needs() {
        assert_eq!(px(132.000_01).to_string(), "132");
        assert_eq!(px(1.0 / 3.0).to_string(), "0.33");
    }
}
