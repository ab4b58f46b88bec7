#![no_main]

use guildhall_fuzz::json_rpc;

libfuzzer_sys::fuzz_target!(init: guildhall_fuzz::plant(json_rpc::seeds), |bytes: &[u8]| json_rpc::check(bytes));
