#![no_main]

use guildhall_fuzz::manifests;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(manifests::seeds), |bytes: &[u8]| manifests::check(bytes));
