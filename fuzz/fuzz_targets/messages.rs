#![no_main]

use guildhall_fuzz::messages;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(messages::seeds), |bytes: &[u8]| messages::check(bytes));
