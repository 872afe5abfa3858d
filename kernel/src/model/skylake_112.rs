//! `model=skylake-112`: what `tests/models/skylake-112.toml` says, where the source of each figure stands.

#![forbid(unsafe_code)]

use core::time::Duration;

use reveille_smp::step::{Mode, Section};

use super::{
    figures::{Figures, On, Piece, Step, Who},
    log_uniform::LogUniform,
};

pub(super) static SKYLAKE_112: Figures = Figures {
    title: "2 x Skylake-SP, 56 cores, 112 threads",
    packages: 2,
    cores: 28,
    threads: 2,
    init: us(1),
    sipi: us(41),
    first_threads_answer: us(3500),
    other_threads_answer: LogUniform::new(us(350), us(3500)),
    steps: &[
        // First of all: what the kernel prepares by itself is inside the model's time.
        Step {
            name: "prepare",
            section: Section::Prepare,
            rank: 0,
            mode: Mode::Concurrent,
            primaries_first: false,
            up: &[
                Piece::bsp(us(135)),
                Piece::bsp(us(98)),
                Piece::bsp(us(43)),
                Piece::bsp(us(16)),
                Piece::bsp(ns(17_300)),
            ],
        },
        // Behind the step `timer`, as the AP halts until its timer rings.
        Step {
            name: "microcode",
            section: Section::Starting,
            rank: 35,
            mode: Mode::Concurrent,
            primaries_first: true,
            up: &[Piece::ap(us(8000)).of(Who::FirstThreads)],
        },
        Step {
            name: "identify",
            section: Section::Online,
            rank: 2,
            mode: Mode::Concurrent,
            primaries_first: false,
            up: &[Piece::ap(us(26)), Piece::ap(us(73))],
        },
        Step {
            name: "tsc-check",
            section: Section::Online,
            rank: 4,
            mode: Mode::Concurrent,
            primaries_first: false,
            up: &[Piece {
                on: On::Pair,
                who: Who::FirstOfPackage,
                time: us(20_000),
            }],
        },
        // Beside `join`, which is serialised too: an AP takes the turn once for both.
        Step {
            name: "hotplug",
            section: Section::Online,
            rank: 12,
            mode: Mode::Serialised,
            primaries_first: false,
            up: &[
                Piece::ap(us(14)),
                Piece::ap(us(13)),
                Piece::ap(us(17)),
                Piece::ap(us(17)),
                Piece::ap(us(1)),
                Piece::ap(ns(57_100)).of(Who::OtherThreads),
                Piece::ap(us(6)),
                Piece::ap(us(21)).of(Who::OtherThreads),
            ],
        },
    ],
};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}
