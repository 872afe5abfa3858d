//! 4 KiB pages that come and go while CPUs run: all of a range or none of it.
//!
//! A page that was there for a moment may be in a TLB, of any CPU: a processor may look up what it likes. So
//! nothing is undone here. Whatever can fail, fails before the first entry is written: the tables are made,
//! which are kept, the frames are taken, and each page is looked at.

#![forbid(unsafe_code)]

use core::ops::Range;

use super::{
    frames::{FrameAllocator, FrameRun},
    map::PAGE_SIZE,
    paging::{Access, AddressSpace, MapError},
    window::Window,
};

/// Maps so many pages somewhere in the window, to frames of their own.
///
/// # Errors
///
/// [`MapError::NoFrame`]: nothing is mapped, and nothing is taken but tables, which serve whoever comes next.
pub(super) fn map_in_window(
    space: &mut AddressSpace,
    frames: &mut FrameAllocator,
    window: &mut Window,
    count: u64,
) -> Result<(Range<u64>, FrameRun), MapError> {
    let pages = window.take(count).ok_or(MapError::NoFrame)?;
    let made = space.make_tables(pages.clone(), frames);
    match made.and_then(|()| frames.allocate(count).ok_or(MapError::NoFrame)) {
        Ok(run) => {
            map(space, frames, pages.clone(), &run);
            Ok((pages, run))
        }
        Err(error) => {
            // No entry led anywhere, so no CPU has a translation.
            window.give_back(pages);
            Err(error)
        }
    }
}

/// Lets mapped pages lead to other frames, which it gives.
///
/// # Errors
///
/// [`MapError`]: all pages lead to where they led.
pub(super) fn remap(
    space: &mut AddressSpace,
    frames: &mut FrameAllocator,
    pages: Range<u64>,
) -> Result<FrameRun, MapError> {
    let count = (pages.end - pages.start) / PAGE_SIZE;
    check(space, pages.clone())?;
    let run = frames.allocate(count).ok_or(MapError::NoFrame)?;
    unmap_checked(space, pages.clone());
    map(space, frames, pages, &run);
    Ok(run)
}

/// Takes pages out of the tables.
///
/// # Errors
///
/// [`MapError`] by the first page that is not mapped, or not by itself: all are as they were.
pub(super) fn unmap(space: &mut AddressSpace, pages: Range<u64>) -> Result<(), MapError> {
    check(space, pages.clone())?;
    unmap_checked(space, pages);
    Ok(())
}

/// The addresses of pages.
pub(super) fn each_of(pages: Range<u64>) -> impl Iterator<Item = u64> {
    pages.step_by(PAGE_SIZE as usize)
}

/// Whether each is mapped, by itself.
fn check(space: &mut AddressSpace, pages: Range<u64>) -> Result<(), MapError> {
    each_of(pages).try_for_each(|page| space.frame_of(page).map(drop))
}

fn unmap_checked(space: &mut AddressSpace, pages: Range<u64>) {
    for page in each_of(pages) {
        space.unmap(page).expect("each page has been looked at");
    }
}

/// Page by page, as they are to be unmapped so. The tables are there.
fn map(space: &mut AddressSpace, frames: &mut FrameAllocator, pages: Range<u64>, run: &FrameRun) {
    for (page, frame) in each_of(pages).zip((run.start()..).step_by(PAGE_SIZE as usize)) {
        space
            .map(page..page + PAGE_SIZE, frame, Access::Data, frames)
            .expect("the tables are there, and the page is free");
    }
}

#[cfg(test)]
mod tests {
    use super::{super::paging::tests::Fixture, *};

    /// More pages than one table has entries: they need two from the window's first address on, and one of
    /// level 2 and of level 3.
    const PAGES: u64 = 600;

    /// Lets all frames but so many be in use.
    fn leave(frames: &mut FrameAllocator, count: u64) -> Vec<FrameRun> {
        let used = (count..frames.free_frames()).map(|_| frames.allocate(1).unwrap());
        used.collect()
    }

