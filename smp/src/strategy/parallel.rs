//! All APs at once: every delay and every wait overlaps with all others.
//!
//! The tasks are spawned one a round of the executor. So an AP that is alive already is called
//! between two kicks, and not behind the last one: where a kick costs the BSP much (under a
//! hypervisor it does), the online phase overlaps with the kicks, and the AP is called while it is
//! still awake.

use alloc::{rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let mut reports = Vec::with_capacity(shared.aps().len());
    for index in shared.aps() {
        reports.push(shared.spawn(spawner, index));
        next_round().await;
    }
    join_all(reports).await
}

/// Lets all tasks that are ready be polled once.
async fn next_round() {
    let mut is_first = true;
    core::future::poll_fn(|context| {
        if core::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            core::task::Poll::Pending
        } else {
            core::task::Poll::Ready(())
        }
    })
    .await;
}
