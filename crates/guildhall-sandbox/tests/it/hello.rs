//! The thinnest path: a module is metered, run, and gives the same receipt each time.

use guildhall_protocol::receipt::Exit;
use guildhall_sandbox::{Config, Sandbox, Task};

const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[test]
fn an_echo_gives_its_input_and_the_same_receipt_each_time() {
    let sandbox = Sandbox::new(Config { children: 0, ..Config::default() }).expect("an engine");
    let module = sandbox.load(&wat::parse_str(ECHO).expect("text")).expect("a valid module");
    let task = Task { input: "hello, guild".into(), ..Task::new(module) };
    let first = sandbox.run(&task).expect("a receipt");
    assert_eq!(first.output, b"hello, guild");
    assert_eq!(first.receipt.exit, Exit::Ok);
    assert!(first.receipt.fuel > 26_000, "a page and two calls are paid for");
    assert_eq!(sandbox.run(&task).expect("a receipt"), first);
    let other = sandbox.run(&Task { own_trace_key: [1; 32], ..task }).expect("a receipt");
    assert_eq!(other.receipt, first.receipt);
    assert_ne!(other.own_trace, first.own_trace);
}
