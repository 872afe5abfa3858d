//! Slices that nest, made of beginnings and ends that need not.
//!
//! Invariant: the marks are in the order of time, and each end is that of the slice that began last.
//! Two things of a CPU do not nest by themselves. They are cut into parts, numbered from 1, that do:
//!
//! - A step that waits goes on over polls. It belongs to the task in whose poll it began: it is cut
//!   where that poll ends, and goes on in the task's next one.
//! - A stage ends in the middle of a poll. All that is open is cut there, and goes on in the next stage.
//!
//! An end without its beginning, which was overwritten, is left out and counted. What has no end is
//! ended with the CPU's life or with the trace, and says so.

use std::collections::BTreeMap;

use reveille_smp::cpu::CpuIndex;
use serde_json::Value;

use super::track::{Label, Mark, What};

/// What is incomplete on a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incomplete {
    /// Ends that were left out, as their beginnings are not there.
    pub headless: u64,
    /// Slices whose ends are not there.
    pub endless: u64,
}

/// What a slice is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// How far the CPU has come. It lies below all else.
    Stage(Stage),
    /// A poll of this task.
    Poll(Option<u32>),
    /// A step, done or undone.
    Step {
        of: CpuIndex,
        step: u16,
        down: bool,
    },
    Idle,
    Interrupt(u8),
    Call(u64),
}

/// How far the CPU has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    RealMode,
    LongMode,
    Alive,
    Online,
    GoingDown,
}

/// A slice that is open, or a step between two parts of it.
struct Frame {
    kind: Kind,
    label: Label,
    part: u64,
    /// Where its last part begins among the marks.
    mark: usize,
}

/// The marks of one track, as they are made.
#[derive(Default)]
pub(super) struct Nest {
    marks: Vec<Mark>,
    /// The slices that are open, each within the one before it.
    open: Vec<Frame>,
    /// The steps that wait for the next poll of their task.
    waiting: BTreeMap<Option<u32>, Vec<Frame>>,
    incomplete: Incomplete,
    now_ns: u64,
}

impl Nest {
    /// What follows is at this time, which is no earlier than what was before.
    pub(super) fn at(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// Something without a duration.
    pub(super) fn point(&mut self, label: Label) {
        self.mark(What::Point(label));
    }

    /// A slice without a duration.
    pub(super) fn moment(&mut self, label: Label) {
        self.mark(What::Begin(label));
        self.mark(What::End);
    }

    /// A slice begins, and in a poll the steps that its task is in go on.
    pub(super) fn begin(&mut self, kind: Kind, label: Label) {
        self.resume([Frame {
            kind,
            label,
            part: 0,
            mark: 0,
        }]);
        if let Kind::Poll(task) = kind {
            let steps = self.waiting.remove(&task);
            self.resume(steps.unwrap_or_default());
        }
    }

    /// Ends the innermost slice that is meant, and what is open within it: steps wait for their task,
    /// the rest has lost its end.
    pub(super) fn finish(&mut self, is_meant: impl Fn(Kind) -> bool) {
        let Some(place) = self.open.iter().rposition(|it| is_meant(it.kind)) else {
            self.incomplete.headless += 1;
            return;
        };
        let mut frames = self.cut(place).into_iter();
        let meant = frames.next().map(|it| it.kind);
        for frame in frames {
            match (frame.kind, meant) {
                (Kind::Step { .. }, Some(Kind::Poll(task))) => {
                    self.waiting.entry(task).or_default().push(frame);
                }
                _ => self.lose(&frame, "its end was not noted"),
            }
        }
    }

    /// Ends a step, wherever it is.
    pub(super) fn finish_step(&mut self, step: Kind, has_failed: bool) {
        let ended = if let Some(place) = self.open.iter().rposition(|it| it.kind == step) {
            let mut frames = self.cut(place);
            let frame = frames.remove(0);
            self.resume(frames);
            Some(frame)
        } else {
            // Between two of its parts: what there is of it is drawn.
            let mut waiting = self.waiting.values_mut();
            waiting.find_map(|steps| {
                let place = steps.iter().rposition(|it| it.kind == step)?;
                Some(steps.remove(place))
            })
        };
        match ended {
            Some(frame) if has_failed => self.note(&frame, "failed", true.into()),
            Some(_) => {}
            None => self.incomplete.headless += 1,
        }
    }

    /// The stage that the CPU is in.
    pub(super) fn stage(&self) -> Option<Stage> {
        match self.open.first()?.kind {
            Kind::Stage(stage) => Some(stage),
            _ => None,
        }
    }

    /// The CPU comes to a stage. All that is open goes on in it.
    pub(super) fn enter(&mut self, stage: Stage, label: Label) {
        let mut open = self.cut(0);
        open.retain(|it| !matches!(it.kind, Kind::Stage(_)));
        self.begin(Kind::Stage(stage), label);
        self.resume(open);
    }

    /// The CPU was down since its last event, or comes up for the first time.
    pub(super) fn end_life(&mut self) {
        self.close("the CPU went down");
    }

    /// The trace ends. Who went down was there until its last event; whoever else is there still.
    pub(super) fn end(mut self, end_ns: u64) -> (Vec<Mark>, Incomplete) {
        let sleeps = self.open.iter().any(|it| it.kind == Kind::Idle);
        if self.stage() == Some(Stage::GoingDown) && !sleeps {
            self.end_life();
        } else {
            self.now_ns = end_ns.max(self.now_ns);
            self.close("the trace ended");
        }
        (self.marks, self.incomplete)
    }

    /// Ends all that is there. A stage has no end of its own.
    fn close(&mut self, why: &'static str) {
        let open = self.cut(0).into_iter();
        let waiting = std::mem::take(&mut self.waiting).into_values().flatten();
        for frame in open.chain(waiting) {
            if !matches!(frame.kind, Kind::Stage(_)) {
                self.lose(&frame, why);
            }
        }
    }

    /// Begins the next parts of slices that were cut. Arrows are at the first one.
    fn resume(&mut self, frames: impl IntoIterator<Item = Frame>) {
        for mut frame in frames {
            frame.part += 1;
            if frame.part > 1 {
                frame.label.args.insert("part".into(), frame.part.into());
            }
            frame.mark = self.marks.len();
            self.mark(What::Begin(frame.label.clone()));
            frame.label.ends.leave.clear();
            frame.label.ends.arrive.clear();
            self.open.push(frame);
        }
    }

    /// Ends the parts that are open from a place on.
    fn cut(&mut self, from: usize) -> Vec<Frame> {
        let frames = self.open.split_off(from);
        frames.iter().for_each(|_| self.mark(What::End));
        frames
    }

    fn lose(&mut self, frame: &Frame, why: &'static str) {
        self.incomplete.endless += 1;
        self.note(frame, "endless", why.into());
    }

    /// Adds to the last part of a slice.
    fn note(&mut self, frame: &Frame, key: &str, value: Value) {
        if let What::Begin(label) = &mut self.marks[frame.mark].what {
            label.args.insert(key.to_owned(), value);
        }
    }

    fn mark(&mut self, what: What) {
        let at_ns = self.now_ns;
        self.marks.push(Mark { at_ns, what });
    }
}
