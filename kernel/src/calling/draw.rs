//! Calls at random: from the same seed among the same CPUs the same ones.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use fastrand::Rng;
use reveille_smp::cpu::CpuIndex;

use super::kind::Kind;

/// What the calls of one caller are drawn from.
#[derive(Debug)]
pub struct Draw {
    rng: Rng,
    cpus: Vec<CpuIndex>,
}

impl Draw {
    /// Calls to these CPUs, wherever they are: who is not online is called too, and the caller itself.
    pub fn new(seed: u64, cpus: Vec<CpuIndex>) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            cpus,
        }
    }

    /// The next call: of which kind, and to whom. One that is not to several is to one CPU.
    pub fn call(&mut self) -> (Kind, Vec<CpuIndex>) {
        let kind = self.rng.choice(Kind::ALL).copied();
        let kind = kind.unwrap_or(Kind::Awaited);
        let one = self.rng.usize(..self.cpus.len().max(1));
        let mut called = Vec::new();
        // All of them, or about a half.
        let all = self.rng.bool();
        for (at, &cpu) in self.cpus.iter().enumerate() {
            let is_called = match kind.is_to_several() {
                true => at == one || all || self.rng.bool(),
                false => at == one,
            };
            if is_called {
                called.push(cpu);
            }
        }
        (kind, called)
    }

    /// `true` once in so many times.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.rng.u32(..times) == 0
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    fn draw(seed: u64, count: usize) -> Vec<(Kind, Vec<CpuIndex>)> {
        let mut draw = Draw::new(seed, [0, 3, 4, 9].map(CpuIndex).to_vec());
        (0..count).map(|_| draw.call()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_calls_and_another_gives_others() {
        assert_eq!(draw(1, 50), draw(1, 50));
        assert_ne!(draw(1, 50), draw(2, 50));
    }

    #[test]
    fn calls_of_every_kind_go_to_every_cpu_and_as_many_as_the_kind_says() {
        let mut seen = BTreeSet::new();
        for (kind, called) in draw(1, 2_000) {
            assert!(!called.is_empty() && called.is_sorted_by(|a, b| a < b));
            assert!(kind.is_to_several() || called.len() == 1);
            seen.extend(called.into_iter().map(|cpu| (kind.name(), cpu)));
        }
        assert_eq!(seen.len(), Kind::NUMBER * 4);
    }
}
