//! The start info, the memory map in it, and the two low pages chosen by the map.
//!
//! The bytes are physical memory in pieces (`sparse.rs`), and the start info is at its first piece.
//! What the kernel does with whole ranges is compared with the plain meaning of single pages.

use std::ops::Range;

use reveille_kernel::{
    boot::{
        BootInfo,
        pvh::{self, LONGEST_COMMAND_LINE, MOST_MODULES, MOST_REGIONS},
    },
    memory::{
        low::LowPages,
        map::{PAGE_SIZE, Region, UsableMemory},
    },
};

use crate::sparse::Sparse;

/// Where the addresses end that a SIPI can name.
const REAL_MODE_END: u64 = 1 << 20;
/// Where physical addresses end: 52 bits (SDM volume 3, "Enumeration of Paging Features").
const PHYSICAL_END: u64 = 1 << 52;

/// Reads a start info and takes the memory that it describes. Returns whether it is accepted.
pub fn check(bytes: &[u8]) -> bool {
    let memory = Sparse::from_input(bytes);
    let Some(start_info) = memory.start() else {
        return false;
    };
    let parsed = pvh::parse(&memory, start_info);
    match &parsed {
        Ok(info) => {
            check_bounds(start_info, info);
            check_memory(info);
        }
        Err(error) => assert!(error.to_string().starts_with("PVH start info: ")),
    }
    parsed.is_ok()
}

fn check_bounds(start_info: u64, info: &BootInfo) {
    assert!((1..=MOST_REGIONS as usize).contains(&info.regions.len()));
    assert!(info.modules.len() <= MOST_MODULES as usize);
    let lines = info.modules.iter().map(|module| &module.command_line);
    for line in lines.chain([&info.command_line]) {
        assert!(line.len() < LONGEST_COMMAND_LINE);
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    assert_ne!(info.rsdp, Some(0));

    assert!(info.occupied.iter().all(|range| !range.is_empty()));
    let modules = info.modules.iter().map(|module| &module.range);
    for range in modules.filter(|range| !range.is_empty()) {
        assert!(info.occupied.contains(range));
    }
    let is_occupied = |address| info.occupied.iter().any(|range| range.contains(&address));
    assert!(is_occupied(start_info));
}

fn check_memory(info: &BootInfo) {
    let usable = UsableMemory::from_regions(&info.regions);
    check_form(&usable);
    for page in pages_of_interest(&info.regions) {
        assert_eq!(
            is_free(&usable, page),
            is_whole_ram(&info.regions, page),
            "page {page:#x}"
        );
    }

    // As the kernel does it before it hands out the first page.
    let mut free = usable.clone();
    for range in &info.occupied {
        free.remove(range.clone());
    }
    check_form(&free);
    let mut backwards = usable.clone();
    for range in info.occupied.iter().rev() {
        backwards.remove(range.clone());
    }
    assert_eq!(free, backwards);
    for range in free.ranges() {
        assert!(
            !info
                .occupied
                .iter()
                .any(|occupied| overlap(occupied, &range))
        );
    }

    let is_taken = |page| info.occupied.iter().any(|range| touches(range, page));
    let is_good = |page| is_whole_ram(&info.regions, page) && !is_taken(page);
    let highest = (0..REAL_MODE_END / PAGE_SIZE - 1)
        .rev()
        .map(|number| number * PAGE_SIZE)
        .find(|&page| is_good(page) && is_good(page + PAGE_SIZE));
    let before = free.clone();
    let low = LowPages::take(&mut free);
    assert_eq!(low.map(|low| u64::from(low.code())), highest);
    let mut expected = before;
    if let Some(code) = highest {
        expected.remove(code..code + 2 * PAGE_SIZE);
        assert!(!is_free(&free, code) && !is_free(&free, code + PAGE_SIZE));
    }
    assert_eq!(free, expected);
}

/// Whole pages of the address space without page 0: sorted, disjoint, not adjacent, not empty.
fn check_form(memory: &UsableMemory) {
    let mut end = 0;
    for range in memory.ranges() {
        assert!(range.start > end && range.end > range.start && range.end <= PHYSICAL_END);
        assert!(range.start % PAGE_SIZE == 0 && range.end % PAGE_SIZE == 0);
        end = range.end;
    }
}

fn is_free(memory: &UsableMemory, page: u64) -> bool {
    memory.ranges().any(|range| range.contains(&page))
}

/// Whether one region of RAM has all of the page, and no other region touches it.
fn is_whole_ram(regions: &[Region], page: u64) -> bool {
    let is_ram = |region: &Region| {
        let range = range_of(region);
        region.usable && range.start <= page && page + PAGE_SIZE <= range.end
    };
    page != 0
        && page < PHYSICAL_END
        && regions.iter().any(is_ram)
        && !regions
            .iter()
            .any(|region| !region.usable && touches(&range_of(region), page))
}

/// The pages at the edges of all regions, and their neighbours.
fn pages_of_interest(regions: &[Region]) -> impl Iterator<Item = u64> {
    let edges = regions.iter().flat_map(|region| {
        let range = range_of(region);
        [range.start, range.end]
    });
    let pages = edges.flat_map(|edge| {
        let page = edge / PAGE_SIZE * PAGE_SIZE;
        [
            page.saturating_sub(PAGE_SIZE),
            page,
            page.saturating_add(PAGE_SIZE),
        ]
    });
    pages.filter(|&page| page < PHYSICAL_END)
}

fn range_of(region: &Region) -> Range<u64> {
    region.start..region.start.saturating_add(region.length)
}

fn touches(range: &Range<u64>, page: u64) -> bool {
    overlap(range, &(page..page + PAGE_SIZE))
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}
