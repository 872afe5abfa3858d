//! Tables of all CPUs that are printed once, made from what the CPUs show at a moment. They fit 80
//! columns.

#![forbid(unsafe_code)]

mod cpus;
mod events;
mod metrics;

pub use cpus::CpusTable;
pub use events::EventsTable;
pub use metrics::MetricsTable;
