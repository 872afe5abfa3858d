//! The guards of the calls between CPUs.

use crate::Mutation;

const SEEN: &str = "loom_call::a_call_is_seen_by_a_cpu_that_looks_or_interrupts_one_that_does_not";
const TWO_SENDERS: &str =
    "loom_call::of_two_senders_neither_relies_on_an_interrupt_that_is_not_sent";
const ROOM: &str = "loom_call::who_waits_for_room_is_woken_when_there_is_some";
const TAKEN_BACK: &str =
    "loom_call::a_call_that_is_taken_back_as_it_begins_is_run_or_dropped_and_never_both";
const BLOCKS: &str =
    "loom_call::a_caller_that_blocks_is_interrupted_when_its_call_is_over_and_sees_what_it_did";
const AWAITED: &str = "loom_call::what_a_call_gives_is_seen_by_who_awaits_it";
const TIMED_OUT: &str =
    "loom_call::a_call_that_times_out_as_it_begins_has_been_run_to_its_end_or_never_will_be";
const TO_MANY: &str =
    "loom_call::a_call_to_many_is_over_when_the_last_has_run_it_and_sees_what_all_did";
const TWO_LIVES: &str =
    "loom_call::a_sender_that_meets_two_lives_of_a_queue_is_served_in_the_next_or_refused";
const OPENED: &str = "loom_call::who_may_call_sees_what_the_cpu_did_before_it_opened";
const CLOSES: &str = "loom_call::a_call_that_is_sent_as_the_queue_closes_is_run_or_refused";
const GIVEN_BACK: &str =
    "loom_call::who_waits_for_a_place_that_a_refused_sender_gives_back_is_woken";
const SEAT: &str = "loom_call::who_sits_down_to_wait_for_room_sees_what_the_seats_last_owner_did";

