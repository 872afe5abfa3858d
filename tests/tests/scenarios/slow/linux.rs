//! Linux really boots beside us, and gives its figures.
//!
//! Where Debian's kernels cannot be had, the scenario passes, and leaves word for the end of
//! `cargo xtask test`.

use std::process::Command;

use reveille_smp::contender::Contender;
use reveille_tests::{
    bench::{
        linux::{
            image::{self, Image},
            samples,
        },
        results::{Results, Run},
    },
    kernel::IMAGE_VARIABLE,
    qemu::machine::Machine,
    skipped::Skipped,
};

use crate::{
    boot::{kernel, slot},
    command::{stderr, stdout},
};

#[test]
fn linux_comes_up_beside_us_and_its_bringup_is_timed_from_all_sides() {
    let series = "6.1".parse().expect("a series");
    let linux = match Image::ready(series, &image::folder(kernel())) {
        Ok(linux) => linux,
        Err(error) => {
            return Skipped::of(kernel())
                .add(&format!("no Linux beside us: {error:#}"))
                .expect("the build's folder can be written");
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let _slot = slot(&Machine::new(2));
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args([
        "bench", "linux", "--smp", "2", "--runs", "1", "--rounds", "2",
    ]);
    command
        .args(["--kernels", "6.1", "--out"])
        .arg(folder.path());
    command.env(IMAGE_VARIABLE, kernel().image());
    let output = command.output().expect("xtask starts");
    println!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(0));

    let results = Results::read(folder.path()).expect("the results are whole");
    let version = linux.version.split('-').next().expect("the first part");
    let name = format!("linux-{version} serial");
    let systems = ["", ", traced by QEMU", ", traced by itself"];
    let run = |system: String| -> &Run {
        let mut runs = results.runs.iter().filter(|run| run.system == system);
        runs.next().expect("each has a line")
    };
    let [plain, outside, inside] = systems.map(|view| run(format!("{name}{view}")));
    let ours = run("reveille".to_owned());
    let ours_outside = run("reveille, traced by QEMU".to_owned());
    assert_eq!(results.runs.len(), 5);

    let online = |run: &Run, sample: &str| run.samples[sample].online_ns[0];
    let apics = |run: &Run| run.samples[samples::ALL_APICS].alive_ns[0];
    for times in [
        &ours.samples[Contender::Bare.name()].online_ns,
        &ours.samples["parallel"].online_ns,
    ] {
        assert_eq!(times.len(), 2);
    }
    assert!(online(ours, samples::COLD) > 0);
    assert!(online(plain, samples::BRING_UP) > 0);
    // Its first INIT comes behind the one line, and its APIC is on before the other.
    assert!(apics(outside) < online(outside, samples::BRING_UP));
    assert!(apics(ours_outside) > 0);
    let part = |name: &str| inside.samples[name].total_ns[0];
    // With one AP nothing overlaps. Its events count microseconds, so that a part may be none of them.
    let parts: Vec<u64> = samples::PARTS[..5].iter().map(|name| part(name)).collect();
    let (sum, whole) = (parts.iter().sum::<u64>(), part("whole"));
    assert!(sum > 0 && sum <= whole, "{parts:?} of {whole}");
}
