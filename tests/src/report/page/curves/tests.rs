//! Curves of the committed results, and of what has none.

use super::*;
use crate::{kernel::workspace, report::page::sample};

fn committed(names: &[&str]) -> Report {
    let file = |name: &&str| workspace().join(format!("docs/results/{name}.jsonl"));
    let paths: Vec<_> = names.iter().map(file).collect();
    Report::of(&paths).expect("they are whole")
}

#[test]
fn a_kind_of_machine_is_its_name_with_its_topology_and_without_its_size() {
    assert_eq!(
        family("q35 tcg 112,sockets=2,cores=28,threads=2 skylake-112", 112),
        "q35 tcg sockets=2,cores=28,threads=2 skylake-112"
    );
    assert_eq!(family("q35 tcg 112 -m 112", 112), "q35 tcg -m 112");
}

#[test]
fn benchmarks_that_are_joined_put_no_two_points_at_one_size_and_no_two_looks_on_one_curve() {
    let all = curves(&committed(&[
        "strategies",
        "growth",
        "linux",
        "skylake-112",
    ]));
    assert!(all.len() > 5);
    for curves in &all {
        for (place, line) in curves.lines.iter().enumerate() {
            let sizes: Vec<_> = line.points.iter().map(|point| point.cpus).collect();
            assert!(
                sizes.windows(2).all(|two| two[0] < two[1]),
                "{}, {}: {sizes:?}",
                curves.name,
                line.name
            );
            let before = &curves.lines[..place];
            assert!(before.iter().all(|other| other.look != line.look));
        }
        assert!(curves.lines.iter().all(|line| line.name != "cold"));
    }
}

#[test]
fn what_two_kinds_of_machines_were_measured_to_grow_by_are_two_curves() {
    let path = workspace().join("docs/results/growth.jsonl");
    let text = std::fs::read_to_string(&path).expect("it is committed");
    let folder = tempfile::tempdir().expect("there is room");
    let kvm = folder.path().join("kvm.jsonl");
    std::fs::write(&kvm, text.replace(r#""accel":"tcg""#, r#""accel":"kvm""#)).expect("there is");
    let once = curves(&committed(&["growth"]));
    let twice = curves(&Report::of(&[path, kvm]).expect("both are whole"));
    assert_eq!(once.len(), twice.len());
    for (once, twice) in once.iter().zip(&twice) {
        let names: Vec<_> = twice.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["q35 tcg", "q35 kvm"]);
        let points = |line: &Line| line.points.len();
        assert_eq!(points(&twice.lines[0]), points(&once.lines[0]));
        assert_eq!(points(&twice.lines[1]), points(&once.lines[0]));
        assert_ne!(twice.lines[0].look, twice.lines[1].look);
    }
}

#[test]
fn less_than_nothing_keeps_its_sign_and_is_said_to_have_no_place() {
    let report = committed(&["growth"]);
    let curves = curves(&report);
    let is_it = |it: &&Curves| it.name == "host CPU time of the APs";
    let of_host = curves.iter().find(is_it).expect("it was measured");
    let points = &of_host.lines[0].points;
    let below = points.iter().find(|point| point.median < 0.0);
    let below = below.expect("one of the committed ones is below");
    let told = format!(
        "no place for {} ms with {} CPUs",
        digits(below.median),
        below.cpus
    );
    assert!(told.contains("−195"), "{told}");
    assert!(of_host.says.contains(&told), "{}", of_host.says);
    let row = crate::report::page::growth::section(&report, &curves).into_string();
    assert!(row.contains(">−195<"), "its row");
}

#[test]
fn what_has_a_figure_of_fewer_than_two_sizes_is_no_curve() {
    let mut report = sample::report();
    assert_eq!(curves(&report).len(), 2);
    assert_eq!(not_drawn(&report).len(), 0);
    for cell in report.cells.iter_mut().filter(|cell| cell.cpus == 64) {
        cell.median_ns = None;
    }
    report.growth.remove(1);
    assert!(curves(&report).is_empty());
    assert_eq!(not_drawn(&report).len(), 1);
    for cell in &mut report.cells {
        cell.median_ns = None;
    }
    report.growth.clear();
    assert!(curves(&report).is_empty() && not_drawn(&report).is_empty());
}
