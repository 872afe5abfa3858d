//! An NMI between every two instructions of a CPU that notes an event, and from there on a look at the
//! ring behind every instruction.
//!
//! The CPU runs under its trap flag: after each instruction a signal handler runs on top of it, in the
//! same thread. Run number k has an NMI after k instructions, which notes events itself: one, or as many
//! as make it come by the place that is being written, once and twice. (For every 61st k only, without
//! optimisation.) Whatever it interrupts, each event that is told is whole, and what was told once is
//! told until something later takes its place.

#![cfg(all(not(loom), not(miri), target_os = "linux", target_arch = "x86_64"))]

use std::{
    arch::asm,
    mem, ptr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use reveille_executor::Instant;
use reveille_smp::{
    cpu::ApicId,
    trace::{
        event::{Event, Target},
        ring::{Kept, Noted, Ring},
    },
};

/// The CPU's trap flag in RFLAGS (SDM volume 1, 3.4.3.3).
const TRAP_FLAG: u64 = 1 << 8;

/// From one run to the next. An unoptimised build would take minutes for all.
const STRIDE: u64 = if cfg!(debug_assertions) { 61 } else { 1 };

/// The ring's places.
const ROOM: u64 = 4;

/// Events that were noted before.
const BEFORE: u64 = 6;

static RING: Mutex<Option<&'static Ring>> = Mutex::new(None);
/// Instructions until the NMI comes; 0 once it has.
static UNTIL_NMI: AtomicU64 = AtomicU64::new(0);
/// Events that it notes.
static OF_NMI: AtomicU64 = AtomicU64::new(0);
/// What it read behind that.
static SEEN: Mutex<Vec<Noted>> = Mutex::new(Vec::new());

/// Notes an event all of whose words are made of this number.
fn note(ring: &Ring, tag: u64) {
    let to = Target::One(ApicId(tag as u32));
    let vector = tag as u8;
    let event = Event::IpiSend {
        to,
        vector,
        id: tag,
    };
    ring.note(Instant::from_nanos(tag), event.pack());
}

/// Reads the ring, and checks that each event is whole and that nothing is counted twice or not at all.
fn read(ring: &Ring) -> Kept {
    let kept = ring.read().expect("there is memory");
    for noted in &kept.events {
        let Event::IpiSend { to, vector, id } = noted.event else {
            panic!("nobody noted {noted:?}");
        };
        let tag = noted.at.as_nanos();
        let is_whole = id == tag && vector == tag as u8 && to == Target::One(ApicId(tag as u32));
        assert!(is_whole, "torn: {noted:?}");
    }
    assert!(kept.events.is_sorted_by(|a, b| a.number < b.number));
    kept
}

fn begun(kept: &Kept) -> u64 {
    kept.overwritten + kept.events.len() as u64
}

extern "C" fn on_trap(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // What is interrupted allocates nothing and takes no lock, so this may.
    let ring = RING.lock().unwrap().expect("it is set before the steps");
    match UNTIL_NMI.load(Relaxed) {
        0 => {
            read(ring);
        }
        1 => {
            UNTIL_NMI.store(0, Relaxed);
            (0..OF_NMI.load(Relaxed)).for_each(|number| note(ring, 100 + number));
            *SEEN.lock().unwrap() = read(ring).events;
        }
        left => UNTIL_NMI.store(left - 1, Relaxed),
    }
}

fn catch_traps() {
    // SAFETY: all zero is a valid `sigaction`, and the handler has the type for SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, ptr::null_mut()), 0);
    }
}

/// Notes one event, trapping behind each instruction.
#[inline(never)]
fn note_in_steps(ring: &Ring) {
    // SAFETY: the trap has a handler; the stack below the pointer is the asm blocks' to use.
    unsafe { asm!("pushfq", "or qword ptr [rsp], {}", "popfq", const TRAP_FLAG) };
    note(ring, 50);
    // SAFETY: as above.
    unsafe { asm!("pushfq", "and qword ptr [rsp], {}", "popfq", const !(TRAP_FLAG as i32)) };
}

/// Whether the NMI came before the event was noted.
fn run(of_nmi: u64, after_instructions: u64) -> bool {
    let ring: &'static Ring = Box::leak(Box::new(Ring::with_room_for(ROOM as usize, 0).unwrap()));
    (0..BEFORE).for_each(|tag| note(ring, tag));
    *RING.lock().unwrap() = Some(ring);
    UNTIL_NMI.store(after_instructions, Relaxed);
    OF_NMI.store(of_nmi, Relaxed);
    note_in_steps(ring);
    let has_come = UNTIL_NMI.swap(0, Relaxed) == 0;
    let kept = read(ring);
    if has_come {
        assert_eq!(begun(&kept), BEFORE + 1 + of_nmi);
        // The one that finds its place being written is given up, or the one that is interrupted.
        assert!(kept.events.len() as u64 >= ROOM - 1, "{kept:?}");
        let oldest = begun(&kept) - ROOM;
        let seen = mem::take(&mut *SEEN.lock().unwrap());
        for noted in seen.iter().filter(|noted| noted.number >= oldest) {
            assert!(kept.events.contains(noted), "{noted:?} is lost: {kept:?}");
        }
        if of_nmi < ROOM {
            let tags = kept.events.iter().map(|noted| noted.at.as_nanos());
            assert_eq!(tags.filter(|tag| *tag >= 50).count() as u64, of_nmi + 1);
        }
    }
    has_come
}

#[test]
fn an_nmi_behind_any_instruction_of_a_write_leaves_whole_events_only() {
    catch_traps();
    for of_nmi in [1, ROOM, 2 * ROOM] {
        let mut instructions = 1;
        while run(of_nmi, instructions) {
            instructions += STRIDE;
        }
        println!("{instructions} instructions, and {of_nmi} events by the NMI");
        assert!(instructions > 10, "the stepping does not work");
    }
}
