//! The colours and letters, in a style sheet of the drawing's own: for light screens, dark ones and paper.
//!
//! The stages' colours are the same everywhere, so that whoever has learnt them reads all drawings. Rules begin
//! with the drawing's class: it may stand in a page, among others.

use std::fmt::Write;

use crate::bootchart::stage::Stage;

/// The class of the whole.
pub(super) const CLASS: &str = "bootchart";

/// Of polls; another of Okabe and Ito's colours, as all here.
const POLL: &str = "#009e73";

/// Of serialised steps.
const TURN: &str = "#cc79a7";

/// What one colour is for: a selector, and the property with its value on light, and on dark.
type Rule = (&'static str, &'static str, &'static str, &'static str);

/// All that differs in the dark. Words have a contrast of 7 to what they stand on, or more.
const RULES: &[Rule] = &[
    ("paper", "fill", "#ffffff", "#14171c"),
    ("ink", "fill", "#1b1f24", "#eceff3"),
    ("pale", "fill", "#4d545c", "#b9c1ca"),
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
        writeln!(sheet, ".{CLASS} .{}{{fill:{}}}", stage(it), it.colour())?;
    }
    writeln!(sheet, ".{CLASS} .poll{{fill:{POLL}}}")?;
    writeln!(sheet, ".{CLASS} .turn{{fill:{TURN}}}")?;
    writeln!(sheet, ".{CLASS} .number{{fill:#1b1f24}}")?;
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
