//! What may leave the CPU of its executor, and what may not, by its type.
//!
//! Wakers may also outlive their executor: see `what_belongs_to_an_executor_outlives_it_and_says_so`
//! in `bad_input.rs`.

#![cfg(not(loom))]

use std::future::{Pending, pending};
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::Waker;

use reveille_executor::*;

/// Whether a type is `Send` and `Sync`, as `Is::<T>::SEND` and `SYNC`: the inherent constants,
/// where their bounds hold, go before those of the trait.
struct Is<T>(PhantomData<T>);

trait IsNot {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T> IsNot for Is<T> {}

impl<T: Send> Is<T> {
    const SEND: bool = true;
}

impl<T: Sync> Is<T> {
    const SYNC: bool = true;
}

macro_rules! stays {
    ($($type:ty),* $(,)?) => {
        $(
            const { assert!(!Is::<$type>::SEND, concat!(stringify!($type), " can be sent")) };
            const { assert!(!Is::<$type>::SYNC, concat!(stringify!($type), " can be shared")) };
        )*
    };
}

#[test]
fn an_executor_and_what_belongs_to_it_stay_on_their_cpu() {
    stays!(
        Executor,
        Executor<Counters>,
        Spawner,
        Timer,
        JoinHandle<()>,
        Sleep,
        Timeout<Pending<()>>,
        SleepGate<'_>,
    );
}

#[test]
fn a_waker_goes_anywhere() {
    const { assert!(Is::<Waker>::SEND && Is::<Waker>::SYNC) };
}

#[test]
fn unused_storage_can_be_sent_to_the_cpu_that_will_use_it() {
    const { assert!(Is::<&'static mut Storage<1>>::SEND) };
    let storage = Box::leak(Box::new(Storage::<1>::new()));
    let cell = Box::leak(Box::new(TaskCell::new(async { 42 })));
    let elsewhere = std::thread::spawn(|| {
        let park = Box::leak(Box::new(Park::new()));
        let mut executor = Executor::in_storage(storage, park, NoMetrics);
        let handle = executor.spawner().spawn_in(cell).unwrap();
        executor.block_on(handle)
    });
    assert_eq!(elsewhere.join().unwrap(), Ok(42));
}

#[test]
fn a_cell_can_be_sent_only_if_its_future_can() {
    fn is_send<F: Future + Send>(_: &F) -> bool {
        Is::<TaskCell<F>>::SEND
    }
    assert!(is_send(&pending::<()>()));
    type OfOneThread = std::future::Ready<Rc<()>>;
    const { assert!(!Is::<TaskCell<OfOneThread>>::SEND) };
}