pub(super) const MUTATIONS: &[Mutation] = &[
    // call/word.rs
    Mutation {
        guard: "a call that is put into a queue is released",
        file: "call/word.rs",
        from: "self.change(Ordering::Release, fill)",
        to: "self.change(Ordering::Relaxed, fill)",
        noticed_by: SEEN,
    },
    Mutation {
        guard: "the owner acquires it",
        file: "call/word.rs",
        from: "Places::full(self.0.load(Ordering::Acquire))",
        to: "Places::full(self.0.load(Ordering::Relaxed))",
        noticed_by: SEEN,
    },
    Mutation {
        guard: "an owner does not stop looking while a place is full",
        file: "call/word.rs",
        from: "(word & ALL_FULL == 0).then_some(Self::away(word))",
        to: "Some(Self::away(word))",
        noticed_by: SEEN,
    },
    Mutation {
        guard: "an owner that looks needs no interrupt",
        file: "call/word.rs",
        from: "        self.0.fetch_or(LOOKS, Ordering::Relaxed);",
        to: "",
        noticed_by: "call::one_thread::a_cpu_that_looks_by_itself_is_not_interrupted",
    },
    Mutation {
        guard: "who fills a place interrupts an owner that is away",
        file: "call/word.rs",
        from: "            Ok(word) => Filled::Unseen(Pass::of(word)),",
        to: "            Ok(_) => Filled::Seen,",
        noticed_by: SEEN,
    },
    Mutation {
        guard: "an owner that stops forgets that it was interrupted",
        file: "call/word.rs",
        from: "(word & !(LOOKS | RUNG))",
        to: "(word & !LOOKS)",
        noticed_by: TWO_SENDERS,
    },
    Mutation {
        guard: "an owner that stops does not look any more",
        file: "call/word.rs",
        from: "(word & !(LOOKS | RUNG))",
        to: "(word & !RUNG)",
        noticed_by: SEEN,
    },
    Mutation {
        guard: "the mark of an interrupt is for one pass of the owner",
        file: "call/word.rs",
        from: "(Pass::of(word) == pass).then_some(word | RUNG)",
        to: "{
            let _ = pass;
            Some(word | RUNG)
        }",
        noticed_by: TWO_SENDERS,
    },
    Mutation {
        guard: "the passes of an owner are counted",
        file: "call/word.rs",
        from: ".wrapping_add(ONE_PASS)",
        to: ".wrapping_add(0 * ONE_PASS)",
        noticed_by: TWO_SENDERS,
    },
    Mutation {
        guard: "one interrupt is enough for many calls",
        file: "call/word.rs",
        from: "then_some(word | RUNG)",
        to: "then_some(word)",
        noticed_by: "call::one_thread::for_calls_that_come_before_the_first_is_taken_one_interrupt_is_sent",
    },
    Mutation {
        guard: "a sender acquires the place that it takes",
        file: "call/word.rs",
        from: "self.change(Ordering::Acquire, take)",
        to: "self.change(Ordering::Relaxed, take)",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "who frees a place releases it",
        file: "call/word.rs",
        from: ".fetch_and(!((TAKEN | FULL) << place), Ordering::Release)",
        to: ".fetch_and(!((TAKEN | FULL) << place), Ordering::Relaxed)",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "a CPU that opens its queue releases what it did before",
        file: "call/word.rs",
        from: "self.0.fetch_or(OPEN, Ordering::Release)",
        to: "self.0.fetch_or(OPEN, Ordering::Relaxed)",
        noticed_by: OPENED,
    },
    Mutation {
        guard: "no place becomes full once the queue is closed",
        file: "call/word.rs",
        from: "(word & OPEN != 0).then_some(word | FULL << place)",
        to: "Some(word | FULL << place)",
        noticed_by: CLOSES,
    },
    Mutation {
        guard: "who waits for room does so only if there is none",
        file: "call/word.rs",
        from: "(word & ALL_TAKEN == ALL_TAKEN).then_some(word | WANTED)",
        to: "Some(word | WANTED)",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "who waits for room releases its seat",
        file: "call/word.rs",
        from: "self.change(Ordering::Release, want)",
        to: "self.change(Ordering::Relaxed, want)",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "who wakes for room acquires it",
        file: "call/word.rs",
        from: "self.0.fetch_and(!WANTED, Ordering::Acquire)",
        to: "self.0.fetch_and(!WANTED, Ordering::Relaxed)",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "a sender that gives its place back releases it",
        file: "call/word.rs",
        from: "self.0.fetch_and(free, Ordering::AcqRel)",
        to: "self.0.fetch_and(free, Ordering::Acquire)",
        noticed_by: GIVEN_BACK,
    },
    Mutation {
        guard: "a sender that gives its place back acquires who waits for one",
        file: "call/word.rs",
        from: "self.0.fetch_and(free, Ordering::AcqRel)",
        to: "self.0.fetch_and(free, Ordering::Release)",
        noticed_by: GIVEN_BACK,
    },
    // call/ticket.rs
    Mutation {
        guard: "to begin a call is one read-modify-write",
        file: "call/ticket.rs",
        from: "        self.0.fetch_and(!WAITS, Ordering::Relaxed) & WAITS != 0",
        to: "        let was = self.0.load(Ordering::Relaxed);
        self.0.store(was & !WAITS, Ordering::Relaxed);
        was & WAITS != 0",
        noticed_by: TAKEN_BACK,
    },
    Mutation {
        guard: "each call has a number of its own",
        file: "call/ticket.rs",
        from: "let number = number.wrapping_add(ONE);",
        to: "let number = number.wrapping_add(0 * ONE);",
        noticed_by: "call::one_thread::a_call_that_is_over_and_dropped_takes_nothing_back_that_came_behind_it",
    },
    // call/answer.rs
    Mutation {
        guard: "a CPU that ends a call releases what the call did",
        file: "call/answer.rs",
        from: "self.0.fetch_sub(ONE, Ordering::Release)",
        to: "self.0.fetch_sub(ONE, Ordering::Relaxed)",
        noticed_by: BLOCKS,
    },
    Mutation {
        guard: "a caller that blocks acquires it",
        file: "call/answer.rs",
        from: "self.0.load(Ordering::Acquire) < ONE",
        to: "self.0.load(Ordering::Relaxed) < ONE",
        noticed_by: BLOCKS,
    },
    Mutation {
        guard: "the last call that ends interrupts a caller that halts",
        file: "call/answer.rs",
        from: "Ordering::Release) == ONE | HALTS",
        to: "Ordering::Release) == HALTS",
        noticed_by: BLOCKS,
    },
    Mutation {
        guard: "a caller does not halt when all is over",
        file: "call/answer.rs",
        from: "self.0.fetch_or(HALTS, Ordering::Relaxed) >= ONE",
        to: "self.0.fetch_or(HALTS, Ordering::Relaxed) < u64::MAX",
        noticed_by: BLOCKS,
    },
    // call/queue.rs
    Mutation {
        guard: "a sender that gives its place back tells who waits for one",
        file: "call/queue.rs",
        from: "        if self.word.give_back(place) {",
        to: "        if self.word.give_back(place) && false {",
        noticed_by: GIVEN_BACK,
    },
    Mutation {
        guard: "who waits for room is woken when places have become free",
        file: "call/queue.rs",
        from: "        if self.word.take_wanted() {",
        to: "        if false && self.word.take_wanted() {",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "who waits for room registers before it looks",
        file: "call/queue.rs",
        from: "        match seat {
            Some(seat) => seat.register(waker),
            None => waker.wake_by_ref(),
        }
        self.word.want_room()",
        to: "        let waits = self.word.want_room();
        match seat {
            Some(seat) => seat.register(waker),
            None => waker.wake_by_ref(),
        }
        waits",
        noticed_by: ROOM,
    },
    Mutation {
        guard: "a queue is closed before it is emptied",
        file: "call/queue.rs",
        from: "        self.word.close();
        // Nothing becomes full any more, so one pass is enough.
        carrier.masked(|| self.serve(carrier));",
        to: "        carrier.masked(|| self.serve(carrier));
        self.word.close();",
        noticed_by: CLOSES,
    },
    Mutation {
        guard: "what lies in a queue that closes is run",
        file: "call/queue.rs",
        from: "        self.word.close();
        // Nothing becomes full any more, so one pass is enough.
        carrier.masked(|| self.serve(carrier));",
        to: "        self.word.close();
        let _ = carrier;",
        noticed_by: CLOSES,
    },
    Mutation {
        guard: "a sender that was slower than the close gives its place back",
        file: "call/queue.rs",
        from: "                self.give_back(place);
",
        to: "",
        noticed_by: TWO_LIVES,
    },
    Mutation {
        guard: "nobody relies on an interrupt that was not accepted",
        file: "call/queue.rs",
        from: "                if self.interrupt(carrier, cpu) {",
        to: "                if self.interrupt(carrier, cpu) || true {",
        noticed_by: "call::one_thread::an_interrupt_that_is_not_accepted_is_sent_by_the_next_who_calls",
    },
    // call/serve.rs
    Mutation {
        guard: "what its caller has taken back is not run",
        file: "call/serve.rs",
        from: "entry.filter(|_| has_begun)",
        to: "entry.filter(|_| has_begun || true)",
        noticed_by: TAKEN_BACK,
    },
    Mutation {
        guard: "one at a time serves a queue",
        file: "call/serve.rs",
        from: "if self.is_served.swap(1, Ordering::Relaxed) != 0 {",
        to: "if self.is_served.swap(1, Ordering::Relaxed) > 1 {",
        noticed_by: "call::one_thread::an_interrupt_that_comes_while_the_cpu_looks_does_not_end_its_look",
    },
    Mutation {
        guard: "a closure that is called may not wait",
        file: "call/serve.rs",
        from: "let is_free = self.is_served.load(Ordering::Relaxed) == 0",
        to: "let is_free = self.is_served.load(Ordering::Relaxed) < 2",
        noticed_by: "call::blocking::a_closure_that_is_called_may_not_wait",
    },
    Mutation {
        guard: "a CPU that waits for a call may not wait for another",
        file: "call/serve.rs",
        from: "&& self.is_asking.swap(1, Ordering::Relaxed) == 0;",
        to: "&& self.is_asking.swap(1, Ordering::Relaxed) < 2;",
        noticed_by: "call::blocking::a_cpu_that_waits_for_a_call_may_not_wait_for_another",
    },
    Mutation {
        guard: "a CPU lets other interrupts in under a flood of calls",
        file: "call/serve.rs",
        from: "const PASSES: usize = 4;",
        to: "const PASSES: usize = usize::MAX;",
        noticed_by: "call::one_thread::a_flood_of_calls_lets_other_interrupts_in_and_is_come_back_to",
    },
    Mutation {
        guard: "a CPU whose call panicked comes back to the others",
        file: "call/serve.rs",
        from: "        if queue.word.break_off() {",
        to: "        if queue.word.break_off() && false {",
        noticed_by: "call::one_thread::a_closure_that_panics_is_told_and_the_calls_behind_it_are_run",
    },
    // call/room.rs
    Mutation {
        guard: "who gives up waiting for room leaves its seat",
        file: "call/room.rs",
        from: ".fetch_and(!(1 << self.number), Ordering::Release)",
        to: ".fetch_and(!0, Ordering::Release)",
        noticed_by: "call::one_thread::a_waiter_that_gives_up_leaves_its_seat",
    },
    Mutation {
        guard: "who leaves a seat releases it",
        file: "call/room.rs",
        from: ".fetch_and(!(1 << self.number), Ordering::Release)",
        to: ".fetch_and(!(1 << self.number), Ordering::Relaxed)",
        noticed_by: SEAT,
    },
    Mutation {
        guard: "who takes a seat acquires it",
        file: "call/room.rs",
        from: ".fetch_update(Ordering::Acquire, Ordering::Relaxed, take)",
        to: ".fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)",
        noticed_by: SEAT,
    },
    // call/lent.rs
    Mutation {
        guard: "a closure that borrows is taken back only if it has not begun",
        file: "call/lent.rs",
        from: "let is_back = receipt.withdraw(self.carrier);",
        to: "let is_back = receipt.withdraw(self.carrier) || true;",
        noticed_by: TIMED_OUT,
    },
    Mutation {
        guard: "a call that was taken back is not waited for",
        file: "call/lent.rs",
        from: "                    if is_back {
                        self.own.answer().forgo();
                    }
