//! Where the kernel's code lies.

use crate::boot::kernel;

const PAGE_SIZE: u64 = 4096;

/// Half as many again as it takes, so that a step more is no matter.
const MOST_PAGES: u64 = 18;

/// Some that every AP runs, of each crate and from the beginning to the end of its way.
const ON_THE_WAY_UP: [&str; 12] = [
    "reveille_kernel::cpus::ap::ApContext::live",
    "<reveille_kernel::percpu::EnterArea as reveille_smp::step::Step>::up",
    "reveille_kernel::percpu::PerCpu::enter",
    "reveille_kernel::interrupts::gdt::Tables::load",
    "<reveille_kernel::consistency::identity::AskCpuid as reveille_smp::step::Step>::up",
    "<reveille_kernel::consistency::registers::CheckRegisters as reveille_smp::step::Step>::up",
    "<reveille_kernel::cpus::spawn_on::TakeTasks as reveille_smp::step::Step>::up",
    "<reveille_kernel::platform::CpuPlatform as reveille_executor::platform::Idle>::idle",
    "reveille_smp::slot::Slot::report_alive",
    "reveille_smp::ap::pass_on",
    "reveille_executor::sleep::SleepGate::enter",
    "reveille_executor::waker::wake",
];

#[test]
fn what_every_ap_runs_on_its_way_up_lies_side_by_side_on_few_pages() {
    let symbols = kernel().symbols().expect("the image can be read");
    let address = |name: &str| {
        // The compiler puts a hash behind the names of functions.
        let is_meant = |symbol: &str| {
            let rest = symbol.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::h"))
        };
        let found = symbols.iter().find(|(symbol, _)| is_meant(symbol));
        found.unwrap_or_else(|| panic!("no symbol {name}")).1
    };
    let way_up = address("__way_up_start")..address("__way_up_end");
    for name in ON_THE_WAY_UP {
        assert!(
            way_up.contains(&address(name)),
            "kernel.ld does not find {name}"
        );
    }
    let pages = (way_up.end - way_up.start).div_ceil(PAGE_SIZE);
    assert!(pages <= MOST_PAGES, "{pages} pages");
}
