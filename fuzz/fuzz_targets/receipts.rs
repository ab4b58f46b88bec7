#![no_main]

use guildhall_fuzz::receipts;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(receipts::seeds), |bytes: &[u8]| receipts::check(bytes));