",
        to: "",
        noticed_by: TIMED_OUT,
    },
    Mutation {
        guard: "a call that was refused is not waited for",
        file: "call/lent.rs",
        from: "                    own.answer().forgo();
                    if refused",
        to: "                    if refused",
        noticed_by: "loom_call::a_caller_that_blocks_for_room_is_interrupted_when_there_is_some",
    },
    Mutation {
        guard: "a caller that panics waits for those that are in its closure",
        file: "call/lent.rs",
        from: "        while !self.own.answer().is_over() {
            spin_loop();
        }
",
        to: "        let _ = spin_loop;
",
        noticed_by: "call::blocking::a_caller_that_panics_waits_for_those_that_are_in_its_closure",
    },
    // call/block.rs
    Mutation {
        guard: "a caller that blocks for room is interrupted when there is some",
        file: "call/block.rs",
        from: "            let _ = own.interrupt(self.carrier, self.cpu);",
        to: "            let _ = own;",
        noticed_by: "loom_call::a_caller_that_blocks_for_room_is_interrupted_when_there_is_some",
    },
    Mutation {
        guard: "a caller that blocks runs what it is called for",
        file: "call/block.rs",
        from: "            looking.pass();
",
        to: "",
        noticed_by: "call::blocking::a_caller_that_waits_is_called_without_an_interrupt",
    },
    Mutation {
        guard: "of a call to many only who is not over is told of",
        file: "call/block.rs",
        from: "        self.is_over.store(true, Relaxed);
",
        to: "        let _ = &self.is_over;
",
        noticed_by: "call::blocking::of_two_that_have_begun_only_the_one_that_is_not_over_is_told_of",
    },
    // call/one.rs
    Mutation {
        guard: "a call that is over releases what it gave",
        file: "call/one.rs",
        from: "self.is_over.store(1, Ordering::Release)",
        to: "self.is_over.store(1, Ordering::Relaxed)",
        noticed_by: AWAITED,
    },
    Mutation {
        guard: "who awaits it acquires that",
        file: "call/one.rs",
        from: "self.is_over.load(Ordering::Acquire) != 0",
        to: "self.is_over.load(Ordering::Relaxed) != 0",
        noticed_by: AWAITED,
    },
    Mutation {
        guard: "a call that is over wakes its caller",
        file: "call/one.rs",
        from: "        self.is_over.store(1, Ordering::Release);
        self.caller.wake();",
        to: "        self.is_over.store(1, Ordering::Release);",
        noticed_by: AWAITED,
    },
    Mutation {
        guard: "who awaits a call registers before it looks",
        file: "call/one.rs",
        from: "            register(&self.caller, context.waker());
            if !self.is_over() {
                return Poll::Pending;
            }",
        to: "            register(&self.caller, context.waker());
            return Poll::Pending;",
        noticed_by: AWAITED,
    },
    Mutation {
        guard: "a call that is dropped is taken back",
        file: "call/one.rs",
        from: "            && receipt.withdraw(self.carrier)",
        to: "            && false
            && receipt.withdraw(self.carrier)",
        noticed_by: "call::one_thread::a_call_that_is_dropped_before_it_has_begun_is_not_run_and_its_closure_gone_at_once",
    },
    // call/many.rs
    Mutation {
        guard: "each CPU of many releases what it did",
        file: "call/many.rs",
        from: "self.left.fetch_sub(1, Ordering::AcqRel)",
        to: "self.left.fetch_sub(1, Ordering::Relaxed)",
        noticed_by: TO_MANY,
    },
    Mutation {
        guard: "who awaits many acquires what all did",
        file: "call/many.rs",
        from: "this.shared.left.load(Ordering::Acquire)",
        to: "this.shared.left.load(Ordering::Relaxed)",
        noticed_by: TO_MANY,
    },
    Mutation {
        guard: "the last of many wakes the caller",
        file: "call/many.rs",
        from: "            self.caller.wake();",
        to: "            let _ = &self.caller;",
        noticed_by: TO_MANY,
    },
    Mutation {
        guard: "who awaits many names those that have no room",
        file: "call/many.rs",
        from: "            Stage::Unsent(sender) => sender.pending(),",
        to: "            Stage::Unsent(_) => None,",
        noticed_by: "call::one_thread::a_call_to_many_of_whom_one_has_no_room_runs_on_the_others_meanwhile",
    },
    Mutation {
        guard: "many calls that are dropped are taken back",
        file: "call/many.rs",
        from: "let _ = receipt.withdraw(self.carrier);",
        to: "let _ = (receipt, self.carrier);",
        noticed_by: "call::one_thread::a_call_to_many_that_is_dropped_is_taken_back_where_it_has_not_begun",
    },
];
