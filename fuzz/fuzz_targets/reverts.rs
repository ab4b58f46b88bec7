#![no_main]

use guildhall_fuzz::reverts;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(reverts::seeds), |bytes: &[u8]| reverts::check(bytes));
