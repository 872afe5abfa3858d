//! Keys for the command in front, where it takes them.
//!
//! A view that ends leaves the keys behind its last one: they are the shell's again ([`TypedKeys::left`]), so
//! that what is pasted behind a `q` is not lost. No more are kept than [`MOST_KEYS`].

#![forbid(unsafe_code)]

use alloc::{collections::VecDeque, rc::Rc};
use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use super::line::Key;

/// As many keys are kept: what the console keeps of what was not read yet, once more.
pub const MOST_KEYS: usize = 4096;

/// The keys that were pressed and not taken yet. Clones mean the same ones.
#[derive(Clone, Debug, Default)]
pub struct TypedKeys(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    keys: RefCell<VecDeque<Key>>,
    waiting: RefCell<Option<Waker>>,
}

impl TypedKeys {
    /// A key was pressed.
    pub fn push(&self, key: Key) {
        let mut keys = self.0.keys.borrow_mut();
        if keys.len() < MOST_KEYS {
            keys.push_back(key);
        }
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }

    /// As many bytes may be read for them. Two places stay: a byte may break a key off beside its own, and the
    /// end of a pipe has to find one.
    pub fn room(&self) -> usize {
        (MOST_KEYS - 2).saturating_sub(self.0.keys.borrow().len())
    }

    /// The next key that nobody has taken, when nobody waits for keys any more.
    pub fn left(&self) -> Option<Key> {
        self.0.keys.borrow_mut().pop_front()
    }

    /// Waits for the next key. One task waits at a time.
    ///
    /// # Cancellation
    ///
    /// A wait that is dropped has taken none.
    pub async fn next(&self) -> Key {
        poll_fn(|context| match self.0.keys.borrow_mut().pop_front() {
            Some(key) => Poll::Ready(key),
            None => {
                self.0.waiting.replace(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use core::{
        pin::pin,
        sync::atomic::{AtomicBool, Ordering},
        task::Context,
    };

    use super::*;

    #[test]
    fn whoever_waits_for_a_key_is_woken_by_it() {
        struct Flag(AtomicBool);
        impl std::task::Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let (keys, flag) = (TypedKeys::default(), Arc::new(Flag(AtomicBool::new(false))));
        let waker = Waker::from(Arc::clone(&flag));
        let mut next = pin!(keys.next());
        let poll = next.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending() && !flag.0.load(Ordering::Relaxed));
        keys.push(Key::Up);
        assert!(flag.0.load(Ordering::Relaxed));
        let poll = next.poll(&mut Context::from_waker(&waker));
        assert_eq!(poll, Poll::Ready(Key::Up));
    }

    #[test]
    fn keys_come_in_their_order_and_no_more_are_kept_than_there_is_room_for() {
        let keys = TypedKeys::default();
        let next = || {
            let mut context = Context::from_waker(Waker::noop());
            match pin!(keys.next()).poll(&mut context) {
                Poll::Ready(key) => Some(key),
                Poll::Pending => None,
            }
        };
        assert_eq!(next(), None);
        for number in 0..2 * MOST_KEYS as u32 {
            let char = char::from_u32(u32::from('a') + number).unwrap();
            keys.clone().push(Key::Char(char));
        }
        assert_eq!(
            (next(), next()),
            (Some(Key::Char('a')), Some(Key::Char('b')))
        );
        assert_eq!(keys.left(), Some(Key::Char('c')));
        assert_eq!((0..).map_while(|_| next()).count(), MOST_KEYS - 3);
        assert_eq!(keys.left(), None);
    }
}
