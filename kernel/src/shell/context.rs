//! What commands work on.

use alloc::boxed::Box;

use reveille_executor::{Spawner, Timer};
use reveille_smp::gate::{FirstCome, Passage};

use crate::{
    bench::Bench, command_line::Options, cpus::Cpus, interruption::Interruption,
    operations::Operations, println,
};

/// The machine, as commands see it. There is one, for good.
pub struct Context {
    /// Operations on CPUs, which take turns.
    pub(super) operations: &'static Operations<'static>,
    /// What the boot was asked for.
    pub(super) options: &'static Options,
    print_report: Box<dyn Fn()>,
    measurements: FirstCome,
}

impl Context {
    /// What commands need; `print_report` prints the boot's table again.
    pub fn new(
        operations: &'static Operations<'static>,
        options: &'static Options,
        print_report: impl Fn() + 'static,
    ) -> Self {
        Self {
            operations,
            options,
            print_report: Box::new(print_report),
            measurements: FirstCome::default(),
        }
    }

    pub(super) fn bench(&self) -> &'static Bench<'static> {
        self.operations.bench
    }

    pub(super) fn cpus(&self) -> &'static Cpus {
        self.bench().cpus
    }

    pub(super) fn timer(&self) -> &'static Timer {
        &self.bench().timer
    }

    pub(super) fn spawner(&self) -> &'static Spawner {
        &self.bench().spawner
    }

    pub(super) fn print_report(&self) {
        (self.print_report)();
    }

    /// Whether a fault on demand keeps APs away.
    pub(super) fn is_to_miss_any(&self) -> bool {
        let mut faults = self.options.faults.iter();
        faults.any(|fault| fault.kind.keeps_away())
    }

    /// Waits until no other command measures, or accounts for what it does: two at once would count each
    /// other's work. Operations on CPUs may come in between. `None` if an interruption comes first.
    ///
    /// # Cancellation
    ///
    /// Changes nothing.
    pub(super) async fn measure(&self, interruption: &Interruption) -> Option<Passage<'_>> {
        if self.measurements.is_taken() {
            println!("another command measures: this one waits until it has ended");
        }
        interruption.unless(self.measurements.enter()).await
    }

    /// Whatever random things are drawn from: the seed is told, and repeats them.
    pub(super) fn seed(&self) -> u32 {
        self.operations.now().as_nanos() as u32
    }
}
