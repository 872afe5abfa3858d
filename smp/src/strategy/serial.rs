//! One AP after the other: each has its outcome before the next is kicked.

use alloc::{rc::Rc, vec::Vec};

use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let mut reports = Vec::with_capacity(shared.bring_up.aps.len());
    for attempt in shared.attempts() {
        reports.push(attempt.spawn_whole(spawner).await);
    }
    reports
}
