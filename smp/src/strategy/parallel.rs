//! All APs at once: every delay and every wait overlaps with all others.
//!
//! What is done for an AP before its kick takes the CPU that drives. So one AP is set out in each round
//! of the executor, the lowest first: between two of them, whoever has come alive meanwhile is put in
//! its place in the queue, and goes on while others are yet to be kicked. From there on the turn goes
//! from AP to AP.

use alloc::{rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
    round::next_round,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    let mut ways = Vec::with_capacity(shared.bring_up.aps.len());
    for attempt in shared.attempts() {
        ways.push(attempt.spawn_whole(spawner));
        next_round().await;
    }
    join_all(ways).await
}
