//! All APs at once: every delay and every wait overlaps with all others.
//!
//! The tasks are polled in the order of the CPUs' numbers, so all kicks come first, one behind the
//! other without a pause, and whoever is alive by then is put in its place in the queue. From there
//! on the turn goes from AP to AP.

use alloc::{rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use crate::{
    bringup::{Attempt, Report, Shared},
    machine::Machine,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let whole = |attempt: Attempt<M>| attempt.spawn_whole(spawner);
    join_all(shared.attempts().map(whole)).await
}
