//! However `cargo xtask run` ends, its QEMU ends with it.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use reveille_tests::{kernel::IMAGE_VARIABLE, qemu::machine::Machine};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
};

use crate::boot::{LIMIT, kernel, slot};

/// A run of a guest that never ends.
struct Run {
    xtask: Child,
    qemu: OwnedFd,
}

impl Run {
    /// Starts it, and waits until the guest has spoken: from then on, QEMU certainly runs.
    fn start(timeout: &str) -> Self {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args([
                "run",
                "--smp",
                "2",
                "--accel",
                "tcg",
                "--append",
                "test=hang",
            ])
            .args(["--timeout", timeout])
            .env(IMAGE_VARIABLE, kernel().image())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        let console = xtask.stdout.take().expect("it is a pipe");
        let line = BufReader::new(console).lines().next();
        line.expect("the guest speaks")
            .expect("its console can be read");
        let qemu = pidfd_open(child_of(pid(&xtask)), PidfdFlags::empty()).expect("QEMU runs");
        Self { xtask, qemu }
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(&self.xtask), signal).expect("xtask runs");
    }

    fn status(&mut self) -> ExitStatus {
        self.xtask.wait().expect("xtask is our child")
    }

    fn qemu_ends(&self) -> bool {
        self.qemu_ends_within(LIMIT)
    }

    /// A pidfd is readable once its process has ended.
    fn qemu_ends_within(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).expect("it is short");
        poll(&mut [PollFd::new(&self.qemu, PollFlags::IN)], Some(&limit)).expect("a poll") == 1
    }
}

impl Drop for Run {
    /// A test that fails leaves nothing behind either. Both have usually ended by now.
    fn drop(&mut self) {
        let _ended = self.xtask.kill();
        let _ended = pidfd_send_signal(&self.qemu, Signal::KILL);
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// The one child of a process. The fourth field of `stat` is the parent; the second, in brackets,
/// may hold spaces (proc_pid_stat(5)).
pub(crate) fn child_of(parent: Pid) -> Pid {
    let is_child = |stat: &str| {
        let fields = stat
            .rsplit_once(')')
            .map(|(_, fields)| fields)
            .unwrap_or_default();
        fields.split_whitespace().nth(1) == Some(&parent.as_raw_nonzero().to_string())
    };
    fs::read_dir("/proc")
        .expect("Linux has it")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            // A process that ends meanwhile has no file any more.
            fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| is_child(&stat))
        })
        .find_map(Pid::from_raw)
        .expect("xtask has a child")
}

fn qemu_ends_with_xtask(signal: Signal, code: Option<i32>) {
    let _slot = slot(&Machine::new(2));
    let mut run = Run::start("600");
    assert!(
        !run.qemu_ends_within(Duration::ZERO),
        "QEMU ended by itself"
    );
    run.signal(signal);
    assert!(run.qemu_ends(), "QEMU outlives xtask");
    assert_eq!(run.status().code(), code);
}

#[test]
fn ctrl_c_ends_qemu() {
    qemu_ends_with_xtask(Signal::INT, Some(130));
}

#[test]
fn sigterm_ends_qemu() {
    qemu_ends_with_xtask(Signal::TERM, Some(143));
}

#[test]
fn a_kill_that_xtask_cannot_catch_ends_qemu() {
    qemu_ends_with_xtask(Signal::KILL, None);
}

#[test]
fn the_time_limit_ends_qemu() {
    let _slot = slot(&Machine::new(2));
    let mut run = Run::start("20");
    assert!(run.qemu_ends(), "QEMU outlives its limit");
    assert_eq!(run.status().code(), Some(124));
}
