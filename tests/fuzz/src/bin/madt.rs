//! libFuzzer's entry to [`reveille_fuzz::madt`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| {
    reveille_fuzz::madt::check(bytes);
});
