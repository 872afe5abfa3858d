//! libFuzzer's entry to [`reveille_fuzz::srat`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| {
    reveille_fuzz::srat::check(bytes);
});
