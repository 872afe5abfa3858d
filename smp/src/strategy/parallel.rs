//! All APs at once: every delay and every wait overlaps with all others.
//!
//! What is done for an AP before its kick takes the CPU that drives. So one AP is set out in each round
//! of the executor, the lowest first: between two of them, whoever has come alive meanwhile is put in
//! its place in the queue, and goes on while others are yet to be kicked. From there on the turn goes
//! from AP to AP.
//!
//! Where the machine wants it ([`Timing::head_start`](crate::bringup::Timing::head_start)), the lowest AP
//! goes its whole way first. One that is silent holds up the others for that long and no longer.

use alloc::{rc::Rc, vec::Vec};
use core::pin::pin;

use futures_util::future::{join, join_all, maybe_done};
use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
    round::next_round,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let mut attempts = shared.attempts();
    let Some(lowest) = attempts.next() else {
        return Vec::new();
    };
    let mut first = pin!(maybe_done(lowest.spawn_whole(spawner)));
    let head_start = shared.bring_up.timing.head_start;
    if head_start.is_zero() {
        next_round().await;
    } else {
        // Whether it has come to its end or not: the others set out.
        let _ = shared
            .bring_up
            .timer
            .timeout(head_start, first.as_mut())
            .await;
    }
    let mut ways = Vec::with_capacity(shared.bring_up.aps.len());
    for attempt in attempts {
        ways.push(attempt.spawn_whole(spawner));
        next_round().await;
    }
    let ((), mut reports) = join(first.as_mut(), join_all(ways)).await;
    reports.extend(first.take_output());
    reports
}
