//! libFuzzer's entry to [`reveille_fuzz::shell`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| {
    reveille_fuzz::shell::check(bytes);
});
