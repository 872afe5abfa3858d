//! Every CPU's account of the calls that are made there. The accounts are made when they are first
//! needed, and never freed: a call that was lost may hold a token for good.

use alloc::{boxed::Box, vec::Vec};

use conquer_once::spin::OnceCell;
use reveille_smp::cpu::CpuIndex;

use super::tokens::Tokens;
use crate::percpu;

/// In the order of the areas.
static BOOKS: OnceCell<Box<[Tokens]>> = OnceCell::uninit();

/// Makes all accounts, unless they are there: whoever looks at memory in use calls this before. In a
/// task of the BSP.
pub(crate) fn make() -> &'static [Tokens] {
    let all = || percpu::all().iter().map(|_| Tokens::new());
    BOOKS.get_or_init(|| all().collect::<Vec<_>>().into())
}

/// The account of a CPU that has an area. In a task of the BSP.
///
/// # Panics
///
/// For any other CPU.
pub(super) fn of(cpu: CpuIndex) -> &'static Tokens {
    let (areas, books) = (percpu::all(), make());
    let at = areas.binary_search_by_key(&cpu, |area| area.index());
    &books[at.expect("who calls has an area")]
}
