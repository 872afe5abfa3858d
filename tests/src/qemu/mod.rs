//! Everything about QEMU: the command line of a machine, the process with its channels, the
//! monitor, and which accelerator works here.

pub mod accel;
pub mod machine;
pub mod process;
pub mod slots;
pub mod smp;
pub mod vcpu;
