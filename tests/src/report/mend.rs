//! Files of results that are not whole, made into ones that can be read.
//!
//! Those who compare or go on need a file that is whole. A report is for a look, and a look at half is better than
//! none: **a field that is not there is filled in, a line that cannot be used is left out, and both are said.** What
//! is filled in is no figure: nobody may show it as one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::bench::{
    cell::REVEILLE,
    host::{Host, Load},
    results::{Line, Problem, Results, SCHEMA},
};

/// Whether what is there may be of use.
pub(super) fn can_be_mended(problem: &Problem) -> bool {
    matches!(problem, Problem::Broken { .. } | Problem::NoHeader)
}

/// What the whole lines of a file with this problem give with what they lack filled in, and what that was. A last
/// line that is cut off stays so.
///
/// # Errors
///
/// No line is one of results; or several are headers, and nobody knows whose the boots are.
pub(super) fn mended(bytes: &[u8], problem: Problem) -> Result<(Results, Lacked), Problem> {
    let text = String::from_utf8_lossy(bytes);
    let (whole, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
    let mut lacked = Lacked::default();
    let mut header = None;
    let mut runs = Vec::new();
    let lines = whole.lines().zip(1..);
    for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
        match serde_json::from_str(line) {
            Ok(Value::Object(line)) if line.get("record") == Some(&json!("bench")) => {
                if header.replace(line).is_some() {
                    return Err(Problem::SecondHeader { line: number });
                }
            }
            Ok(Value::Object(mut line)) => {
                let fields = fill(&mut line, run());
                match serde_json::from_value(Value::Object(line.clone())) {
                    Ok(Line::Run(_)) => {
                        lacked.of_a_run(fields);
                        runs.push(line);
                    }
                    _ => lacked.lines += 1,
                }
            }
            _ => lacked.lines += 1,
        }
    }
    if header.is_none() && runs.is_empty() {
        return Err(problem);
    }
    let mut header = header.unwrap_or_default();
    lacked.header = fill(&mut header, header_of(&runs));
    let lines = [header].into_iter().chain(runs);
    let lines = lines.map(|line| Value::Object(line).to_string() + "\n");
    let text = lines.collect::<String>() + rest;
    let results = Results::parse(text.as_bytes()).map_err(|_| problem)?;
    Ok((results, lacked))
}

/// What a file lacks.
#[derive(Default)]
pub(super) struct Lacked {
    /// Fields of the header.
    pub(super) header: Vec<&'static str>,
    /// Boots without it, by the field.
    runs: BTreeMap<&'static str, usize>,
    /// Lines that are of no use.
    lines: usize,
}

impl Lacked {
    fn of_a_run(&mut self, fields: Vec<&'static str>) {
        for field in fields {
            *self.runs.entry(field).or_default() += 1;
        }
    }

    /// In words, each of which stands behind the name of the file.
    pub(super) fn said(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.header.is_empty() {
            let fields = self.header.join("`, `");
            said.push(format!("its header lacks `{fields}`"));
        }
        for (field, boots) in &self.runs {
            let noun = if *boots == 1 {
                "boot lacks"
            } else {
                "boots lack"
            };
            said.push(format!("{boots} {noun} `{field}`"));
        }
        match self.lines {
            0 => {}
            1 => said.push("a line cannot be read, and is left out".to_owned()),
            lines => said.push(format!("{lines} lines cannot be read, and are left out")),
        }
        said
    }
}

type Object = Map<String, Value>;

