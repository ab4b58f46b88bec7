;; A start function runs before `_start`, is metered like any other, and is called by the host.
(module
  (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (func $start (global.set $count (i32.add (global.get $count) (i32.const 1))))
  (start $start)
  (func (export "_start")
    (i32.store (i32.const 0) (global.get $count))
    (global.set $count (i32.const 10))))
