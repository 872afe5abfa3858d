//! libFuzzer's entry to [`reveille_fuzz::command_line`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| {
    reveille_fuzz::command_line::check(bytes);
});
