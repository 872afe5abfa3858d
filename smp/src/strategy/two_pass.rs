//! All APs of a wave are kicked one after the other, and then brought online one after the other.
//!
//! The first wave is one thread of each core, the second their siblings: while microcode is loaded
//! on one thread of a core, the other must not run.
//!
//! The waves go before the numbers: a CPU of the first must not wait for a lower one of the second,
//! which is kicked only when the first is done. Inside a wave this order is strict by itself.

use alloc::{rc::Rc, vec::Vec};

use reveille_executor::Spawner;

use crate::{
    bringup::{Attempt, Report, Shared},
    machine::Machine,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let (second, first): (Vec<_>, Vec<_>) = shared
        .attempts()
        .partition(|attempt| attempt.ap().place.thread > 0);
    let mut reports = Vec::with_capacity(shared.bring_up.aps.len());
    for wave in [first, second] {
        let mut kicked = Vec::with_capacity(wave.len());
        for attempt in wave {
            kicked.push(attempt.spawn_kick(spawner).await);
        }
        // Each has its own deadline, and INIT and SIPI again in time, whoever it comes behind.
        let wait = |attempt: Attempt<M>| attempt.spawn_wait(spawner);
        for waiting in kicked.into_iter().map(wait).collect::<Vec<_>>() {
            reports.push(waiting.await.spawn_rest(spawner).await);
        }
    }
    reports
}
