#![no_main]

use guildhall_fuzz::orders;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(orders::seeds), |bytes: &[u8]| orders::check(bytes));
