//! The guards of CPUs that are added and removed while others run.

use crate::Mutation;

pub(super) const MUTATIONS: &[Mutation] = &[];
