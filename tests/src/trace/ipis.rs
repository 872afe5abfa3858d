//! Which entry answers which interrupt that was sent.
//!
//! A send is noted before the APIC is told, and belongs to the first entry of its vector on its target that
//! follows it. One entry may answer several: the APIC keeps one bit a vector. None is answered beyond
//! the next start of the target, which had parked. Where nothing was overwritten each entry has a send: one
//! that has none left takes it from those before it, or from those that only look later.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use super::{
    arrows::{Arrows, Flight, IPI, may_precede},
    timeline::{Event, Place, Timeline},
};

impl Arrows {
    pub(super) fn find_ipis(&mut self, timeline: &Timeline) {
        let mut sends: BTreeMap<(usize, u8), Vec<Place>> = BTreeMap::new();
        for (place, it) in timeline.events() {
            let Event::IpiSend { to, vector, .. } = it.event else {
                continue;
            };
            match to.and_then(|to| timeline.place_of(to)) {
                Some(to) if timeline.tolerance_ns(place.cpu, to).is_none() => {
                    self.lost.incomparable += 1;
                }
                Some(to) => sends.entry((to, vector)).or_default().push(place),
                None => self.lost.unaddressed += 1,
            }
        }
        for ((target, vector), mut sends) in sends {
            sends.sort_by_key(|place| timeline.event(*place).uptime_ns);
            self.match_ipis(timeline, target, vector, sends.into());
        }
    }

    /// Follows one vector on one CPU through the time.
    fn match_ipis(
        &mut self,
        timeline: &Timeline,
        target: usize,
        vector: u8,
        mut sends: VecDeque<Place>,
    ) {
        let cpu = &timeline.cpus[target];
        let sent = |place: &Place| timeline.event(*place).uptime_ns;
        let mut pending = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        if let Some(first) = cpu.events.first()
            && cpu.overwritten > 0
        {
            while sends
                .pop_front_if(|it| sent(it) < first.uptime_ns)
                .is_some()
            {
                self.lost.overwritten += 1;
            }
        }
        for (event, it) in cpu.events.iter().enumerate() {
            let is_entry = it.event == Event::IrqEntry { vector };
            if !is_entry && !cpu.starts_at(event) {
                continue;
            }
            while let Some(place) = sends.pop_front_if(|place| sent(place) <= it.uptime_ns) {
                pending.push(place);
            }
            if !is_entry {
                self.lost.unanswered += pending.drain(..).count() as u64;
                self.flights
                    .extend(entries.drain(..).flat_map(Entry::flights));
                continue;
            }
            let place = Place { cpu: target, event };
            let latest_ns = entries.last().map_or(0, |it| sent(&it.place));
            if pending.is_empty() && latest_ns >= timeline.all_kept_from_ns() {
                // All sends are there. So one was sent when the APIC had given the CPU an interrupt, and the CPU
                // had not noted it; or one looks later than it was.
                let is_near = |send: &mut Place| may_precede(timeline, *send, place);
                let moved = passed_on(&mut entries);
                pending.extend(moved.or_else(|| sends.pop_front_if(is_near)));
            }
            let sends = mem::take(&mut pending);
            entries.push(Entry { place, sends });
        }
        self.lost.unanswered += (pending.len() + sends.len()) as u64;
        self.flights
            .extend(entries.into_iter().flat_map(Entry::flights));
    }
}

/// An entry of an interrupt, and the sends that it answers, in the order of their times.
struct Entry {
    place: Place,
    sends: Vec<Place>,
}

impl Entry {
    fn flights(self) -> impl Iterator<Item = Flight> {
        let to = self.place;
        self.sends.into_iter().map(move |from| Flight {
            name: IPI,
            from,
            to,
        })
    }
}

/// From the latest entry that has more than one send, each entry passes its last one on to the next. What
/// the last entry passes on is returned.
fn passed_on(entries: &mut [Entry]) -> Option<Place> {
    let first = entries.iter().rposition(|it| it.sends.len() > 1)?;
    let mut passed = None;
    for entry in &mut entries[first..] {
        let last = entry.sends.pop();
        entry.sends.extend(passed);
        passed = last;
    }
    passed
}
