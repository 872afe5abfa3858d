//! The calls for one CPU: places for what is on its way, and the CPU that runs it.
//!
//! ```text
//!   any CPU                                   the queue's own CPU
//!   send: reserve a place, put the call,
//!         fill the place; interrupt, if
//!         nobody looks ─────────────────────▶ serve: begins what is full and not withdrawn,
//!         tell of the interrupt                      frees the place, runs the call, tells its caller;
//!                                                    stops when no place is full
//! ```
//!
//! Three words keep it, each with one thing to say: `word.rs` whether a call is seen, `ticket.rs` who
//! gets it, `answer.rs` or the call itself that it is over. What a place holds belongs to one CPU at a
//! time, so the cells need no lock. Its CPU's side is in `serve.rs`.

use core::{
    fmt,
    ops::DerefMut,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::Waker,
};

use reveille_executor::Instant;

use super::{
    CallId, Carrier, Pending, Progress,
    answer::Answer,
    block::ring,
    entry::{AnyJob, Entry},
    habit::Habit,
    room::{Room, Seat},
    ticket::{Number, Ticket},
    word::{Filled, NoPlace, PLACES, Word},
};
use crate::{
    cpu::CpuIndex,
    sync::{AtomicU32, Mutex},
};

/// The queue of one CPU, closed at first.
pub struct CallQueue {
    pub(super) word: Word,
    pub(super) places: [Place; PLACES],
    room: Room,
    /// Whether its CPU serves it now.
    pub(super) is_served: AtomicU32,
    /// Whether its CPU waits for calls of its own.
    pub(super) is_asking: AtomicU32,
    /// How many of these are not over.
    answer: Answer,
    /// Whether it polls for that: where not all whom it calls look by themselves, and where they do.
    habits: [Habit; 2],
    /// What interrupts it when it halts for room elsewhere. Made once and kept for good, so nobody who
    /// wakes it frees it.
    ring: Mutex<Option<Waker>>,
    /// What was run and sent, for figures; nothing depends on them, so no model sees them.
    pub(super) run: AtomicU64,
    interrupts: AtomicU64,
}

/// One place.
pub(super) struct Place {
    pub(super) ticket: Ticket,
    /// By the protocol of `word.rs` it is free whenever somebody comes, so nobody waits.
    entry: Mutex<Option<Entry>>,
}

/// How much has gone through a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls that were run.
    pub run: u64,
    /// Interrupts that were sent to its CPU: for them, for answers to calls of its own, and for room.
    pub interrupts: u64,
}

/// What lies in a queue, for whoever watches over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Calls that have not begun; those among them that were taken back lie there until the CPU looks.
    pub waiting: u32,
    /// Whether the CPU looks at the queue: it runs calls, or polls.
    pub is_looking: bool,
}

/// Where a call was put.
pub(super) struct Receipt {
    queue: &'static CallQueue,
    cpu: CpuIndex,
    place: usize,
    number: Number,
    since: Instant,
    id: CallId,
    /// Whether the CPU looked by itself when the call came.
    is_seen: bool,
}

impl CallQueue {
    /// An empty queue, closed.
    pub fn new() -> Self {
        Self {
            word: Word::new(),
            places: core::array::from_fn(|_| Place {
                ticket: Ticket::new(),
                entry: Mutex::new(None),
            }),
            room: Room::new(),
            is_served: AtomicU32::new(0),
            is_asking: AtomicU32::new(0),
            answer: Answer::new(),
            habits: [Habit::new(), Habit::new()],
            ring: Mutex::new(None),
            run: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
        }
    }

    // ---- the CPU that it belongs to ----

    /// Takes calls from now on. Its CPU takes interrupts, and calls [`serve`](Self::serve) in their
    /// handler.
    pub fn open(&self) {
        self.word.open();
    }

    /// Takes no more calls, and runs those that lie there: when this is done, every call that was
    /// taken in is over, or its caller has taken it back. Senders who were slower fail at once. To be
    /// called by its CPU, in task context.
    pub fn close<C: Carrier>(&self, carrier: C) {
        self.word.close();
        // Nothing becomes full any more, so one pass is enough.
        carrier.masked(|| self.serve(carrier));
    }

    /// What its CPU waits for.
    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What it has learnt of its waits for those who look by themselves, or for others.
    pub(super) fn habit(&self, are_looking: bool) -> &Habit {
        &self.habits[usize::from(are_looking)]
    }

    /// Makes what its CPU, which is `cpu`, will be interrupted by when it blocks and waits for room
    /// elsewhere: else the first such wait allocates it. To be called before the CPU runs.
    pub fn prepare<C: Carrier>(&self, carrier: C, cpu: CpuIndex) {
        self.ring(|| ring(carrier, cpu));
    }

    /// What interrupts it, made when it is first asked for. To be called by its CPU while that asks.
    pub(super) fn ring(&self, make: impl FnOnce() -> Waker) -> Waker {
        let ring = self.ring.try_lock();
        let mut ring = ring.expect("a CPU waits for one thing at a time");
        ring.get_or_insert_with(make).clone()
    }

    // ---- whoever sends a call ----

