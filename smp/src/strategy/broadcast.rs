//! One INIT and one SIPI to all CPUs but this one; from there on as in parallel.
//!
//! INIT must not reach an AP that runs. So while one of them is not down, each is kicked by itself;
//! and so it is where the first threads of cores are to come before the others, and where a mailbox
//! wakes one AP at a time.

use core::time::Duration;

use alloc::{rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use super::parallel;
use crate::{
    bringup::{Attempt, Report, Shared},
    machine::Machine,
    outcome::Outcome,
    state::Stage,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let mut stages = shared.bring_up.aps.iter().map(|ap| ap.slot.stage());
    let are_down = stages.all(|stage| stage.is_down() || stage == Stage::NotPresent);
    let has_mailbox = shared.bring_up.machine.mailbox().is_some();
    if !are_down || has_mailbox || shared.primaries_come_first() {
        return parallel::drive(shared, spawner).await;
    }
    let mut attempts: Vec<_> = shared.attempts().collect();
    for attempt in &mut attempts {
        if attempt.stage() == Stage::NotPresent {
            attempt.conclude(Outcome::Disabled);
        } else if let Err(failure) = attempt.make_ready().await {
            attempt.conclude(failure);
        }
    }
    kick(shared, &mut attempts).await;
    let rest = |attempt: Attempt<M>| attempt.spawn_rest(spawner);
    join_all(attempts.into_iter().map(rest)).await
}

async fn kick<M: Machine>(shared: &Shared<M>, attempts: &mut [Attempt<M>]) {
    let machine = &shared.bring_up.machine;
    let at = machine.now();
    let sent = machine.broadcast_init();
    each(attempts, |attempt| attempt.note_init(at, sent));
    let delay = attempts.iter().map(Attempt::init_delay).max();
    if let Some(delay) = delay.filter(|&delay| delay > Duration::ZERO) {
        shared.bring_up.timer.sleep(delay).await;
    }
    each(attempts, Attempt::open_slot);
    let sent = machine.broadcast_sipi();
    each(attempts, |attempt| attempt.note_sipi(sent));
}

/// Does a part of the kick for all whose outcome is not known yet.
fn each<M: Machine>(
    attempts: &mut [Attempt<M>],
    part: impl Fn(&mut Attempt<M>) -> Result<(), Outcome>,
) {
    for attempt in attempts.iter_mut().filter(|attempt| !attempt.is_over()) {
        if let Err(failure) = part(attempt) {
            attempt.conclude(failure);
        }
    }
}
