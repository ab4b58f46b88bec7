#![no_main]

use guildhall_fuzz::modules;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(modules::seeds), |bytes: &[u8]| modules::check(bytes));
