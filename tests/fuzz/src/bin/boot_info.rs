//! libFuzzer's entry to [`reveille_fuzz::boot_info`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| {
    reveille_fuzz::boot_info::check(bytes);
});
