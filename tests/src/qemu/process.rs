//! A QEMU process, its channels, and its guaranteed end.
//!
//! QEMU never outlives the thread that started it. [`Qemu`] kills it when dropped, and stays on
//! its thread (it is not `Send`); should that thread end in any other way, by a signal or a
//! `kill -9` of the whole process, the kernel kills QEMU (`PR_SET_PDEATHSIG`, which fires when
//! the *thread* that forked ends; Linux only). QEMU has a process group of its own, so that a
//! Ctrl-C reaches us alone and we say what was seen before we end it.
//!
//! The channels are socket pairs handed to QEMU as open descriptors: there is no file name to
//! wait for, and all of them close when QEMU ends, whatever ends it. One thread a channel turns
//! what arrives into [`Event`]s.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    marker::PhantomData,
    mem::MaybeUninit,
    os::{
        fd::AsFd,
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::{Value, json};

use super::machine::{Channels, Machine};
use crate::setup::qemu::PROGRAM;

/// How long the monitor may take to answer; it does so at once unless QEMU itself hangs.
const MONITOR_LIMIT: Duration = Duration::from_secs(10);

/// Something that happened to a running QEMU.
#[derive(Debug)]
pub enum Event {
    /// The guest wrote to its console. As it came: a line ends in CR LF there.
    Console(Vec<u8>),
    /// The guest wrote a record: one line, without its end.
    Record(String),
    /// The monitor reports an event (QEMU's QMP reference has the names).
    Monitor(Value),
    /// QEMU itself has something to say, on its standard error.
    Complaint(String),
    /// Somebody asks us to end, by this signal.
    Interrupt(i32),
    /// QEMU has ended, and all it had written has been delivered.
    Ended(ExitStatus),
}

/// What a process took in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all its threads, user and system.
    pub cpu: Duration,
    /// The most memory that it had resident.
    pub peak_rss_bytes: u64,
}

/// What the readers send.
enum Arrival {
    Event(Event),
    Reply(Value),
    Closed,
}

/// A running QEMU. It must not move to a thread that outlives the one that started it:
///
/// ```compile_fail,E0277
/// fn move_to_another_thread(_: impl Send) {}
/// fn never(qemu: reveille_tests::qemu::process::Qemu) {
///     move_to_another_thread(qemu);
/// }
/// ```
pub struct Qemu {
    child: Child,
    console: UnixStream,
    /// What is to be typed at the console, for the thread that does so.
    typed: Sender<Vec<u8>>,
    monitor: UnixStream,
    arrivals: Receiver<Arrival>,
    sender: Sender<Arrival>,
    /// Events that arrived while we waited for the monitor's reply.
    early: VecDeque<Event>,
    open_channels: usize,
    requests: u64,
    /// Set once it has been waited for: from then on its number may be another process's.
    ended: Option<(ExitStatus, Usage)>,
    /// Keeps the guard on the thread that forked.
    not_send: PhantomData<*const ()>,
}

impl Qemu {
    /// Starts `machine` with `kernel`.
    pub fn start(machine: &Machine, kernel: &Path) -> Result<Self> {
        let (console, console_end) = UnixStream::pair()?;
        let (records, records_end) = UnixStream::pair()?;
        let (monitor, monitor_end) = UnixStream::pair()?;
        let arguments = machine.arguments(
            kernel,
            Channels {
                console: console_end.as_fd(),
                records: records_end.as_fd(),
                qmp: monitor_end.as_fd(),
            },
        );
        let mut child = spawn(arguments, [console_end, records_end, monitor_end])
            .with_context(|| format!("cannot start `{PROGRAM}`"))?;
        let complaints = child
            .stderr
            .take()
            .context("the standard error was piped")?;

        let (sender, arrivals) = mpsc::channel();
        read_bytes(console.try_clone()?, &sender);
        let typed = write_bytes(console.try_clone()?);
        read_lines(records, &sender, |line| Arrival::Event(Event::Record(line)));
        read_lines(monitor.try_clone()?, &sender, from_monitor);
        read_lines(complaints, &sender, |line| {
            Arrival::Event(Event::Complaint(line))
        });
        let mut qemu = Self {
            child,
            console,
            typed,
            monitor,
            arrivals,
            sender,
            early: VecDeque::new(),
            open_channels: 4,
            requests: 0,
            ended: None,
            not_send: PhantomData,
        };
        // The monitor takes no command before this one; its reply needs no waiting for.
        qemu.request("qmp_capabilities", json!({}));
        Ok(qemu)
    }

