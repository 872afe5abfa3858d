//! All APs at once: every delay and every wait overlaps with all others.
//!
//! Between two kicks the BSP attends to those that are on their way already. Where a kick costs it
//! much, as under a hypervisor, the online phase thus overlaps with the kicks, and an AP that has
//! just become alive is called while it is still awake.

use alloc::{rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
    round::next_round,
};

/// Rounds of the executor from one kick to the next. In the first the AP is kicked; in the second
/// an AP that has come online meanwhile passes its turn on; in the third the next one is called.
const ROUNDS_BETWEEN_KICKS: usize = 3;

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let mut reports = Vec::with_capacity(shared.bring_up.aps.len());
    for attempt in shared.attempts() {
        reports.push(attempt.spawn_whole(spawner));
        for _ in 0..ROUNDS_BETWEEN_KICKS {
            next_round().await;
        }
    }
    join_all(reports).await
}
