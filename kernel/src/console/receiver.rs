//! What happens to bytes that come in: out of the UART's FIFO into a ring, from which somebody reads.
//!
//! **Who fetches is the BSP with interrupts off**, be it in the UART's handler, in a print that waits, or in a
//! read: so there is one producer of the ring at a time. No byte is lost here: when the ring is full, bytes stay
//! in the UART, which is told to hold the sender back until half of the ring is empty.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::task::AtomicWaker;

use super::{ring::Ring, sync::Place, uart::line_status};

/// The UART, as far as receiving goes.
pub(super) trait Receive {
    /// The line status. To read it clears the error bits.
    fn line_status(&self) -> u8;
    /// The oldest byte in the FIFO.
    fn receive(&self) -> u8;
    /// Lets the other end send, and the UART interrupt if `by_interrupt`; or holds it back, in silence.
    fn let_send(&self, may: bool, by_interrupt: bool);
}

/// Bytes that are kept until they are read.
const RING_SIZE: usize = 4 << 10;

/// The state of receiving.
#[derive(Debug)]
pub(super) struct Receiver {
    ring: Ring<RING_SIZE>,
    waker: AtomicWaker,
    // Relaxed, all of them: only the BSP writes these, and reads what it acts upon.
    is_open: AtomicBool,
    by_interrupt: AtomicBool,
    is_held_back: AtomicBool,
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
            overruns: AtomicU32::new(0),
        }
    }

    /// Begins to receive, and takes in what has come before; `false` if somebody receives already.
    pub(super) fn open(&self, uart: &impl Receive, by_interrupt: bool) -> bool {
        if self.is_open.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.by_interrupt.store(by_interrupt, Ordering::Relaxed);
        self.overruns.store(0, Ordering::Relaxed);
        self.is_held_back.store(false, Ordering::Relaxed);
        uart.let_send(true, by_interrupt);
        self.take_in(uart);
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

    /// Fetches what has come in, and wakes whoever waits for it. Behind it the FIFO is empty, so the next
    /// byte interrupts anew, or the sender is held back.
    pub(super) fn take_in(&self, uart: &impl Receive) {
        self.take_in_at_most(uart, usize::MAX);
    }

    /// The same, for a UART of which nobody knows whether it ever has enough.
    pub(super) fn take_in_at_most(&self, uart: &impl Receive, most: usize) {
        let mut has_any = false;
        for _ in 0..most {
            if self.is_held_back.load(Ordering::Relaxed) {
                break;
            }
            let status = uart.line_status();
            self.note(status);
            if status & line_status::DATA_READY == 0 {
                break;
            }
            if self.ring.is_full() {
                self.is_held_back.store(true, Ordering::Relaxed);
                uart.let_send(false, false);
                break;
            }
            let byte = uart.receive();
            // A break comes with a byte that nobody sent.
            if status & line_status::BREAK == 0 {
                has_any |= self.ring.put(byte);
            }
        }
        if has_any {
            self.waker.wake();
        }
    }

    /// Counts the overruns that a line status tells of, on whichever CPU has read it.
    pub(super) fn note(&self, status: u8) {
        // An absent UART reads as all ones.
        if status & line_status::OVERRUN != 0 && status != u8::MAX {
            self.overruns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes bytes out of the ring, and lets the sender go on once there is room.
    pub(super) fn take(&self, uart: &impl Receive, buffer: &mut [u8]) -> usize {
        let count = self.ring.take(buffer);
        if self.is_held_back.load(Ordering::Relaxed) && self.ring.is_half_empty() {
            self.is_held_back.store(false, Ordering::Relaxed);
            uart.let_send(true, self.by_interrupt.load(Ordering::Relaxed));
            self.take_in(uart);
        }
        count
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

    use super::*;

    /// A UART whose other end has these bytes to send, and sends them as soon as it may.
    #[derive(Default)]
    struct Line {
        unsent: RefCell<VecDeque<u8>>,
        fifo: RefCell<VecDeque<u8>>,
        may_send: Cell<bool>,
        interrupts: Cell<bool>,
        errors: Cell<u8>,
    }

    impl Line {
        fn send(&self, bytes: impl IntoIterator<Item = u8>) {
            self.unsent.borrow_mut().extend(bytes);
        }

        fn fill(&self) {
            while self.may_send.get() && self.fifo.borrow().len() < 16 {
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

        fn let_send(&self, may: bool, by_interrupt: bool) {
            self.may_send.set(may);
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

    #[test]
    fn a_sender_that_does_not_stop_is_held_back_and_loses_nothing() {
        let (receiver, line, _) = opened();
        const SENT: usize = 5 * RING_SIZE;
        line.send((0..SENT).map(|number| number as u8));
        receiver.take_in(&line);
        assert!(!line.may_send.get() && !line.interrupts.get());
        let held = line.fifo.borrow().len();
        receiver.take_in(&line);
        assert_eq!(line.fifo.borrow().len(), held, "it is held back");
        let mut read = Vec::new();
        let mut buffer = vec![0; 1000];
        for _ in 0..1 + SENT / buffer.len() {
            let count = receiver.take(&line, &mut buffer);
            read.extend_from_slice(&buffer[..count]);
            // It may send whenever half of the room is there.
            let is_full = !receiver.ring.is_half_empty();
            assert!(line.may_send.get() || is_full);
            assert_eq!(line.may_send.get(), line.interrupts.get());
        }
        let sent = (0..SENT).map(|number| number as u8);
        assert!(read.into_iter().eq(sent));
    }

    #[test]
    fn overruns_are_counted_whoever_reads_of_them_and_a_break_is_no_byte() {
        let (receiver, line, _) = opened();
        line.errors.set(line_status::OVERRUN);
        receiver.take_in(&line);
        receiver.note(line_status::OVERRUN | line_status::DATA_READY);
        receiver.note(u8::MAX);
        assert_eq!(receiver.overruns(), 2);
        line.send([7, 8]);
        line.errors.set(line_status::BREAK);
        receiver.take_in(&line);
        let mut buffer = [0; 4];
        assert_eq!(receiver.take(&line, &mut buffer), 1);
        assert_eq!(buffer[0], 8);
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
