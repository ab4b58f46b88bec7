#![no_main]

use guildhall_fuzz::journal;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(journal::seeds), |bytes: &[u8]| journal::check(bytes));
