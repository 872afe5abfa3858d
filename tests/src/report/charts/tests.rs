//! Boots by hand, and what becomes of their file.

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};

use super::*;
use crate::bootchart::{Lane, stage::Milestones};

/// A boot of so many CPUs, by hand: the last one is stuck in real mode.
pub(crate) fn kept(cpus: u32) -> Kept {
    let lane = |cpu: u32| {
        let at = |ns: u64| Some(1_000 * u64::from(cpu) + ns);
        let (outcome, times) = match cpu {
            0 => (Outcome::Bsp, Milestones::default()),
            _ if cpu == cpus - 1 => (
                Outcome::StuckRealMode,
                Milestones {
                    init_ns: at(0),
                    sipi_ns: at(100),
                    real_ns: at(300),
                    ..Milestones::default()
                },
            ),
            _ => (
                Outcome::Online,
                Milestones {
                    init_ns: at(0),
                    sipi_ns: at(100),
                    real_ns: at(300),
                    long_ns: at(400),
                    alive_ns: at(600),
                    online_ns: at(900),
                },
            ),
        };
        Lane {
            cpu: Some(CpuIndex(cpu)),
            apic_id: ApicId(cpu),
            place: Some(format!("0/{cpu}/0")),
            outcome,
            step: None,
            reason: outcome.advice().map(str::to_owned),
            times,
            sipis: 1,
            polls: 2,
            uncertainty_ns: Some(30),
        }
    };
    Kept {
        schema: SCHEMA,
        machine: Machine::new(cpus),
        failed: false,
        chart: BootChart {
            machine: "BOCHS BXPC".to_owned(),
            hypervisor: "TCGTCGTCGTCG".to_owned(),
            model: None,
            strategy: "parallel".to_owned(),
            aps: cpus - 1,
            online: cpus.saturating_sub(2),
            online_ns: (cpus > 2).then(|| 1_000 * u64::from(cpus - 2) + 900),
            total_ns: 1_000 * u64::from(cpus) + 1_000,
            lanes: (0..cpus).map(lane).collect(),
            bsp: None,
            gaps: Vec::new(),
            serialised: None,
        },
        ipi: Some(Calls {
            samples: 3,
            pairs: vec![Pair {
                from: 0,
                to: 1,
                p50_ns: Some(10),
                p99_ns: Some(20),
                max_ns: None,
            }],
        }),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

#[test]
fn what_is_written_is_read_and_each_machine_is_there_once() {
    let folder = folder();
    let mut charts = Charts::beside(folder.path());
    assert_eq!((charts.kept.len(), &charts.problem), (0, &None));
    [2, 8, 2]
        .into_iter()
        .for_each(|cpus| charts.add(kept(cpus)));
    charts.write().expect("the folder takes it");
    let again = Charts::beside(&folder.path().join(FILE));
    assert_eq!(again, charts);
    assert_eq!(again.kept, [kept(2), kept(8)]);
    let text = fs::read_to_string(again.path()).expect("it is there");
    assert!(
        text.starts_with(START) && text[START.len()..].starts_with(r#""schema":1,"machine":{"#),
        "{text}"
    );
}

#[test]
fn a_line_that_is_cut_off_costs_that_line_and_is_told() {
    let folder = folder();
    let mut charts = Charts::beside(folder.path());
    [2, 8].into_iter().for_each(|cpus| charts.add(kept(cpus)));
    charts.write().expect("the folder takes it");
    let text = fs::read(charts.path()).expect("it is there");
    fs::write(charts.path(), &text[..text.len() - 40]).expect("it is ours");
    let cut = Charts::beside(folder.path());
    assert_eq!(cut.kept, [kept(2)]);
    assert!(
        cut.problem
            .as_ref()
            .is_some_and(|it| it.contains("cut off"))
    );
    cut.write().expect("it is ours");
    assert_eq!(Charts::beside(folder.path()).problem, None);
}

#[test]
fn a_file_of_another_schema_is_told_and_stays_as_it_is() {
    let folder = folder();
    let path = folder.path().join(NAME);
    let theirs = "{\"record\":\"chart\",\"schema\":9}\n";
    fs::write(&path, theirs).expect("the folder takes it");
    let mut charts = Charts::beside(folder.path());
    assert!(
        charts
            .problem
            .as_ref()
            .is_some_and(|it| it.contains("schema 9"))
    );
    charts.add(kept(2));
    let error = charts.write().expect_err("it is not ours");
    assert!(error.to_string().contains("stays as it is"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), theirs);
}

#[test]
fn a_file_that_is_another_one_is_told_and_stays_as_it_is() {
    for theirs in ["my shopping list\n", "{\"record\":\"boot\"}\n", "\n"] {
        let folder = folder();
        let path = folder.path().join(NAME);
        fs::write(&path, theirs).expect("the folder takes it");
        let mut charts = Charts::beside(folder.path());
        let problem = charts.problem.clone().expect("it is not ours");
        assert!(problem.contains("another file"), "{problem}");
        charts.add(kept(2));
        let error = charts.write().expect_err("it is not ours").to_string();
        assert!(
            error.contains("stays as it is, as it has no line"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).expect("it is there"), theirs);
    }
    // One that is empty is nobody's.
    let folder = folder();
    fs::write(folder.path().join(NAME), "").expect("the folder takes it");
    Charts::beside(folder.path())
        .check()
        .expect("nothing is lost");
}

#[test]
fn a_file_of_another_name_has_its_own() {
    let path = |name: &str| path_beside(Path::new(name));
    assert_eq!(
        path("docs/strategies.jsonl"),
        Path::new("docs/strategies-charts.jsonl")
    );
    assert_eq!(path("a/results.jsonl"), Path::new("a/charts.jsonl"));
}
