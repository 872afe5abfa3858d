//! Every interleaving of writes into a ring with each other and with a reader, by loom.
//!
//! An NMI is a thread here: it may come between any two accesses of the one that it interrupts. That it
//! runs to its end then is one of the cases. All words of an event are made of its number, so one that
//! was put together from two shows.

use alloc::{sync::Arc, vec::Vec};

use loom::thread;
use reveille_executor::Instant;

use crate::trace::{
    event::Event,
    ring::{Kept, Ring},
};

/// One place, so that all meet there.
fn ring() -> Arc<Ring> {
    Arc::new(Ring::with_room_for(1, 0).unwrap())
}

/// Notes an event with this time, which tells its words apart from those of others.
fn note(ring: &Ring, at: u64) {
    let task = Some(at as u32);
    ring.note(Instant::from_nanos(at), Event::PollStart { task }.pack());
}

/// Reads, and checks that what is told is whole; gives the times.
fn read(ring: &Ring) -> Vec<u64> {
    let Kept { events, .. } = ring.read().unwrap();
    let times = events.iter().map(|noted| {
        let at = noted.at.as_nanos();
        let task = Some(at as u32);
        assert_eq!(noted.event, Event::PollStart { task }, "torn: {noted:?}");
        at
    });
    times.collect()
}

#[test]
fn who_reads_while_a_cpu_notes_is_told_whole_events_only() {
    loom::model(|| {
        let ring = ring();
        let reader = thread::spawn({
            let ring = Arc::clone(&ring);
            move || {
                read(&ring);
            }
        });
        note(&ring, 1);
        note(&ring, 2);
        reader.join().unwrap();
        assert_eq!(read(&ring), [2]);
    });
}

#[test]
fn an_nmi_in_the_middle_of_a_write_leaves_one_of_the_two_events_and_it_is_whole() {
    loom::model(|| {
        let ring = ring();
        let nmi = thread::spawn({
            let ring = Arc::clone(&ring);
            move || {
                note(&ring, 1);
                read(&ring);
            }
        });
        note(&ring, 2);
        nmi.join().unwrap();
        // The later one; or none, where that found the earlier one being written.
        let times = read(&ring);
        assert!(times.len() <= 1, "{times:?}");
        note(&ring, 3);
        assert_eq!(read(&ring), [3]);
    });
}
