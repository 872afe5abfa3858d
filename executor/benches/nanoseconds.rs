//! Wake and poll in nanoseconds, all contenders in one run.

#![allow(missing_docs, reason = "criterion's macros make public items")]

mod contenders;

use std::hint::black_box;

use contenders::{AsyncTask, Contender, Embassy, Reveille, Unordered, polls};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// `stride`: how far the next task to wake is from the last one. 37 meets every task, as it shares
/// no factor with the count, and mostly another block of 64; 0 is the same task again.
fn one_ready<C: Contender>(criterion: &mut Criterion, tasks: usize, stride: usize) {
    let mut contender = C::new(tasks);
    let mut next = 0;
    let before = polls();
    contender.wakers()[next].wake_by_ref();
    contender.run();
    assert_eq!(polls() - before, 1, "all contenders do the same");
    let mut group = criterion.benchmark_group(match stride {
        0 => "wake and poll the same task",
        _ => "wake and poll another task each time",
    });
    group.bench_function(BenchmarkId::new(C::NAME, tasks), |bencher| {
        bencher.iter(|| {
            next = (next + stride) % tasks;
            contender.wakers()[next].wake_by_ref();
            contender.run();
        });
    });
    group.finish();
}

fn many_ready<C: Contender>(criterion: &mut Criterion, tasks: usize) {
    let mut contender = C::new(tasks);
    let before = polls();
    contender
        .wakers()
        .iter()
        .for_each(|waker| waker.wake_by_ref());
    contender.run();
    assert_eq!(polls() - before, tasks as u64, "all contenders do the same");
    let mut group = criterion.benchmark_group("wake and poll all tasks");
    group.throughput(Throughput::Elements(tasks as u64));
    group.bench_function(BenchmarkId::new(C::NAME, tasks), |bencher| {
        bencher.iter(|| {
            contender
                .wakers()
                .iter()
                .for_each(|waker| waker.wake_by_ref());
            contender.run();
        });
    });
    group.finish();
}

fn duplicate_wake<C: Contender>(criterion: &mut Criterion, tasks: usize) {
    let contender = C::new(tasks);
    let waker = &contender.wakers()[tasks / 2];
    waker.wake_by_ref();
    let mut group = criterion.benchmark_group("wake a task that is ready already");
    group.bench_function(BenchmarkId::new(C::NAME, tasks), |bencher| {
        bencher.iter(|| black_box(waker).wake_by_ref());
    });
    group.finish();
}

fn empty_run<C: Contender>(criterion: &mut Criterion, tasks: usize) {
    let mut contender = C::new(tasks);
    contender.run();
    let mut group = criterion.benchmark_group("run with nothing ready");
    group.bench_function(BenchmarkId::new(C::NAME, tasks), |bencher| {
        bencher.iter(|| contender.run());
    });
    group.finish();
}

fn contender<C: Contender>(criterion: &mut Criterion) {
    for tasks in [1, 64, 512, 4096, 16_384] {
        one_ready::<C>(criterion, tasks, 37);
    }
    for tasks in [64, 512, 16_384] {
        one_ready::<C>(criterion, tasks, 0);
    }
    for tasks in [64, 512] {
        many_ready::<C>(criterion, tasks);
    }
    for tasks in [64, 512] {
        duplicate_wake::<C>(criterion, tasks);
    }
    for tasks in [64, 16_384] {
        empty_run::<C>(criterion, tasks);
    }
}

criterion_group!(
    all,
    contender::<Reveille>,
    contender::<Embassy>,
    contender::<Unordered>,
    contender::<AsyncTask>,
);
criterion_main!(all);
