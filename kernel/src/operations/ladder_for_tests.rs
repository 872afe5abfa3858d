//! A ladder as the kernel's own, of steps that do nothing.

use reveille_smp::{
    ladder::Ladder,
    step::{Mode, Run, Section, Site, Step},
};

struct Dummy {
    name: &'static str,
    section: Section,
    rank: u16,
    mode: Mode,
    can_rest: bool,
}

impl Step for Dummy {
    fn name(&self) -> &'static str {
        self.name
    }
    fn section(&self) -> Section {
        self.section
    }
    fn rank(&self) -> u16 {
        self.rank
    }
    fn mode(&self) -> Mode {
        self.mode
    }
    fn can_rest(&self) -> bool {
        self.can_rest
    }
    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Run::Now(Ok(()))
    }
}

const fn step(name: &'static str, section: Section, rank: u16) -> Dummy {
    Dummy {
        name,
        section,
        rank,
        mode: Mode::Concurrent,
        can_rest: true,
    }
}

static STACK: Dummy = step("stack", Section::Prepare, 1);
static TABLES: Dummy = Dummy {
    can_rest: false,
    ..step("tables", Section::Starting, 1)
};
static INTERRUPTS: Dummy = step("interrupts", Section::Starting, 2);
static JOIN: Dummy = Dummy {
    mode: Mode::Serialised,
    ..step("join", Section::Online, 1)
};
static CALLS: Dummy = step("calls", Section::Online, 2);
static INBOX: Dummy = step("inbox", Section::Online, 3);

/// `stack`, the kick, `tables` where nobody can rest, `interrupts`, `join`, `calls` and `inbox`.
pub(crate) fn test_ladder() -> Ladder {
    let steps: [&'static dyn Step; 6] = [&STACK, &TABLES, &INTERRUPTS, &JOIN, &CALLS, &INBOX];
    Ladder::new(steps).expect("the names differ")
}
