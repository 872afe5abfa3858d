//! What stands in one curve and was not measured by one and the same: on several hosts, with several kernels.
//!
//! Whoever joins files of results asks for that, and **a curve says so**: what is between two of its sizes may be
//! what is between two hosts.

use super::{cells, data::Report, growth, page::family, source::Source};
use crate::bench::{cell::REVEILLE, host::Host, results::Run};

/// A curve, and with what its points were measured.
#[derive(Default)]
struct Curve {
    part: &'static str,
    kind: String,
    files: Vec<String>,
    hosts: Vec<Host>,
    kernels: Vec<String>,
    qemus: Vec<String>,
}

/// The curves of a report that is made from these files, each of several in a sentence.
pub(super) fn apart(sources: &[Source], report: &Report) -> Vec<String> {
    let mut curves: Vec<Curve> = Vec::new();
    for source in sources {
        for cell in cells::cells(source) {
            if cell.median_ns.is_some() && report.cells.contains(&cell) {
                let is_its =
                    |run: &Run| run.system == REVEILLE && run.machine.to_string() == cell.machine;
                let kind = family(&cell.machine, cell.cpus);
                curve(&mut curves, "Strategies", kind).add(source, is_its);
            }
        }
        for point in growth::growth(source) {
            if point.median.is_some() && report.growth.contains(&point) {
                let is_its = |run: &Run| run.machine.smp.cpus() == point.cpus;
                let kind = family(&point.machine, point.cpus);
                curve(&mut curves, "Growth", kind).add(source, is_its);
            }
        }
    }
    curves.iter().filter_map(Curve::told).collect()
}

fn curve<'a>(curves: &'a mut Vec<Curve>, part: &'static str, kind: String) -> &'a mut Curve {
    let known = curves
        .iter()
        .position(|it| it.part == part && it.kind == kind);
    let place = known.unwrap_or_else(|| {
        curves.push(Curve {
            part,
            kind,
            ..Curve::default()
        });
        curves.len() - 1
    });
    &mut curves[place]
}

impl Curve {
    /// Adds what a file says of these of its boots.
    fn add(&mut self, source: &Source, is_its: impl Fn(&Run) -> bool) {
        let header = &source.results.header;
        add(&mut self.files, Some(source.name.clone()));
        add(
            &mut self.kernels,
            source.told("kernel", header.kernel.clone()),
        );
        add(&mut self.qemus, source.told("qemu", header.qemu.clone()));
        let runs = source.results.ok_runs().filter(|run| is_its(run));
        runs.for_each(|run| add(&mut self.hosts, source.host_of(run).cloned()));
    }

    fn told(&self) -> Option<String> {
        let several = [
            (self.hosts.len(), "hosts"),
            (self.kernels.len(), "builds of the kernel"),
            (self.qemus.len(), "versions of QEMU"),
        ];
        let several = several.iter().filter(|(number, _)| *number > 1);
        let several: Vec<String> = several.map(|(it, what)| format!("{it} {what}")).collect();
        (!several.is_empty()).then(|| {
            format!(
                "{}: {} was measured with {} ({}), so a step between two of its sizes may come from that.",
                self.part,
                self.kind,
                several.join(", "),
                self.files.join(", ")
            )
        })
    }
}

fn add<T: PartialEq>(all: &mut Vec<T>, it: Option<T>) {
    all.extend(it.filter(|it| !all.contains(it)));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::tests::{folder_of, lines},
        *,
    };
    use crate::kernel::workspace;

    /// What is said of curves when a file is joined with one of the same that differs by these words.
    fn said(name: &str, change: impl Fn(&str) -> String) -> Vec<String> {
        let path = workspace().join(format!("docs/results/{name}.jsonl"));
        let text = fs::read_to_string(&path).expect("it is committed");
        let folder = tempfile::tempdir().expect("there is room");
        // Each has sizes that the other has not.
        let half = |file: &str, text: &str, is_small: bool| {
            let lines = text.lines().enumerate().filter(|(number, line)| {
                let small = [
                    r#""smp":"1""#,
                    r#""smp":"2""#,
                    r#""smp":"4""#,
                    r#""smp":"8""#,
                ];
                *number == 0 || small.iter().any(|it| line.contains(it)) == is_small
            });
            let lines = lines.map(|(_, line)| format!("{line}\n"));
            let path = folder.path().join(file);
            fs::write(&path, lines.collect::<String>()).expect("there is room");
            path
        };
        let paths = [
            half("one.jsonl", &text, true),
            half("two.jsonl", &change(&text), false),
        ];
        let report = Report::of(&paths).expect("both are whole");
        let said = report.missing.into_iter();
        said.filter(|it| it.contains("may come from that"))
            .collect()
    }

    #[test]
    fn a_curve_of_several_hosts_or_builds_says_so_and_one_of_one_does_not() {
        for (name, told) in [
            ("strategies", "Strategies: q35 tcg was measured with "),
            ("growth", "Growth: q35 tcg was measured with "),
        ] {
            assert_eq!(said(name, str::to_owned), [""; 0]);
            let host = said(name, |text| {
                text.replace(r#""cpu":"AMD EPYC""#, r#""cpu":"another""#)
            });
            assert_eq!(host.len(), 1, "{host:?}");
            assert!(host[0].starts_with(told), "{host:?}");
            assert!(
                host[0].contains("2 hosts (one.jsonl, two.jsonl)"),
                "{host:?}"
            );
            let build = said(name, |text| text.replace("crc32 ", "crc32 0"));
            assert!(build[0].contains("2 builds of the kernel"), "{build:?}");
            let qemu = said(name, |text| text.replace(r#""qemu":""#, r#""qemu":"1"#));
            assert!(qemu[0].contains("2 versions of QEMU"), "{qemu:?}");
        }
    }

    #[test]
    fn hosts_of_a_file_that_was_joined_are_those_of_its_boots() {
        let text = lines().concat();
        let host = r#""host":{"cpu":"b","cpus":1,"memory_bytes":1,"system":"s"},"samples":"#;
        let of_eight = |line: &str| match line.contains(r#""record":"run""#)
            && line.contains(r#""smp":"8""#)
        {
            true => line.replace(r#""samples":"#, host) + "\n",
            false => line.to_owned() + "\n",
        };
        let folder = folder_of(&text.lines().map(of_eight).collect::<String>());
        let report = Report::of(&[folder.path().join("boots")]).expect("it is whole");
        let told = "Strategies: q35 tcg was measured with 2 hosts (boots)";
        let is_said = report.missing.iter().any(|it| it.starts_with(told));
        assert!(is_said, "{:?}", report.missing);
        assert_eq!(report.origins[0].hosts.len(), 2);
    }
}