/// Puts what a line lacks in its place, and says what that was.
fn fill<const N: usize>(
    line: &mut Object,
    fields: [(&'static str, Value); N],
) -> Vec<&'static str> {
    let mut filled = Vec::new();
    for (field, value) in fields {
        if !line.contains_key(field) {
            line.insert(field.to_owned(), value);
            filled.push(field);
        }
    }
    filled
}

/// What stands for a field that a boot lacks. A boot of which nobody knows how it ended counts as one that failed.
fn run() -> [(&'static str, Value); 6] {
    let load = Load::default();
    [
        ("record", json!("run")),
        (
            "outcome",
            json!({"failed": "the results do not say how it ended"}),
        ),
        ("elapsed_ns", json!(0)),
        ("boot_online_ns", Value::Null),
        ("load", json!(load)),
        ("samples", json!({})),
    ]
}

/// What stands for a field that the header lacks: what the boots say of it, or that nobody knows.
fn header_of(runs: &[Object]) -> [(&'static str, Value); 14] {
    let unknown = || json!("unknown");
    let mut plan: Vec<Value> = Vec::new();
    let mut systems: Vec<Value> = Vec::new();
    let mut strategies: Vec<&String> = Vec::new();
    for run in runs {
        let system = run.get("system").cloned();
        for (all, it) in [
            (&mut plan, run["machine"].clone()),
            (&mut systems, system.unwrap_or_else(|| json!(REVEILLE))),
        ] {
            if !all.contains(&it) {
                all.push(it);
            }
        }
        for name in run["samples"].as_object().into_iter().flat_map(Map::keys) {
            if !strategies.contains(&name) {
                strategies.push(name);
            }
        }
    }
    let boots = runs.iter().filter_map(|run| run["run"].as_u64()).max();
    let samples = runs.iter().filter_map(|run| run["samples"].as_object());
    let lists = samples.flat_map(|it| it.values().filter_map(Value::as_object));
    let rounds = lists
        .flat_map(Map::values)
        .filter_map(Value::as_array)
        .map(Vec::len)
        .max();
    let host = Host {
        cpu: "unknown".to_owned(),
        cpus: 0,
        memory_bytes: 0,
        system: "unknown".to_owned(),
    };
    [
        ("record", json!("bench")),
        ("schema", json!(SCHEMA)),
        ("started", unknown()),
        ("command", json!("cargo xtask bench")),
        ("reveille", unknown()),
        ("kernel", unknown()),
        ("qemu", unknown()),
        ("rustc", unknown()),
        ("host", json!(host)),
        ("systems", json!(systems)),
        ("plan", json!(plan)),
        ("strategies", json!(strategies)),
        ("runs", json!(boots.unwrap_or_default())),
        ("rounds", json!(rounds.unwrap_or_default())),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{
        source::{Source, tests::read},
        tests::{folder_of, lines},
    };

    #[test]
    fn fields_that_a_boot_lacks_are_filled_in_and_told() {
        let text = lines().join("").replace(r#""elapsed_ns":1000000000,"#, "");
        let text = text.replacen(r#""outcome":"ok","#, "", 1);
        let source = read(&text);
        assert_eq!(source.results.runs.len(), 4);
        assert_eq!(source.results.ok_runs().count(), 3);
        assert_eq!(
            source.missing,
            [
                "boots: 4 boots lack `elapsed_ns`.",
                "boots: 1 boot lacks `outcome`."
            ]
        );
    }

    #[test]
    fn a_header_that_lacks_fields_has_them_from_the_boots() {
        let whole = lines();
        let header = r#"{"record":"bench","schema":1,"started":"2026-11-22T10:00:00Z"}"#;
        let source = read(&format!("{header}\n{}", whole[1..].concat()));
        let made = &source.results.header;
        let original = read(&whole.concat()).results.header;
        assert_eq!((&made.plan, made.runs, made.rounds), (&original.plan, 2, 3));
        assert_eq!(made.started, "2026-11-22T10:00:00Z");
        assert!(source.missing[0].contains("`host`"), "{:?}", source.missing);
        let headless = read(&whole[1..].concat());
        assert_eq!(headless.results.runs.len(), 4);
    }

    #[test]
    fn boots_of_a_second_header_are_not_taken_for_those_of_the_first() {
        let whole = lines().concat();
        let text = format!("{}no JSON\n{whole}", lines()[0]);
        let folder = folder_of(&text);
        let error = Source::read(&folder.path().join("boots")).expect_err("whose are they?");
        let told = error.to_string();
        assert!(told.contains("line 3 is a second `bench`"), "{told}");
    }

    #[test]
    fn lines_that_are_of_no_use_and_one_that_is_cut_off_are_left_out_and_told() {
        let mut lines = lines();
        lines.insert(
            2,
            "{\"record\":\"run\",\"machine\":4}\nno JSON\n".to_owned(),
        );
        let cut = lines[1].len() / 2;
        let end = lines[1][..cut].to_owned();
        lines.push(end);
        let source = read(&lines.concat());
        assert_eq!(source.results.runs.len(), 4);
        assert_eq!(source.missing.len(), 2, "{:?}", source.missing);
        assert!(source.missing[0].contains("2 lines cannot be read"));
        assert!(source.missing[1].contains("the last line is cut off"));
    }
}
