//! A page in Markdown with blocks that are made from results.
//!
//! ```text
//! <!-- figures: KIND FILE -->
//! what KIND makes of FILE
//! <!-- /figures -->
//! ```
//!
//! The marks are comments: whoever reads the page sees what stands between them, and nobody writes that by
//! hand. What stands outside of them stays as it is, to the byte.

use anyhow::{Context, Result, bail, ensure};

const BEGIN: &str = "<!-- figures: ";
const BEGIN_ENDS: &str = " -->";
const END: &str = "<!-- /figures -->";

/// What a block asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// What is to be made.
    pub kind: &'a str,
    /// From which file, as the page writes it: seen from the root of the workspace.
    pub file: &'a str,
}

/// The page with its blocks made anew.
///
/// # Errors
///
/// When a mark is not closed, or not opened, or says no kind and file; when `make` cannot make a block. Each
/// names the line.
pub fn refreshed(page: &str, make: impl Fn(Wanted<'_>) -> Result<String>) -> Result<String> {
    let mut fresh = String::with_capacity(page.len());
    let mut lines = page.split_inclusive('\n').enumerate();
    while let Some((number, line)) = lines.next() {
        fresh.push_str(line);
        let here = || format!("line {}", number + 1);
        let Some(wanted) = wanted(line).with_context(here)? else {
            ensure!(line.trim() != END, "{}: `{END}` ends nothing", here());
            continue;
        };
        let block = make(wanted).with_context(here)?;
        fresh.push_str(block.trim_end());
        fresh.push('\n');
        let end = lines.by_ref().find_map(|(_, line)| match line.trim() {
            END => Some(Ok(line)),
            other => other.starts_with(BEGIN).then_some(Err(())),
        });
        match end {
            Some(Ok(line)) => fresh.push_str(line),
            Some(Err(())) | None => bail!("{}: the block has no `{END}`", here()),
        }
    }
    Ok(fresh)
}

/// The lines that stand outside of blocks, each with its number.
///
/// # Errors
///
/// As [`refreshed`].
pub fn outside(page: &str) -> Result<Vec<(usize, String)>> {
    refreshed(page, |_| Ok(String::new()))?;
    let mut is_inside = false;
    let mut lines = Vec::new();
    for (number, line) in page.lines().enumerate() {
        match line.trim() {
            END => is_inside = false,
            other if other.starts_with(BEGIN) => is_inside = true,
            _ if !is_inside => lines.push((number + 1, line.to_owned())),
            _ => {}
        }
    }
    Ok(lines)
}

fn wanted(line: &str) -> Result<Option<Wanted<'_>>> {
    let Some(rest) = line.trim().strip_prefix(BEGIN) else {
        return Ok(None);
    };
    let words = rest.strip_suffix(BEGIN_ENDS);
    let words = words.and_then(|words| words.split_once(' '));
    let (kind, file) =
        words.with_context(|| format!("a block begins with `{BEGIN}KIND FILE{BEGIN_ENDS}`"))?;
    Ok(Some(Wanted { kind, file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
before 1 ms
<!-- figures: table a.jsonl -->
old
<!-- /figures -->
after
<!-- figures: text b.txt -->
<!-- /figures -->
";

    fn made(wanted: Wanted<'_>) -> Result<String> {
        Ok(format!("{} of {}\n\n", wanted.kind, wanted.file))
    }

    fn problem(page: &str) -> String {
        let error = refreshed(page, made).expect_err("something is wrong");
        format!("{error:#}")
    }

    #[test]
    fn blocks_are_made_anew_and_all_else_stays() {
        let fresh = refreshed(PAGE, made).expect("all marks are right");
        assert_eq!(
            fresh,
            "\
before 1 ms
<!-- figures: table a.jsonl -->
table of a.jsonl
<!-- /figures -->
after
<!-- figures: text b.txt -->
text of b.txt
<!-- /figures -->
"
        );
        assert_eq!(refreshed(&fresh, made).expect("it is fresh"), fresh);
    }

    #[test]
    fn a_mark_that_is_wrong_is_told_with_its_line() {
        let cases = [
            ("a\n<!-- figures: x y -->\nb\n", "line 2: the block has no"),
            (
                "<!-- figures: x y -->\n<!-- figures: x y -->\n<!-- /figures -->\n",
                "line 1",
            ),
            (
                "\n<!-- /figures -->\n",
                "line 2: `<!-- /figures -->` ends nothing",
            ),
            (
                "<!-- figures: x -->\n<!-- /figures -->\n",
                "line 1: a block begins with",
            ),
        ];
        for (page, start) in cases {
            let problem = problem(page);
            assert!(problem.starts_with(start), "{problem}");
        }
        let error = refreshed(PAGE, |_| bail!("no such kind")).expect_err("it cannot be made");
        assert_eq!(format!("{error:#}"), "line 2: no such kind");
    }

    #[test]
    fn what_is_outside_of_blocks_has_its_line() {
        let outside = outside(PAGE).expect("all marks are right");
        let expected = [(1, "before 1 ms".to_owned()), (5, "after".to_owned())];
        assert_eq!(outside, expected);
    }
}
