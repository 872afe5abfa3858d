//! Typing while the machine is busy, and leaving it alone while nobody types.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::session::{PROMPT, Session};

/// Bits a second, and bits a byte with its start and its stop bit.
const BAUD: f64 = 115_200.0;
const BITS: f64 = 10.0;

/// What is typed at once: the depth of a 16550A's FIFO.
const FIFO: usize = 16;

/// Types at the speed of a line of 115,200 baud.
fn types_at_full_speed(session: &mut Session, bytes: &[u8]) {
    let started = Instant::now();
    let mut sent = 0;
    for piece in bytes.chunks(FIFO) {
        let due = started + Duration::from_secs_f64(sent as f64 * BITS / BAUD);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        session.types(piece);
        sent += piece.len();
    }
}

/// That nothing is lost, doubled or put in another order between the UART and the shell. QEMU gives the FIFO no more
/// than has room there, so this cannot show that it is emptied in time; what becomes of a byte that a real line
/// loses, the host tests of `console/receiver.rs` show.
#[test]
fn what_is_typed_while_63_cpus_are_cycled_arrives_whole_and_in_its_order() {
    let mut session = Session::start(Machine::new(64));
    session.asks("cycle 1000000 &");
    // Each line is another one, and answered by what it was.
    let lines: Vec<String> = (0..60_u64)
        .map(|line| {
            let number = |it: u64| (line * 8 + it).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (0..8).map(|it| format!("{:016x}", number(it))).collect()
        })
        .collect();
    let mut typed = lines.join("\r");
    typed.push('\r');
    types_at_full_speed(&mut session, typed.as_bytes());
    for line in &lines {
        let answer = session.answer_to(line);
        assert!(answer.contains("is no command"), "{answer}");
    }
    session.asks("kill");
    session.sees("interrupted, 63 APs down and up, 0 lost, 0 failed");
    session.sees(PROMPT);
    let cpus = session.asks("cpus");
    assert!(cpus.contains("64 of 64 CPUs are online"), "{cpus}");
    let ended = session.leaves_by("exit ok");
    assert_eq!(ended.outcome, Outcome::Ok);
    assert!(!ended.console.contains("came too fast for the UART"));
}

/// How often in a second the threads of QEMU may be woken for an idle shell of 8 CPUs, its own timers among it: some
/// 20 times. What a wake costs is the host's affair, and differs by the factor of ten between hosts; a kernel that
/// ticked, or looked for what is typed, would need hundreds.
const WAKES_A_SECOND: u64 = 60;

/// So long it is looked at.
const IDLE: Duration = Duration::from_secs(10);

#[test]
fn a_shell_that_is_idle_leaves_the_host_alone() {
    let mut session = Session::start(Machine::new(8));
    session.asks("cpus");
    // QEMU's own threads end what they began.
    thread::sleep(Duration::from_secs(1));
    let process = session.guest.process_id();
    let (wakes_before, time_before) = (wakes(process), time_on_all_cores(process));
    assert!(wakes_before > 0, "the host keeps no account of its threads");
    let started = Instant::now();
    thread::sleep(IDLE);
    let elapsed = started.elapsed();
    let wakes = wakes(process).saturating_sub(wakes_before);
    let spent = time_on_all_cores(process) - time_before;
    println!("an idle shell was woken {wakes} times in {elapsed:?}, and ran for {spent:?}");
    let most = WAKES_A_SECOND * (elapsed.as_secs() + 1);
    assert!(wakes < most, "{wakes} wakes in {elapsed:?}");
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

/// How often the threads of a process have given up their core to wait (proc_pid_status(5),
/// `voluntary_ctxt_switches`).
fn wakes(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let of_thread = |path: PathBuf| {
        // One that has ended meanwhile is not woken any more.
        let status = fs::read_to_string(path.join("status")).ok()?;
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse::<u64>().ok()
    };
    threads
        .filter_map(|thread| of_thread(thread.ok()?.path()))
        .sum()
}

/// How long a process has run, with all of its threads, those that have ended too: the 14th and 15th field
/// of its `stat`, user and system time in hundredths of a second (proc_pid_stat(5), `USER_HZ`).
fn time_on_all_cores(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, fields) = text.rsplit_once(')').expect("a name in brackets");
    // The name is the second one.
    let times = fields.split_whitespace().skip(14 - 3).take(2);
    let ticks: u64 = times.map(|it| it.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(10 * ticks)
}
