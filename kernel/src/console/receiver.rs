//! What happens to bytes that come in: out of the UART's FIFO into a ring, from which somebody reads.
//!
//! **Who fetches is the BSP with interrupts off**, be it in the UART's handler, in a print that waits, or in a
//! read: so there is one producer of the ring at a time. No byte is lost here: when little room is left, the
//! sender is told to hold back until half of the ring is empty, and fetched from as long as it goes on all the
//! same; when there is none, bytes stay in the UART. What is lost there is marked and counted (`damage.rs`).
//!
//! No call fetches without an end, whatever answers in the UART's place.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::task::AtomicWaker;

use super::{
    damage::{Damage, MOST_FOR_ONE},
    ring::Ring,
    sync::Place,
    uart::{FIFO_DEPTH, line_status},
};
use crate::interrupts::for_nothing::ForNothing;

/// The UART, as far as receiving goes.
pub(super) trait Receive {
    /// The line status. To read it clears the error bits.
    fn line_status(&self) -> u8;
    /// The oldest byte in the FIFO.
    fn receive(&self) -> u8;
    /// Whether the device is there at all.
    fn is_there(&self) -> bool;
    /// Lets the other end send or holds it back, and has the UART interrupt for what comes, or not.
    fn let_send(&self, may: bool, by_interrupt: bool);
}

/// Bytes that are kept until they are read.
const RING_SIZE: usize = 4 << 10;

/// With less room than this, the sender is held back. What it has given to its own UART still comes (16 to 128
/// bytes), and so may what an adapter at USB has under way.
const RESERVE: u32 = 256;

/// No call fetches more: by then the ring is full, or bytes come that nobody sent.
const MOST_AT_ONCE: usize = RING_SIZE + FIFO_DEPTH as usize;

/// The state of receiving.
#[derive(Debug)]
pub(super) struct Receiver {
    ring: Ring<RING_SIZE>,
    waker: AtomicWaker,
    // Relaxed, all of them: only the BSP writes these, and reads what it acts upon.
    is_open: AtomicBool,
    by_interrupt: AtomicBool,
    is_held_back: AtomicBool,
    /// Bytes stay in the UART.
    is_full: AtomicBool,
    damage: Damage,
    /// The UART's.
    for_nothing: ForNothing,
    is_stormy: AtomicBool,
    /// Written by whichever CPU reads the line status.
    overruns: AtomicU32,
}

impl Receiver {
    pub(super) const fn new() -> Self {
        let places = [const { Place::new() }; RING_SIZE];
        Self {
            ring: Ring::made_of(places, AtomicU32::new(0), AtomicU32::new(0)),
            waker: AtomicWaker::new(),
            is_open: AtomicBool::new(false),
            by_interrupt: AtomicBool::new(false),
            is_held_back: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            damage: Damage::new(),
            for_nothing: ForNothing::new(),
            is_stormy: AtomicBool::new(false),
            overruns: AtomicU32::new(0),
        }
    }

    /// Begins to receive, and takes in what has come before; `false` if somebody receives already.
    pub(super) fn open(&self, uart: &impl Receive, by_interrupt: bool) -> bool {
        if self.is_open.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.by_interrupt.store(by_interrupt, Ordering::Relaxed);
        self.for_nothing.note(true);
        self.is_stormy.store(false, Ordering::Relaxed);
        self.let_send(uart);
        true
    }

    /// Receives no more. What has not been read stays for the next one.
    pub(super) fn close(&self, uart: &impl Receive) {
        uart.let_send(false, false);
        self.waker.take();
        self.is_open.store(false, Ordering::Relaxed);
    }

    /// Whether somebody receives.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Fetches what has come in, and wakes whoever waits for it; whether there was any. Behind it the FIFO is
    /// empty, so the next byte interrupts anew, or nothing is fetched for want of room.
    pub(super) fn take_in(&self, uart: &impl Receive) -> bool {
        self.take_in_at_most(uart, MOST_AT_ONCE, None)
    }

    /// The same, behind a look at the line status, which has cleared what that said of the next byte.
    pub(super) fn take_in_behind(&self, status: u8, uart: &impl Receive) -> bool {
        self.take_in_at_most(uart, MOST_AT_ONCE, Some(status))
    }

