//! Lets somebody look: reads the CPUs each second, and sends the terminal what changed.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use reveille_executor::{Instant, Timer};

use super::{
    plain::PlainView,
    session::{ASK_FOR_SIZE, Asked, Session},
    view::View,
};
use crate::{
    console::{self, hold::Held, print_lines},
    cpus::Cpus,
    operations::in_use,
    shell::{figures::Moment, line::Key},
};

/// From one refresh to the next.
const REFRESH: Duration = Duration::from_secs(1);
/// How long the first screen waits for the terminal to tell its size.
const PATIENCE: Duration = Duration::from_millis(200);

/// Who looks, as the shell knows them.
pub trait Viewer {
    /// Waits for the next key; `None` when the command is to end.
    ///
    /// # Cancellation
    ///
    /// A wait that is dropped has taken no key.
    fn key(&mut self) -> impl Future<Output = Option<Key>>;

    /// The other commands that run, such as `[1] torture 60`.
    fn jobs(&self) -> Vec<String>;
}

/// Somebody has the screen already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenTaken;

impl core::fmt::Display for ScreenTaken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("another command has the screen: end that first")
    }
}

impl core::error::Error for ScreenTaken {}

/// Shows the CPUs on the whole screen until the viewer has seen enough.
///
/// # Errors
///
/// [`ScreenTaken`].
///
/// # Cancellation
///
/// Dropped, it gives the screen back.
pub async fn watch(
    cpus: &Cpus,
    timer: &Timer,
    viewer: &mut impl Viewer,
) -> Result<(), ScreenTaken> {
    let held = console::hold().ok_or(ScreenTaken)?;
    let _given_back = MemoryGivenBack;
    let mut session = Session::new(read(cpus), viewer.jobs());
    held.write(ASK_FOR_SIZE);
    let mut next = timer.now() + REFRESH;
    // Nothing is drawn before the size is known, or cannot be.
    let asked = timer.now() + PATIENCE;
    loop {
        match timer.timeout_at(asked, viewer.key()).await {
            Ok(None) => return Ok(()),
            Ok(Some(key)) => match session.key(key) {
                Asked::Quit => return Ok(()),
                _ if matches!(key, Key::CursorReport { .. }) => break,
                _ => {}
            },
            Err(_) => break,
        }
    }
    show(&held, &mut session);
    loop {
        match timer.timeout_at(next, viewer.key()).await {
            Ok(None) => return Ok(()),
            Ok(Some(key)) => match session.key(key) {
                Asked::Quit => return Ok(()),
                Asked::Redraw => show(&held, &mut session),
                Asked::Nothing => {}
            },
            Err(_) => {
                session.refresh(read(cpus), viewer.jobs());
                show(&held, &mut session);
                held.write(ASK_FOR_SIZE);
                next = following(next, timer.now());
            }
        }
    }
}

/// The same where the terminal knows no escape sequences: a table each second, until the viewer has seen
/// enough.
///
/// # Cancellation
///
/// It can be dropped at any time.
pub async fn watch_plain(cpus: &Cpus, timer: &Timer, viewer: &mut impl Viewer) {
    let _given_back = MemoryGivenBack;
    let mut before: Option<Moment> = None;
    let mut next = timer.now();
    loop {
        let now = read(cpus);
        let jobs = viewer.jobs();
        print_lines(PlainView(View {
            before: before.as_ref(),
            now: &now,
            jobs: &jobs,
            first: 0,
        }));
        before = Some(now);
        next = following(next, timer.now());
        loop {
            match timer.timeout_at(next, viewer.key()).await {
                Ok(None | Some(Key::Char('q' | 'Q') | Key::Ctrl(b'c' | b'd'))) => return,
                Ok(Some(_)) => {}
                Err(_) => break,
            }
        }
    }
}

/// What the CPUs show. That takes memory beside whatever somebody else measures.
fn read(cpus: &Cpus) -> Moment {
    in_use::disturb();
    Moment::now(cpus)
}

/// Declared before all that a view keeps, and so dropped behind it: whoever measures memory beside the view
/// sees less of it in use from then on.
struct MemoryGivenBack;

impl Drop for MemoryGivenBack {
    fn drop(&mut self) {
        in_use::disturb();
    }
}

/// A row at a time: the console is not held from others, nor interrupts from this CPU, for longer.
fn show(held: &Held, session: &mut Session) {
    in_use::disturb();
    session.draw().iter().for_each(|piece| held.write(piece));
}

/// When the next refresh is due. What was missed, because this CPU had other things to do, is not made up.
fn following(due: Instant, now: Instant) -> Instant {
    let next = due + REFRESH;
    if next > now { next } else { now + REFRESH }
}