    /// The operating system's number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A way to put a signal among the events.
    pub fn interrupter(&self) -> impl Fn(i32) + Send + 'static {
        let sender = self.sender.clone();
        // Once QEMU has ended, nobody listens, and nobody needs to.
        move |signal| drop(sender.send(Arrival::Event(Event::Interrupt(signal))))
    }

    /// Types `bytes` at the guest's console, behind those of earlier calls. Waits for nobody: the guest
    /// gets them as it reads them, and those that it never reads go with it.
    pub fn type_bytes(&self, bytes: &[u8]) {
        // The thread that types ends before us only when QEMU has: then nobody reads.
        let _gone = self.typed.send(bytes.to_vec());
    }

    /// Our end of the guest's console, for somebody who types at it from another thread. What is read
    /// from it is missing among the events.
    pub fn console(&self) -> io::Result<UnixStream> {
        self.console.try_clone()
    }

    /// The next event; `None` when there is none until `deadline`. Without one it waits for as long as
    /// QEMU runs.
    pub fn next(&mut self, deadline: impl Into<Option<Instant>>) -> Result<Option<Event>> {
        let deadline = deadline.into();
        if let Some(event) = self.early.pop_front() {
            return Ok(Some(event));
        }
        loop {
            match self.arrival(deadline)? {
                Some(Ok(event)) => return Ok(Some(event)),
                // A reply that nobody waits for any more.
                Some(Err(_reply)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Asks the monitor, and waits for its reply.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let id = self.request(command, arguments);
        let deadline = Some(Instant::now() + MONITOR_LIMIT);
        loop {
            match self.arrival(deadline)? {
                Some(Err(mut reply)) if reply["id"] == id => {
                    if let Some(error) = reply.get("error") {
                        bail!("QEMU's monitor refuses `{command}`: {}", error["desc"]);
                    }
                    return Ok(reply["return"].take());
                }
                Some(Err(_other)) => {}
                Some(Ok(event)) => {
                    let over = matches!(event, Event::Ended(_));
                    self.early.push_back(event);
                    if over {
                        bail!("QEMU ended before it answered `{command}`");
                    }
                }
                None => bail!("QEMU's monitor does not answer `{command}`"),
            }
        }
    }

    /// Ends it, if it has not ended by itself, and tells what it took.
    pub fn end(mut self) -> io::Result<Usage> {
        self.kill();
        self.wait().map(|(_, usage)| usage)
    }

    fn kill(&mut self) {
        if self.ended.is_none() {
            // Fails only for a process that has been waited for.
            let _ended = self.child.kill();
        }
    }

    /// Waits for its end. The child itself is never waited for but here.
    fn wait(&mut self) -> io::Result<(ExitStatus, Usage)> {
        let ended = match self.ended {
            Some(ended) => ended,
            None => wait_for(self.child.id())?,
        };
        self.ended = Some(ended);
        Ok(ended)
    }

    /// Sends a command without waiting. That QEMU is gone shows when its channels close.
    fn request(&mut self, command: &str, arguments: Value) -> u64 {
        self.requests += 1;
        let line = json!({ "execute": command, "arguments": arguments, "id": self.requests });
        let _gone = writeln!(self.monitor, "{line}");
        self.requests
    }

    /// The next event (`Ok`) or reply (`Err`).
    fn arrival(&mut self, deadline: Option<Instant>) -> Result<Option<Result<Event, Value>>> {
        loop {
            let received = match deadline {
                Some(deadline) => {
                    // A guest that never stops talking must not keep us beyond the deadline.
                    let wait = deadline.saturating_duration_since(Instant::now());
                    if wait.is_zero() {
                        return Ok(None);
                    }
                    self.arrivals.recv_timeout(wait)
                }
                None => self.arrivals.recv().map_err(RecvTimeoutError::from),
            };
            match received {
                Ok(Arrival::Event(event)) => return Ok(Some(Ok(event))),
                Ok(Arrival::Reply(reply)) => return Ok(Some(Err(reply))),
                Ok(Arrival::Closed) => {
                    self.open_channels -= 1;
                    if self.open_channels == 0 {
                        let (status, _) = self.wait()?;
                        return Ok(Some(Ok(Event::Ended(status))));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => bail!("the channels' readers are gone"),
            }
        }
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
        // Fails only for a process that has been waited for.
        let _ended = self.wait();
    }
}

/// Forks and becomes QEMU, with `ends` left open across the `exec`.
#[expect(
    unsafe_code,
    reason = "only code between fork and exec can set what QEMU inherits"
)]
fn spawn(arguments: Vec<OsString>, ends: [UnixStream; 3]) -> io::Result<Child> {
    #[cfg(target_os = "linux")]
    let parent = rustix::process::getpid();
    let prepare = move || {
        for end in &ends {
            fcntl_setfd(end, FdFlags::empty())?;
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Signal, getppid, set_parent_process_death_signal};

            set_parent_process_death_signal(Some(Signal::KILL))?;
            // A parent that died before that line sent no signal; then we have another one now.
            if getppid() != Some(parent) {
                return Err(rustix::io::Errno::SRCH.into());
            }
        }
        Ok(())
    };
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: `prepare` runs in the child of a process that may have had other threads, so it
    // must take no lock and no memory: it only makes system calls, and its errors are numbers.
    unsafe { command.pre_exec(prepare) };
    // Our copies of QEMU's ends go with `command`, so the channels close when QEMU ends.
    command.spawn()
}

/// Waits for the end of a child that nobody has waited for, and tells what it took: of a single child
/// only this call tells how much memory it had.
#[expect(
    unsafe_code,
    reason = "no safe crate that is kept up has wait4 with its usage"
)]
fn wait_for(child: u32) -> io::Result<(ExitStatus, Usage)> {
    let child = child.cast_signed();
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes of what the call writes there.
        if unsafe { libc::wait4(child, &mut status, 0, usage.as_mut_ptr()) } == child {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: it consists of integers, which may be zero, as they were before the call.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| {
        let micros = Duration::from_micros(time.tv_usec.unsigned_abs());
        Duration::from_secs(time.tv_sec.unsigned_abs()) + micros
    };
    let usage = Usage {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        // Linux counts it in KiB (getrusage(2)).
        peak_rss_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
    };
    Ok((ExitStatus::from_raw(status), usage))
}

fn read_bytes(mut stream: impl Read + Send + 'static, sender: &Sender<Arrival>) {
    let sender = sender.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        // A stream that fails is as good as closed: QEMU is gone.
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let bytes = buffer[..length].to_vec();
            if sender.send(Arrival::Event(Event::Console(bytes))).is_err() {
                return;
            }
        }
        let _nobody_listens = sender.send(Arrival::Closed);
    });
}

