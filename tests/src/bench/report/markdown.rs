//! The same tables in Markdown, for a page or a CI job's summary.

use std::fmt;

use super::{
    figures::{MILLIS, about_intervals, with_interval},
    terminal::title,
};
use crate::bench::stats::summary::{Group, Summary};

/// A section for each machine.
pub struct Markdown<'a>(pub &'a Summary);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.0.groups {
            writeln!(f, "### {}\n", escaped(&title(group)))?;
            write_table(f, group)?;
            for (run, reason) in &group.failed {
                let reason = reason.lines().next().unwrap_or_default();
                writeln!(f, "Run {run} failed: {}\n", escaped(reason))?;
            }
        }
        if let Some(about) = about_intervals(self.0) {
            let mut letters = about.chars();
            let first = letters.next().map(|it| it.to_ascii_uppercase());
            let sentence: String = first.into_iter().chain(letters).collect();
            writeln!(f, "{sentence}.")?;
        }
        Ok(())
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, group: &Group) -> fmt::Result {
    if group.rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "| | online, ms | alive, ms | x bare | x parallel |")?;
    writeln!(f, "|---|--:|--:|--:|--:|")?;
    for row in &group.rows {
        let cell = |median: &Option<_>, scale| {
            let median = median.as_ref().map(|it| with_interval(it, scale));
            median.unwrap_or_default()
        };
        writeln!(
            f,
            "| `{}` | {} | {} | {} | {} |",
            row.contender,
            with_interval(&row.online_ns, MILLIS),
            cell(&row.alive_ns, MILLIS),
            cell(&row.of_bare, 1.0),
            cell(&row.of_parallel, 1.0)
        )?;
    }
    writeln!(f)
}

/// What would be read as markup stands for itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '|' | '*' | '_' | '`' | '<' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand, *};

    #[test]
    fn a_table_is_one_for_markdown() {
        let text = Markdown(&by_hand::summary()).to_string();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 + 3, "{text}");
        for row in &rows {
            assert_eq!(row.matches('|').count(), 6, "{row}");
        }
        assert!(text.starts_with("### q35 tcg 8: 5 boots"), "{text}");
        assert!(
            rows[2].contains("| `parallel` | 1.50 (1.44-1.56) | 0.75"),
            "{text}"
        );
        assert!(text.contains("\nMedians of boots"), "{text}");
    }

    #[test]
    fn what_a_guest_says_is_no_markup() {
        assert_eq!(escaped("a|b *c* `d`"), "a\\|b \\*c\\* \\`d\\`");
    }
}
