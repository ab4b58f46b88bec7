#![no_main]

use guildhall_fuzz::wasi;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(wasi::seeds), |bytes: &[u8]| wasi::check(bytes));
