//! All APs at once: every delay and every wait overlaps with all others.

use alloc::{rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use crate::{
    bringup::{Report, Shared},
    machine::Machine,
};

pub(super) async fn drive<M: Machine>(shared: &Rc<Shared<M>>, spawner: &Spawner) -> Vec<Report> {
    join_all(shared.aps().map(|index| shared.spawn(spawner, index))).await
}
