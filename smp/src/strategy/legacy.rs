//! What most kernels do to this day: 10 ms after each INIT, 200 µs between the SIPIs, both SIPIs in
//! any case, one AP after the other (MultiProcessor Specification 1.4, section B.4).

use crate::bringup::{LONG_INIT_DELAY, LONG_SIPI_DELAY, SecondSipi, Timing};

pub(super) fn timing(timing: Timing) -> Timing {
    Timing {
        init_delay: timing.init_delay.max(LONG_INIT_DELAY),
        second_sipi: SecondSipi::Always(LONG_SIPI_DELAY),
        ..timing
    }
}
