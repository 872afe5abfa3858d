//! CPUs that are started, add one to a counter in real mode, and halt there.
//!
//! **The trampoline counts as long as [`Counting`] lives**, and leads into the kernel again behind that.

use reveille_trampoline::Mode;

use super::machine::Hardware;

/// Whoever is started counts, until this is dropped.
pub struct Counting(Hardware);

impl Counting {
    /// From now on; whom to start is the caller's to say.
    pub fn begin(machine: Hardware) -> Self {
        machine.trampoline.set_mode(Mode::Count);
        Self(machine)
    }

    /// How many have counted.
    pub fn count(&self) -> u32 {
        self.0.trampoline.count()
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.trampoline.set_mode(Mode::BringUp);
    }
}