    /// Puts a call into the queue, which is that of `cpu`.
    pub(super) fn send<C: Carrier>(
        &'static self,
        carrier: C,
        cpu: CpuIndex,
        job: AnyJob,
    ) -> Result<Receipt, NoPlace> {
        let place = self.word.reserve()?;
        let number = self.places[place].ticket.issue();
        let (since, id) = (carrier.now(), carrier.queued(cpu));
        *self.cell(place) = Some(Entry { job, id });
        let filled = self.word.fill(place);
        match filled {
            Filled::Seen | Filled::Rung => {}
            Filled::Unseen(pass) => {
                if self.interrupt(carrier, cpu) {
                    self.word.rung(pass);
                }
            }
            Filled::Closed => {
                drop(self.cell(place).take());
                self.give_back(place);
                carrier.dropped(id);
                return Err(NoPlace::Closed);
            }
        }
        Ok(Receipt {
            queue: self,
            cpu,
            place,
            number,
            since,
            id,
            is_seen: filled == Filled::Seen,
        })
    }

    /// Lets `waker` be woken when a place may have become free; `false` if one may be free already.
    /// The seat is for the next time, and is taken at the first.
    pub(super) fn wait_for_room(&'static self, seat: &mut Option<Seat>, waker: &Waker) -> bool {
        if seat.is_none() {
            *seat = self.room.sit();
        }
        match seat {
            Some(seat) => seat.register(waker),
            None => waker.wake_by_ref(),
        }
        self.word.want_room()
    }

    // ---- anybody ----

    /// Interrupts its CPU, which is `cpu`, once more, in case an interrupt was lost: for calls that have
    /// waited for long. A CPU that has nothing to do there looks, and goes on.
    pub fn remind<C: Carrier>(&self, carrier: C, cpu: CpuIndex) {
        let _ = self.interrupt(carrier, cpu);
    }

    /// Whether it takes calls now.
    pub fn is_open(&self) -> bool {
        self.word.is_open()
    }

    /// What lies there now.
    pub fn backlog(&self) -> Backlog {
        Backlog {
            waiting: self.word.waiting(),
            is_looking: self.word.is_looking(),
        }
    }

    /// What has gone through it.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            run: self.run.load(Relaxed),
            interrupts: self.interrupts.load(Relaxed),
        }
    }

    /// Frees a place that the sender has, and who waits for one may take it.
    fn give_back(&self, place: usize) {
        if self.word.give_back(place) {
            self.room.wake_all();
        }
    }

    /// A sender that has a place, and then finds the queue closed, in two parts.
    #[cfg(all(test, loom))]
    pub(crate) fn refused_sender(&self) -> impl FnOnce() {
        let place = self.word.reserve().expect("there is a place");
        move || {
            drop(self.cell(place).take());
            self.give_back(place);
        }
    }

    /// A seat for who waits for room, and its number.
    #[cfg(all(test, loom))]
    pub(crate) fn seat(&'static self) -> (usize, impl Sized) {
        let seat = self.room.sit().expect("there is a seat");
        (seat.number, seat)
    }

    /// Places may have become free.
    pub(super) fn wake_wanting(&self) {
        if self.word.take_wanted() {
            self.room.wake_all();
        }
    }

    /// Interrupts its CPU, which is `cpu`; `false` if that was not sent.
    pub(super) fn interrupt<C: Carrier>(&self, carrier: C, cpu: CpuIndex) -> bool {
        let is_sent = carrier.interrupt(cpu);
        if is_sent {
            self.interrupts.fetch_add(1, Relaxed);
        }
        is_sent
    }

    /// What lies in a place that belongs to the caller.
    pub(super) fn cell(&self, place: usize) -> impl DerefMut<Target = Option<Entry>> {
        let cell = self.places[place].entry.try_lock();
        cell.expect("a place belongs to one CPU at a time")
    }
}

impl Receipt {
    /// Takes the call back; `false` if it has begun, or is over.
    #[must_use]
    pub(super) fn withdraw<C: Carrier>(&self, carrier: C) -> bool {
        let withdrawn = self.queue.places[self.place].ticket.withdraw(self.number);
        if withdrawn {
            carrier.dropped(self.id);
        }
        withdrawn
    }

    /// Whether the CPU looked by itself when the call came.
    pub(super) fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// What is known of the call, which is not over.
    pub(super) fn pending(&self) -> Pending {
        let ticket = &self.queue.places[self.place].ticket;
        Pending {
            cpu: self.cpu,
            since: self.since,
            progress: match ticket.has_begun(self.number) {
                true => Progress::Begun,
                false => Progress::Queued,
            },
        }
    }
}

impl Default for CallQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CallQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallQueue")
            .field("word", &self.word)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{sync::Arc, task::Wake};

    use super::*;

    /// Does nothing.
    struct Bell;

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn what_interrupts_who_waits_for_room_is_made_once_and_not_freed_by_a_wake() {
        let queue = CallQueue::new();
        let bell = Arc::new(Bell);
        let made = Arc::clone(&bell);
        queue.ring(|| Waker::from(made)).wake();
        queue.ring(|| unreachable!("it has been made")).wake();
        assert_eq!(Arc::strong_count(&bell), 2);
    }

    #[test]
    fn a_queue_takes_so_much_of_a_cpus_area_as_the_kernel_reckons_with() {
        // `HEAP_AN_AP` of `kernel/src/cpus/prepare.rs`.
        assert!(
            size_of::<CallQueue>() <= 3 << 10,
            "{}",
            size_of::<CallQueue>()
        );
    }
}
