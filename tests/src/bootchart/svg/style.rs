//! The colours and letters, in a style sheet of the drawing's own: for light screens, dark ones and paper.
//!
//! The stages' colours are the same in all drawings and pages, so that whoever has learnt them reads all of these; a
//! terminal has only its own sixteen. Rules begin with the drawing's class: in a page they touch nothing else.

use std::fmt::Write;

use crate::bootchart::stage::{Stage, colour};

/// The class of the whole.
pub(super) const CLASS: &str = "bootchart";

/// Of polls; another of Okabe and Ito's colours, as all here.
const POLL: &str = "#009e73";

/// Of serialised steps.
const TURN: &str = "#cc79a7";

/// Of a number in one.
const NUMBER: &str = "#1b1f24";

/// What one colour is for: a selector, and the property with its value on light, and on dark.
type Rule = (&'static str, &'static str, &'static str, &'static str);

/// All that differs in the dark. Words have a contrast of 7 to what they stand on, or more; a number in a serialised
/// step has 4.5 (WCAG 2.2, "Contrast", and "Contrast (Enhanced)").
const RULES: &[Rule] = &[
    ("paper", "fill", "#ffffff", "#14171c"),
    ("ink", "fill", "#1b1f24", "#eceff3"),
    ("pale", "fill", "#474e56", "#b9c1ca"),
    ("wrong", "fill", "#a4000f", "#ff9d9d"),
    ("grid", "stroke", "#dfe3e8", "#2b313a"),
    ("axis", "stroke", "#6b737c", "#8d96a1"),
    ("strip", "fill", "#f1f3f5", "#1e232a"),
    ("out", "fill", "#eef0f2", "#232830"),
    ("sleep", "fill", "#c3cad1", "#4a525d"),
    ("cross", "stroke", "#a4000f", "#ff9d9d"),
    ("lost", "stroke", "#c2515b", "#d4727a"),
];

/// The style sheet.
pub(super) fn sheet() -> String {
    let mut sheet = String::new();
    // Memory takes all.
    let _ = write(&mut sheet);
    sheet
}

/// The class of a stage.
pub(super) fn stage(stage: Stage) -> String {
    let place = Stage::ALL.iter().position(|it| *it == stage);
    format!("s{}", place.unwrap_or_default())
}

fn write(sheet: &mut String) -> std::fmt::Result {
    writeln!(
        sheet,
        ".{CLASS}{{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;\
         print-color-adjust:exact;-webkit-print-color-adjust:exact}}"
    )?;
    for it in Stage::ALL {
        writeln!(sheet, ".{CLASS} .{}{{fill:{}}}", stage(it), colour(it))?;
    }
    writeln!(sheet, ".{CLASS} .poll{{fill:{POLL}}}")?;
    writeln!(sheet, ".{CLASS} .turn{{fill:{TURN}}}")?;
    writeln!(sheet, ".{CLASS} .number{{fill:{NUMBER}}}")?;
    writeln!(sheet, ".{CLASS} .hit{{fill:none;pointer-events:all}}")?;
    writeln!(
        sheet,
        ".{CLASS} .lane:hover .hit{{fill:#808080;fill-opacity:.25}}"
    )?;
    writeln!(sheet, ".{CLASS} .unsure{{fill-opacity:.55}}")?;
    writeln!(sheet, ".{CLASS} .end{{text-anchor:end}}")?;
    writeln!(sheet, ".{CLASS} .middle{{text-anchor:middle}}")?;
    writeln!(
        sheet,
        ".{CLASS} .cross,.{CLASS} .lost{{fill:none;stroke-width:1.6}}"
    )?;
    for (class, property, light, _) in RULES {
        writeln!(sheet, ".{CLASS} .{class}{{{property}:{light}}}")?;
    }
    writeln!(sheet, "@media screen and (prefers-color-scheme:dark){{")?;
    for (class, property, _, dark) in RULES {
        writeln!(sheet, ".{CLASS} .{class}{{{property}:{dark}}}")?;
    }
    writeln!(sheet, "}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a colour (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("it is #rrggbb");
            match f64::from(value) / 255.0 {
                dark if dark <= 0.04045 => dark / 12.92,
                light => ((light + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn words_can_be_read_on_what_they_stand_on_in_the_light_and_in_the_dark() {
        let of = |class: &str| {
            let rule = RULES.iter().find(|(it, ..)| *it == class).expect(class);
            [rule.2, rule.3]
        };
        for words in ["ink", "pale", "wrong"] {
            for on in ["paper", "strip", "out"] {
                for (words, on) in of(words).into_iter().zip(of(on)) {
                    let contrast = contrast(words, on);
                    assert!(contrast >= 7.0, "{words} on {on}: {contrast:.2}");
                }
            }
        }
        assert!(contrast(NUMBER, TURN) >= 4.5);
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    }
}
