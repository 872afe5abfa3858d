//! What the gate found, for people: a line a figure, and what is to be done.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::compare::{Comparison, Differently, Finding, Kind, TOLERANCE};

impl Kind {
    /// What was, what is, by how much, and what that means.
    fn columns(self) -> [String; 4] {
        let number = |it: u64| it.to_string();
        match self {
            Self::Rise { was, is } => [number(was), number(is), percent(was, is), "rise".into()],
            Self::Fall { was, is } => [number(was), number(is), percent(was, is), "fall".into()],
            Self::New { is } => ["-".into(), number(is), String::new(), "new".into()],
            Self::Gone { was } => [number(was), "-".into(), String::new(), "gone".into()],
        }
    }
}

/// By how much, with its sign. Of nothing there are no hundredths.
fn percent(was: u64, is: u64) -> String {
    if was == 0 {
        return format!("+{is}");
    }
    let change = (is as f64 - was as f64) * 100.0 / was as f64;
    format!("{change:+.1} %")
}

impl fmt::Display for Differently {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { was, is } = self;
        write!(
            f,
            "the committed figures were made with QEMU {} and Rust {}, these with QEMU {} and Rust {}: \
             what differs may be due to that",
            was.qemu, was.rustc, is.qemu, is.rustc
        )
    }
}

/// What a person has to know, in lines without the last one's end.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.findings.is_empty() {
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_header(["machine", "figure", "was", "is", "", ""]);
            for Finding {
                section,
                figure,
                kind,
            } in &self.findings
            {
                let [was, is, change, word] = kind.columns();
                table.add_row([section, figure, &was, &is, &change, &word]);
            }
            for column in [2, 3, 4] {
                if let Some(column) = table.column_mut(column) {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
            writeln!(f, "{}", table.trim_fmt())?;
        }
        if let Some(differently) = &self.made_with {
            writeln!(f, "{differently}")?;
        }
        let Self {
            compared, moved, ..
        } = self;
        let is_in = |kind: fn(&Kind) -> bool| self.findings.iter().any(|it| kind(&it.kind));
        write!(f, "{compared} figures compared, ")?;
        match moved {
            0 => write!(f, "none moved by up to {TOLERANCE} %")?,
            _ => write!(f, "{moved} moved by up to {TOLERANCE} %")?,
        }
        let shut = self.findings.len();
        match shut {
            0 => return Ok(()),
            1 => write!(f, ", 1 finding")?,
            _ => write!(f, ", {shut} findings")?,
        }
        if is_in(|kind| matches!(kind, Kind::Rise { .. })) {
            write!(
                f,
                "\nA rise is to be mended, or to be committed and justified: cargo xtask bench gate --renew"
            )?;
        }
        if is_in(|kind| !matches!(kind, Kind::Rise { .. })) {
            write!(
                f,
                "\nWhat is better, new or gone is to be committed too, so that a later rise is seen: \
                 cargo xtask bench gate --renew"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::figures::tests::figures, *};

    #[test]
    fn each_finding_is_told_with_what_was_what_is_and_by_how_much() {
        let committed = figures(&[(
            "q35",
            &[("polls", 21), ("spurious", 0), ("heap", 1000), ("old", 1)],
        )]);
        let measured = figures(&[(
            "q35",
            &[("polls", 28), ("spurious", 7), ("heap", 900), ("new", 2)],
        )]);
        let told = Comparison::of(&committed, &measured).to_string();
        for words in [
            vec!["q35", "polls", "21", "28", "+33.3", "%", "rise"],
            vec!["q35", "spurious", "0", "7", "+7", "rise"],
            vec!["q35", "heap", "1000", "900", "-10.0", "%", "fall"],
            vec!["q35", "new", "-", "2", "new"],
            vec!["q35", "old", "1", "-", "gone"],
        ] {
            let is_there = |line: &str| line.split_whitespace().eq(words.iter().copied());
            assert!(told.lines().any(is_there), "no line {words:?} in\n{told}");
        }
        assert!(told.contains("3 figures compared, none moved by up to 2 %, 5 findings"));
        assert!(told.contains("--renew"));
    }

    #[test]
    fn another_qemu_is_told_and_shuts_nothing() {
        let committed = figures(&[("q35", &[("polls", 100)])]);
        let mut measured = figures(&[("q35", &[("polls", 101)])]);
        measured.made_with.qemu = "9.9.9".to_owned();
        let comparison = Comparison::of(&committed, &measured);
        assert!(comparison.is_open());
        let told = comparison.to_string();
        assert!(told.contains("made with QEMU 1.2.3"), "{told}");
        assert!(told.contains("these with QEMU 9.9.9"), "{told}");
        assert!(told.ends_with("1 figures compared, 1 moved by up to 2 %"));
    }
}