/// Writes what is sent, in its order, until the sender or QEMU is gone.
fn write_bytes(mut stream: UnixStream) -> Sender<Vec<u8>> {
    let (sender, typed) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        let _gone = typed
            .into_iter()
            .try_for_each(|bytes| stream.write_all(&bytes));
    });
    sender
}

fn read_lines(
    stream: impl Read + Send + 'static,
    sender: &Sender<Arrival>,
    arrival: impl Fn(String) -> Arrival + Send + 'static,
) {
    let sender = sender.clone();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = stream.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            if sender.send(arrival(text)).is_err() {
                return;
            }
            line.clear();
        }
        let _nobody_listens = sender.send(Arrival::Closed);
    });
}

/// A line of QMP is the greeting, an event, or a reply to a request.
fn from_monitor(line: String) -> Arrival {
    match serde_json::from_str::<Value>(&line) {
        Ok(value) if value.get("event").is_some() => Arrival::Event(Event::Monitor(value)),
        Ok(value) => Arrival::Reply(value),
        Err(error) => Arrival::Event(Event::Complaint(format!(
            "the monitor wrote no JSON ({error}): {line}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of no importance, with `arrivals` that are there already.
    fn qemu(arrivals: Vec<Arrival>) -> Qemu {
        let (sender, receiver) = mpsc::channel();
        for arrival in arrivals {
            sender.send(arrival).expect("we hold the receiver");
        }
        Qemu {
            child: Command::new("true").spawn().expect("every system has it"),
            console: UnixStream::pair().expect("a pair of sockets").0,
            typed: mpsc::channel().0,
            monitor: UnixStream::pair().expect("a pair of sockets").0,
            arrivals: receiver,
            sender,
            early: VecDeque::new(),
            open_channels: 1,
            requests: 0,
            ended: None,
            not_send: PhantomData,
        }
    }

    #[test]
    fn a_guest_that_never_stops_talking_still_reaches_its_limit() {
        let talk = || Arrival::Event(Event::Console(b"and another thing\n".to_vec()));
        let mut qemu = qemu(vec![talk(), talk()]);
        let later = Instant::now() + MONITOR_LIMIT;
        assert!(matches!(qemu.next(later), Ok(Some(Event::Console(_)))));
        assert!(matches!(qemu.next(Instant::now()), Ok(None)));
    }

    #[test]
    fn what_arrives_before_a_reply_is_not_lost() {
        let reply = json!({ "return": 7, "id": 1 });
        let talk = Arrival::Event(Event::Record("a record".to_owned()));
        let mut qemu = qemu(vec![talk, Arrival::Reply(reply), Arrival::Closed]);
        assert_eq!(qemu.execute("query", json!({})).expect("a reply"), 7);
        let later = Instant::now() + MONITOR_LIMIT;
        assert!(matches!(qemu.next(later), Ok(Some(Event::Record(line))) if line == "a record"));
        assert!(matches!(qemu.next(later), Ok(Some(Event::Ended(status))) if status.success()));
    }

    #[test]
    fn an_end_in_place_of_a_reply_is_an_error_and_still_seen() {
        let mut qemu = qemu(vec![Arrival::Closed]);
        assert!(qemu.execute("query", json!({})).is_err());
        assert!(matches!(
            qemu.next(Instant::now()),
            Ok(Some(Event::Ended(_)))
        ));
    }

    #[test]
    #[expect(clippy::zombie_processes, reason = "it is waited for by its number")]
    fn what_a_child_took_is_told_with_how_it_ended() {
        let child = Command::new("sh").args(["-c", "exit 3"]).spawn();
        let child = child.expect("every system has it");
        let (status, usage) = wait_for(child.id()).expect("it is our child");
        assert_eq!(status.code(), Some(3));
        assert!(usage.peak_rss_bytes > 1 << 16, "{usage:?}");
        assert!(wait_for(child.id()).is_err(), "it was waited for");
    }

    #[test]
    fn a_process_that_runs_is_ended_and_one_that_has_ended_is_waited_for_once() {
        let mut running = qemu(vec![]);
        running.child = Command::new("sleep").arg("600").spawn().expect("it starts");
        let begun = Instant::now();
        running.end().expect("it is our child");
        assert!(begun.elapsed() < Duration::from_secs(600));
        let mut ended = qemu(vec![Arrival::Closed]);
        assert!(matches!(ended.next(None), Ok(Some(Event::Ended(_)))));
        assert_eq!(ended.wait().expect("it is known").0.code(), Some(0));
        ended.end().expect("it is known");
    }

    #[test]
    fn a_line_of_the_monitor_is_an_event_a_reply_or_a_complaint() {
        let event = from_monitor(r#"{"event":"STOP"}"#.to_owned());
        assert!(matches!(event, Arrival::Event(Event::Monitor(_))));
        assert!(matches!(
            from_monitor(r#"{"return":{}}"#.to_owned()),
            Arrival::Reply(_)
        ));
        let noise = from_monitor("(qemu)".to_owned());
        assert!(matches!(noise, Arrival::Event(Event::Complaint(_))));
    }
}
