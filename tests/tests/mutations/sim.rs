//! Bugs that the simulator finds, each put into the bring-up or into the trampoline that is simulated.

use crate::{Copy, Mutation, Subject, text};

pub(crate) const SUBJECT: Subject = Subject {
    folders: &["smp", "tests"],
    package: "reveille-tests",
    loom: &[],
    rustflags: "",
    module: "",
    mutations: &[BUGS],
};

/// The test target and the test that simulates schedules.
const SCHEDULES: (&str, &str) = ("schedules", "no_schedule_breaks_a_rule");

/// Puts in one bug after the other, and has schedules simulated.
pub(crate) fn check() {
    let copy = Copy::of(&SUBJECT);
    let (target, test) = SCHEDULES;
    let mut missed = Vec::new();
    for bug in SUBJECT.mutations() {
        let restore = copy.mutate(bug);
        let built = copy.build(target);
        assert!(
            built.status.success(),
            "without \"{}\":\n{}",
            bug.guard,
            text(&built)
        );
        let ran = text(&copy.run(target, Some(test)));
        drop(restore);
        let rule = format!("/// rule {} broken at ", bug.noticed_by);
        let found = ran
            .lines()
            .find(|line| line.starts_with("/// rule "))
            .unwrap_or("nothing is found");
        let drawn = ran
            .lines()
            .find(|line| line.starts_with("schedule "))
            .and_then(|line| line.split(';').next())
            .unwrap_or("");
        if found.starts_with(&rule) {
            println!("found by {drawn}: without \"{}\"", bug.guard);
        } else {
            println!("MISSED: without \"{}\": {found}", bug.guard);
            missed.push(bug.guard);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

const BUGS: &[Mutation] = &[
    Mutation {
        guard: "a waiter registers before it looks",
        file: "smp/src/slot.rs",
        from: "        register(waker, context.waker());
        if condition() {",
        to: "        let is_there = condition();
        register(waker, context.waker());
        if is_there {",
        noticed_by: "prompt",
    },
    Mutation {
        guard: "an AP registers before it looks",
        file: "smp/src/slot.rs",
        from: "            register(&self.notes.peers, context.waker());
            register(&self.line.resident, context.waker());
            match condition() {",
        to: "            let is_there = condition();
            register(&self.notes.peers, context.waker());
            register(&self.line.resident, context.waker());
            match is_there {",
        noticed_by: "prompt",
    },
    Mutation {
        guard: "the AP writes ALIVE before it wakes the BSP",
        file: "smp/src/slot.rs",
        from: "        let state = self.line.state.alive()?;
        self.wake_control();",
        to: "        self.wake_control();
        let state = self.line.state.alive()?;",
        noticed_by: "prompt",
    },
    Mutation {
        guard: "of two arrivals only one claims",
        file: "smp/src/state.rs",
        from: "        self.advance(&[Stage::Kicked], Stage::Claimed)",
        to: "        self.advance(&[Stage::Kicked, Stage::Claimed], Stage::Claimed)",
        noticed_by: "own-stack",
    },
    Mutation {
        guard: "an AP that was given up does not claim",
        file: "smp/src/state.rs",
        from: "        self.advance(&[Stage::Kicked], Stage::Claimed)",
        to: "        self.advance(&[Stage::Kicked, Stage::GivenUp], Stage::Claimed)",
        noticed_by: "in-use",
    },
    Mutation {
        guard: "each kick begins a generation",
        file: "smp/src/state.rs",
        from: "now.generation().wrapping_add(1) &",
        to: "now.generation() &",
        noticed_by: "own-stack",
    },
    Mutation {
        guard: "an abandoned AP does not come online",
        file: "smp/src/state.rs",
        from: "        self.advance(&[Stage::Moving], Stage::Online)",
        to: "        self.advance(&[Stage::Moving, Stage::Abandoned], Stage::Online)",
        noticed_by: "truth",
    },
    Mutation {
        guard: "nothing is taken down before the AP has parked",
        file: "smp/src/bringup/way.rs",
        from: "                self.until_parked().await?;
            }
            stage if",
        to: "            }
            stage if",
        noticed_by: "in-use",
    },
    Mutation {
        guard: "an AP that does not park is waited for until a deadline",
        file: "smp/src/bringup/way.rs",
        from: "            if self.now() >= deadline {",
        to: "            if self.now() >= deadline && false {",
        noticed_by: "ends",
    },
    Mutation {
        guard: "INIT goes to nobody who has claimed",
        file: "smp/src/state.rs",
        from: "            Self::Ready | Self::Parked | Self::GivenUp | Self::Late",
        to: "            Self::Ready | Self::Claimed | Self::Parked | Self::GivenUp | Self::Late",
        noticed_by: "in-use",
    },
    Mutation {
        guard: "a slot is closed before INIT is sent again",
        file: "smp/src/bringup/kick/init_sipi.rs",
        from: "        if self.slot().state().give_up().is_err() {
            // It has just come.
            return Ok(());
        }
",
        to: "",
        noticed_by: "healthy",
    },
    Mutation {
        guard: "an AP that is not waited for is given up",
        file: "smp/src/bringup/kick/mod.rs",
        from: "        match self.slot().state().give_up() {
            Ok(_) => Err",
        to: "        match Ok::<_, crate::state::Refused>(self.slot().state().load()) {
            Ok(_) => Err",
        noticed_by: "truth",
    },
    Mutation {
        guard: "an AP that was in real mode has started",
        file: "smp/src/bringup/kick/mod.rs",
        from: "Evidence::RealMode => Outcome::StuckRealMode,",
        to: "Evidence::RealMode => Outcome::NeverStarted,",
        noticed_by: "truth",
    },
    Mutation {
        guard: "each wait for an AP to be alive has a deadline",
        file: "smp/src/bringup/kick/mod.rs",
        from: "let _ = self.shared.bring_up.timer.timeout_at(deadline, come).await;",
        to: "let _ = deadline;
        come.await;",
        noticed_by: "ends",
    },
    Mutation {
        guard: "each wait for an AP to move has a deadline",
        file: "smp/src/bringup/climb.rs",
        from: "let _ = shared.bring_up.timer.timeout(span, holds).await;",
        to: "let _ = span;
        holds.await;",
        noticed_by: "ends",
    },
    Mutation {
        guard: "an AP whose peer died before it woke it is roused",
        file: "smp/src/bringup/climb.rs",
        from: "            self.slot().rouse();
",
        to: "",
        noticed_by: "healthy",
    },
    Mutation {
        guard: "the turn of an AP that is abandoned is taken back",
        file: "smp/src/bringup/climb.rs",
        from: "            shared.turns.take_back(self.index());
",
        to: "",
        noticed_by: "ends",
    },
    Mutation {
        guard: "the turn that a dead AP did not grant is granted for it",
        file: "smp/src/turn.rs",
        from: "        if let Some(first) = first {
            self.grant(first);",
        to: "        if let Some(first) = first.filter(|_| false) {
            self.grant(first);",
        noticed_by: "ends",
    },
    Mutation {
        guard: "the lowest that waits is next",
        file: "smp/src/turn.rs",
        from: "queue.waiting().partition_point(|&other| other < index)",
        to: "queue.waiting().len()",
        noticed_by: "lowest",
    },
    Mutation {
        guard: "nobody who queues is granted the turn while another one has it",
        file: "smp/src/turn.rs",
        from: "                queue.chain.insert(before + 1, index);
",
        to: "                queue.chain.insert(before + 1, index);
                self.grant(index);
",
        noticed_by: "strict",
    },
    Mutation {
        guard: "the turn is passed on behind the step that needs it",
        file: "smp/src/ap.rs",
        from: "            let result = self.run(step, direction).await;
",
        to: "            if self.ladder.steps()[step].is_serialised() {
                pass_on(self.aps, self.index);
            }
            let result = self.run(step, direction).await;
",
        noticed_by: "strict",
    },
    Mutation {
        guard: "whoever comes into the queue as the turn is passed on is not lost",
        file: "smp/src/baton.rs",
        from: "                Err(changed) => now = changed,",
        to: "                Err(_) => return next,",
        noticed_by: "ends",
    },
    Mutation {
        guard: "an AP whose step failed goes no further",
        file: "smp/src/slot.rs",
        from: "        self.line.permission.decline();
",
        to: "",
        noticed_by: "serial",
    },
    Mutation {
        guard: "an abandoned AP is permitted nothing",
        file: "smp/src/slot.rs",
        from: "        self.line.permission.withdraw();
",
        to: "",
        noticed_by: "truth",
    },
    Mutation {
        guard: "whoever loses the claim touches no stack",
        file: "tests/src/sim/life.rs",
        from: "        let _ = slot.state().come_late();
        return;",
        to: "        let _ = slot.state().come_late();",
        noticed_by: "in-use",
    },
    Mutation {
        guard: "a CPU does not stop looking for calls while one lies there",
        file: "smp/src/call/word.rs",
        from: "(word & ALL_FULL == 0).then_some(Self::away(word))",
        to: "Some(Self::away(word))",
        noticed_by: "once",
    },
    Mutation {
        guard: "that an interrupt was sent is said for one pass",
        file: "smp/src/call/word.rs",
        from: "let mark = |word| (Pass::of(word) == pass).then_some(word | RUNG);",
        to: "let mark = |word| {
            let _ = pass;
            Some(word | RUNG)
        };",
        noticed_by: "answered",
    },
    Mutation {
        guard: "nothing is put into a queue that has been closed",
        file: "smp/src/call/word.rs",
        from: "let fill = |word: u64| (word & OPEN != 0).then_some(word | FULL << place);",
        to: "let fill = |word: u64| Some(word | FULL << place);",
        noticed_by: "answered",
    },
    Mutation {
        guard: "a CPU that closes its queue runs what lies there",
        file: "smp/src/call/queue.rs",
        from: "        carrier.masked(|| self.serve(carrier));
",
        to: "        let _ = carrier;
",
        noticed_by: "once",
    },
];