    /// The same, for a UART of which nobody knows whether it ever has enough.
    pub(super) fn take_in_at_most(
        &self,
        uart: &impl Receive,
        most: usize,
        mut seen: Option<u8>,
    ) -> bool {
        let (mut has_any, mut has_put) = (false, false);
        for _ in 0..most {
            if self.is_full.load(Ordering::Relaxed) {
                break;
            }
            let status = seen.take().unwrap_or_else(|| uart.line_status());
            if status == u8::MAX && !uart.is_there() {
                break;
            }
            self.count(status);
            let has_room = self.ring.room() >= MOST_FOR_ONE;
            if status & line_status::DATA_READY == 0 {
                if has_room && let Some(mark) = self.damage.mark_at_end(status) {
                    has_put |= self.ring.put(mark);
                }
                break;
            }
            has_any = true;
            if !has_room {
                self.damage.tell(status);
                self.is_held_back.store(true, Ordering::Relaxed);
                self.is_full.store(true, Ordering::Relaxed);
                uart.let_send(false, false);
                break;
            }
            for byte in self.damage.mark(uart.receive(), status) {
                has_put |= self.ring.put(byte);
            }
            if self.ring.room() < RESERVE && !self.is_held_back.swap(true, Ordering::Relaxed) {
                uart.let_send(false, self.by_interrupt.load(Ordering::Relaxed));
            }
        }
        if let Some(status) = seen {
            self.note(status);
        }
        if has_any {
            // Its interrupt may still come, and finds nothing.
            self.for_nothing.note(true);
        }
        if has_put {
            self.waker.wake();
        }
        has_any
    }

    /// What is done when the interrupt comes; whether it has come so often for nothing that it is to be masked.
    /// Whoever reads is woken then, and has to look by himself.
    pub(super) fn interrupted(&self, uart: &impl Receive) -> bool {
        let has_any = self.is_open() && self.take_in(uart);
        let is_stormy = self.for_nothing.note(has_any);
        if is_stormy {
            self.is_stormy.store(true, Ordering::Relaxed);
            self.by_interrupt.store(false, Ordering::Relaxed);
            self.waker.wake();
        }
        is_stormy
    }

    /// Whether the interrupt was masked since somebody began to receive.
    pub(super) fn is_stormy(&self) -> bool {
        self.is_stormy.load(Ordering::Relaxed)
    }

    /// Takes note of a line status that was read for its own sake, on whichever CPU.
    pub(super) fn note(&self, status: u8) {
        self.damage.tell(status);
        self.count(status);
    }