    /// Where the pages lead to.
    fn led(space: &mut AddressSpace, pages: &Range<u64>) -> Vec<u64> {
        each_of(pages.clone())
            .map(|page| space.frame_of(page).unwrap())
            .collect()
    }

    fn is_unmapped(space: &mut AddressSpace, pages: &Range<u64>) -> bool {
        each_of(pages.clone()).all(|page| space.frame_of(page) == Err(MapError::NotMapped { page }))
    }

    #[test]
    fn what_cannot_be_mapped_as_a_whole_is_not_mapped_in_part_and_takes_nothing() {
        let first = Window::new().take(PAGES).unwrap();
        for tables in 0..4 {
            let mut fixture = Fixture::new();
            let Fixture { space, frames, .. } = &mut fixture;
            let mut window = Window::new();
            let _used = leave(frames, tables);
            let mapped = map_in_window(space, frames, &mut window, PAGES);
            assert_eq!(mapped, Err(MapError::NoFrame));
            assert!(is_unmapped(space, &first), "{tables}");
            assert_eq!(window.take(PAGES).as_ref(), Some(&first));
        }
    }

    #[test]
    fn without_frames_the_tables_stay_and_the_addresses_come_again() {
        let mut fixture = Fixture::new();
        let Fixture { space, frames, .. } = &mut fixture;
        let mut window = Window::new();
        // Three are for tables, and two pages want two.
        let used = leave(frames, 4);
        let mapped = map_in_window(space, frames, &mut window, 2);
        assert_eq!(mapped, Err(MapError::NoFrame));
        assert_eq!(frames.free_frames(), 1);
        used.into_iter().for_each(|run| frames.free(run));
        let before = frames.free_frames();
        let (pages, run) = map_in_window(space, frames, &mut window, 2).unwrap();
        assert_eq!(before - frames.free_frames(), 2);
        assert_eq!(Window::new().take(2), Some(pages.clone()));
        assert_eq!(led(space, &pages), [run.start(), run.start() + PAGE_SIZE]);
    }

    #[test]
    fn pages_lead_to_other_frames_all_or_none() {
        let mut fixture = Fixture::new();
        let Fixture { space, frames, .. } = &mut fixture;
        let (pages, old) = map_in_window(space, frames, &mut Window::new(), 2).unwrap();
        let before = frames.free_frames();
        let fresh = remap(space, frames, pages.clone()).unwrap();
        assert_eq!(before - frames.free_frames(), 2);
        assert_ne!(fresh, old);
        let leads = [fresh.start(), fresh.start() + PAGE_SIZE];
        assert_eq!(led(space, &pages), leads);

        let beyond = pages.end;
        let mapped = remap(space, frames, pages.start..beyond + PAGE_SIZE);
        assert_eq!(mapped, Err(MapError::NotMapped { page: beyond }));
        assert_eq!(before - frames.free_frames(), 2);
        assert_eq!(led(space, &pages), leads);

        let _used = leave(frames, 1);
        let mapped = remap(space, frames, pages.clone());
        assert_eq!(mapped, Err(MapError::NoFrame));
        assert_eq!(frames.free_frames(), 1);
        assert_eq!(led(space, &pages), leads);
    }

    #[test]
    fn pages_are_unmapped_all_or_none() {
        let mut fixture = Fixture::new();
        let Fixture { space, frames, .. } = &mut fixture;
        let (pages, run) = map_in_window(space, frames, &mut Window::new(), 2).unwrap();
        let beyond = pages.end;
        assert_eq!(
            unmap(space, pages.start..beyond + PAGE_SIZE),
            Err(MapError::NotMapped { page: beyond })
        );
        assert_eq!(led(space, &pages), [run.start(), run.start() + PAGE_SIZE]);
        assert_eq!(unmap(space, pages.clone()), Ok(()));
        assert!(is_unmapped(space, &pages));
    }

    #[test]
    fn addresses_are_counted_by_pages() {
        assert!(each_of(0x1000..0x3000).eq([0x1000, 0x2000]));
        assert_eq!(each_of(0x1000..0x1000).count(), 0);
    }
}
