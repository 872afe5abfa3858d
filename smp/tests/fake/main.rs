//! The code that boots, against a small fake machine: bring-up, and the ladder of steps.

mod bring_up;
mod instances;
mod ladder;
mod machine;
mod mailbox;
mod primaries;
mod removal;
mod steps;