    fn count(&self, status: u8) {
        // An absent UART reads as all ones.
        if status & line_status::OVERRUN != 0 && status != u8::MAX {
            self.overruns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes bytes out of the ring, and lets the sender go on once there is room.
    pub(super) fn take(&self, uart: &impl Receive, buffer: &mut [u8]) -> usize {
        const ENOUGH: u32 = RING_SIZE as u32 / 2;
        let count = self.ring.take(buffer);
        if self.is_held_back.load(Ordering::Relaxed) && self.ring.room() >= ENOUGH {
            self.let_send(uart);
        }
        count
    }

    fn let_send(&self, uart: &impl Receive) {
        self.is_held_back.store(false, Ordering::Relaxed);
        self.is_full.store(false, Ordering::Relaxed);
        uart.let_send(true, self.by_interrupt.load(Ordering::Relaxed));
        self.take_in(uart);
    }

    /// Who is woken when bytes come in.
    pub(super) fn waker(&self) -> &AtomicWaker {
        &self.waker
    }

    pub(super) fn overruns(&self) -> u32 {
        self.overruns.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        collections::VecDeque,
        sync::Arc,
        task::Wake,
        vec,
        vec::Vec,
    };

    use super::{super::damage::MARK, *};

    /// As much a sender has on its way.
    const OVERSHOOT: usize = 64;

    /// Neither a byte nor a status: what is there when the device is gone, or stuck.
    struct Stuck {
        status: u8,
        is_there: bool,
        reads: Cell<usize>,
    }

    impl Receive for Stuck {
        fn line_status(&self) -> u8 {
            self.reads.update(|reads| reads + 1);
            assert!(self.reads.get() < 2 * RING_SIZE, "it is read for ever");
            self.status
        }

        fn receive(&self) -> u8 {
            0
        }

        fn is_there(&self) -> bool {
            self.is_there
        }

        fn let_send(&self, _: bool, _: bool) {}
    }

    /// A UART whose other end has these bytes to send, and sends them as soon as it may.
    #[derive(Default)]
    struct Line {
        unsent: RefCell<VecDeque<u8>>,
        fifo: RefCell<VecDeque<u8>>,
        may_send: Cell<bool>,
        /// Bytes that it still sends when it may not any more.
        overshoot: Cell<usize>,
        interrupts: Cell<bool>,
        errors: Cell<u8>,
    }

    impl Line {
        fn send(&self, bytes: impl IntoIterator<Item = u8>) {
            self.unsent.borrow_mut().extend(bytes);
        }

        fn fill(&self) {
            while self.fifo.borrow().len() < 16 {
                if !self.may_send.get() {
                    let Some(left) = self.overshoot.get().checked_sub(1) else {
                        break;
                    };
                    self.overshoot.set(left);
                }
                let Some(byte) = self.unsent.borrow_mut().pop_front() else {
                    break;
                };
                self.fifo.borrow_mut().push_back(byte);
            }
        }
    }

    impl Receive for Line {
        fn line_status(&self) -> u8 {
            self.fill();
            let ready = match self.fifo.borrow().is_empty() {
                true => 0,
                false => line_status::DATA_READY,
            };
            self.errors.take() | ready
        }

        fn receive(&self) -> u8 {
            let byte = self.fifo.borrow_mut().pop_front();
            byte.expect("the line status said so")
        }

        fn is_there(&self) -> bool {
            true
        }

        fn let_send(&self, may: bool, by_interrupt: bool) {
            if self.may_send.replace(may) && !may {
                self.overshoot.set(OVERSHOOT);
            }
            self.interrupts.set(by_interrupt);
        }
    }

    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn opened() -> (Receiver, Line, Arc<Woken>) {
        let (receiver, line) = (Receiver::new(), Line::default());
        assert!(receiver.open(&line, true));
        let woken = Arc::new(Woken(AtomicU32::new(0)));
        receiver.waker().register(&Arc::clone(&woken).into());
        (receiver, line, woken)
    }

    #[test]
    fn what_comes_in_is_read_in_its_order_and_wakes_once_for_all() {
        let (receiver, line, woken) = opened();
        line.send(0..100);
        receiver.take_in(&line);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let mut buffer = [0; 128];
        assert_eq!(receiver.take(&line, &mut buffer), 100);
        assert!(buffer.iter().zip(0..100).all(|(byte, sent)| *byte == sent));
        receiver.waker().register(&Arc::clone(&woken).into());
        receiver.take_in(&line);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "nothing has come");
    }

    fn numbered(count: usize) -> impl Iterator<Item = u8> {
        (0..count).map(|number| (number % 0xfb) as u8)
    }

    #[test]
    fn a_sender_that_does_not_stop_is_held_back_and_loses_nothing() {
        let (receiver, line, _) = opened();
        const SENT: usize = 5 * RING_SIZE;
        line.send(numbered(SENT));
        let mut read = Vec::new();
        let mut buffer = vec![0; 1000];
        for _ in 0..2 + SENT / buffer.len() {
            receiver.take_in(&line);
            // What it sends behind its being held back is fetched, and interrupts for it.
            assert_eq!(line.fifo.borrow().len(), 0);
            assert!(line.interrupts.get());
            let count = receiver.take(&line, &mut buffer);
            read.extend_from_slice(&buffer[..count]);
            // It may send whenever half of the room is there.
            let has_little = receiver.ring.room() < RING_SIZE as u32 / 2;
            assert!(line.may_send.get() || has_little);
        }
        assert!(read.into_iter().eq(numbered(SENT)));
    }

    #[test]
    fn a_sender_that_cannot_be_held_back_fills_the_uart_and_no_more() {
        let (receiver, line, _) = opened();
        line.send(numbered(RING_SIZE + 100));
        receiver.take_in(&line);
        line.overshoot.set(usize::MAX);
        receiver.take_in(&line);
        assert!(!line.may_send.get() && !line.interrupts.get());
        let held = line.fifo.borrow().len();
        assert_eq!(held, 16);
        receiver.take_in(&line);
        // Whoever prints sees that more was sent than there was room for.
        receiver.take_in_behind(line_status::DATA_READY | line_status::OVERRUN, &line);
        assert_eq!(line.fifo.borrow().len(), held);
        let mut buffer = vec![0; RING_SIZE];
        let first = receiver.take(&line, &mut buffer);
        assert!(buffer[..first].iter().copied().eq(numbered(first)));
        assert!(line.may_send.get() && line.interrupts.get());
        let count = receiver.take(&line, &mut buffer);
        let at = buffer[..count].iter().position(|&byte| byte == MARK);
        // One byte was fetched before it was told of, for all that anybody knows.
        assert_eq!(at, Some(held - 1));
        assert_eq!(receiver.overruns(), 1);
    }

    #[test]
    fn a_uart_that_is_gone_or_stuck_is_not_read_for_ever() {
        let gone = Stuck {
            status: u8::MAX,
            is_there: false,
            reads: Cell::new(0),
        };
        let receiver = Receiver::new();
        assert!(receiver.open(&gone, true));
        assert!(!receiver.take_in(&gone));
        assert_eq!(receiver.take(&gone, &mut [0]), 0);
        assert_eq!(receiver.overruns(), 0);
        // A byte that is none takes no room, so the ring never fills.
        for status in [line_status::DATA_READY | line_status::BREAK, u8::MAX] {
            let stuck = Stuck {
                status,
                is_there: true,
                reads: Cell::new(0),
            };
            receiver.take_in(&stuck);
            assert!((1000..=MOST_AT_ONCE).contains(&stuck.reads.get()));
        }
    }

    #[test]
    fn an_interrupt_that_does_not_end_is_masked_and_whoever_reads_hears_of_it() {
        let (receiver, line, woken) = opened();
        for _ in 0..3 {
            assert!((1..ForNothing::MOST).all(|_| !receiver.interrupted(&line)));
            line.send([b'x']);
            assert!(!receiver.interrupted(&line));
        }
        receiver.waker().register(&Arc::clone(&woken).into());
        let before = woken.0.load(Ordering::Relaxed);
        assert!((1..ForNothing::MOST).all(|_| !receiver.interrupted(&line)));
        assert!(!receiver.is_stormy());
        assert!(receiver.interrupted(&line) && receiver.is_stormy());
        assert_eq!(woken.0.load(Ordering::Relaxed), before + 1);
        // What is typed is there for whoever looks.
        line.send([b'y']);
        receiver.take_in(&line);
        assert_eq!(receiver.take(&line, &mut [0; 8]), 4);
        receiver.close(&line);
        assert!(receiver.open(&line, true) && !receiver.is_stormy());
    }

    #[test]
    fn damage_is_marked_whoever_reads_of_it() {
        let (receiver, line, _) = opened();
        let mut buffer = [0; 40];
        let mut read = || {
            let count = receiver.take(&line, &mut buffer);
            buffer[..count].to_vec()
        };
        line.send(0..20);
        line.errors.set(line_status::OVERRUN);
        receiver.take_in(&line);
        assert_eq!(read().iter().position(|&byte| byte == MARK), Some(16));
        line.send([7, 8]);
        // Whoever prints has read that, and so cleared it.
        line.fill();
        receiver.take_in_behind(line_status::DATA_READY | line_status::FRAMING, &line);
        assert_eq!(read(), [MARK, 8]);
        receiver.note(line_status::PARITY | line_status::DATA_READY);
        receiver.note(u8::MAX);
        line.send([7, 8]);
        receiver.take_in(&line);
        assert_eq!(read(), [MARK, 7, MARK, 8]);
        line.errors.set(line_status::OVERRUN);
        receiver.take_in(&line);
        assert_eq!(read(), [MARK]);
        assert_eq!(receiver.overruns(), 2);
    }

    #[test]
    fn what_came_before_is_there_and_only_one_can_receive() {
        let (receiver, line) = (Receiver::new(), Line::default());
        line.fifo.borrow_mut().push_back(b'x');
        assert!(receiver.open(&line, false));
        assert!(!receiver.open(&line, true));
        assert!(line.may_send.get() && !line.interrupts.get());
        assert_eq!(receiver.take(&line, &mut [0]), 1);
        receiver.close(&line);
        assert!(!line.may_send.get() && !receiver.is_open());
        assert!(receiver.open(&line, true));
    }
}
