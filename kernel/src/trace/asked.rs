//! `trace=`: whether events are noted, and how many of each CPU are kept.

#![forbid(unsafe_code)]

use core::{fmt, num::NonZero, str::FromStr};

use reveille_smp::{
    cpu::CpuIndex,
    trace::{first_id, ring::Ring},
};

use crate::command_line::number;

/// What `trace=` takes; N is 1 to [`Tracing::MOST`].
pub const SYNTAX: &str = "off|on|N";

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracing {
    /// No events.
    #[default]
    Off,
    /// The latest events of each CPU, this many at the least.
    Events(NonZero<u32>),
}

impl Tracing {
    /// `on`: an AP notes a hundred or two on its way up and in what a boot does behind that.
    const ON: u32 = 1024;

    /// Where nothing is asked for and a person may ask later: 8 KiB a CPU.
    pub const OF_SHELL: Self = Self::Events(NonZero::new(256).unwrap());

    /// Beyond this a CPU's events take 2 MiB, and nobody looks at them one by one.
    pub const MOST: u32 = 1 << 16;

    /// The BSP drives all others: it keeps this many events more of each.
    const OF_BSP_AN_AP: usize = 128;

    /// A ring for an AP, if events are asked for.
    ///
    /// # Errors
    ///
    /// [`NoRoom`].
    pub fn ring(self, cpu: CpuIndex) -> Result<Option<Ring>, NoRoom> {
        self.events().map(|events| ring(cpu, events)).transpose()
    }

    /// The same for the BSP, where so many CPUs are listed.
    ///
    /// # Errors
    ///
    /// [`NoRoom`].
    pub fn ring_of_bsp(self, listed: usize) -> Result<Option<Ring>, NoRoom> {
        let of_bsp = |events| ring(CpuIndex::BSP, events + listed * Self::OF_BSP_AN_AP);
        self.events().map(of_bsp).transpose()
    }

    /// Heap that the ring of an AP takes.
    pub fn heap_an_ap(self) -> usize {
        self.events().map_or(0, Ring::bytes)
    }

    fn events(self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::Events(events) => Some(events.get() as usize),
        }
    }
}

fn ring(cpu: CpuIndex, events: usize) -> Result<Ring, NoRoom> {
    Ring::with_room_for(events, first_id(cpu)).map_err(|_| NoRoom { events })
}

/// There is no memory for the events of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// So many were to be kept.
    pub events: usize,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events;
        write!(
            f,
            "trace=: there is no memory for {events} events of a CPU; ask for fewer, or give the machine more memory"
        )
    }
}

impl core::error::Error for NoRoom {}

impl FromStr for Tracing {
    type Err = ();

    fn from_str(value: &str) -> Result<Self, ()> {
        let events = match value {
            "off" => return Ok(Self::Off),
            "on" => Self::ON,
            value => number(value).ok_or(())?,
        };
        let events = NonZero::new(events).filter(|events| events.get() <= Self::MOST);
        events.map(Self::Events).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_off_or_on_or_a_number_of_events_that_there_can_be_memory_for() {
        let events = |number| Ok(Tracing::Events(NonZero::new(number).unwrap()));
        assert_eq!("off".parse(), Ok(Tracing::Off));
        assert_eq!("on".parse(), events(Tracing::ON));
        assert_eq!("300".parse(), events(300));
        assert_eq!("65536".parse(), events(65536));
        for wrong in ["", "0", "65537", "-1", "yes", "On"] {
            assert_eq!(wrong.parse::<Tracing>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn off_takes_no_memory_and_the_bsp_gets_more_where_it_has_more_to_drive() {
        let rooms = |tracing: Tracing| {
            let rings = [tracing.ring(CpuIndex(1)), tracing.ring_of_bsp(8)];
            rings.map(|ring| ring.unwrap().map(|ring| ring.room()))
        };
        assert_eq!(rooms(Tracing::Off), [None, None]);
        assert_eq!(Tracing::Off.heap_an_ap(), 0);
        let on: Tracing = "300".parse().unwrap();
        assert_eq!(rooms(on), [Some(512), Some(2048)]);
        assert_eq!(on.heap_an_ap(), 512 * 32);
    }
}
