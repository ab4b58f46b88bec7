//! Child processes: the same receipts as in process, and what happens when a child fails.

use std::{path::PathBuf, time::Duration};

use guildhall_protocol::receipt::Exit;
use guildhall_sandbox::{Blob, Config, HostFault, Limits, Sandbox, SandboxError, Task};

fn pool(wall_clock: Duration, children: usize) -> Sandbox {
    let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_guildhall-sandbox-child")));
    Sandbox::new(Config { children, wall_clock, executable, ..Config::default() }).expect("children")
}

fn here() -> Sandbox {
    Sandbox::new(Config { children: 0, ..Config::default() }).expect("an engine")
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("text")
}

/// Copies the file named by `$path` under `/in` to standard output.
fn copies(path: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
          (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 16)
          (data (i32.const 64) "{path}")
          (func (export "_start")
            (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const {len}) (i32.const 0)
              (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16))
            (if (then (call $exit (i32.const 1))))
            (i32.store (i32.const 0) (i32.const 65536))
            (i32.store (i32.const 4) (i32.const 900000))
            (drop (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        len = path.len()
    ))
}

const SPIN: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;

#[test]
fn a_child_gives_the_receipt_that_this_process_gives() {
    let (pool, here) = (pool(Duration::from_secs(60), 1), here());
    for path in ["in/input", "in/dataset", "in/more", "in/missing"] {
        let bytes = copies(path);
        let module = pool.load(&bytes).expect("valid");
        here.load(&bytes).expect("valid");
        for size in [0, 5, 65_536, 65_537, 800_000] {
            let content: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            let task = Task {
                input: content.clone().into(),
                dataset: Some(content.iter().rev().copied().collect::<Vec<_>>().into()),
                files: vec![("more".to_owned(), content.clone().into())],
                ..Task::new(module)
            };
            let execution = pool.run(&task).expect("a receipt");
            assert_eq!(execution, here.run(&task).expect("a receipt"));
            if path == "in/input" {
                assert_eq!(execution.output, content);
            }
        }
    }
}

#[test]
fn a_dataset_on_disk_is_served_without_being_read_by_the_parent() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("dataset");
    std::fs::write(&path, vec![9; 300_000]).expect("written");
    let pool = pool(Duration::from_secs(60), 1);
    let module = pool.load(&copies("in/dataset")).expect("valid");
    let task = Task { dataset: Some(Blob::open(&path).expect("a file")), ..Task::new(module) };
    assert_eq!(pool.run(&task).expect("a receipt").output, vec![9; 300_000]);
    assert_eq!(pool.run(&task).expect("a receipt").output, vec![9; 300_000]);
    assert!(Blob::open(directory.path()).is_err(), "a directory is no blob");
}

#[test]
fn a_task_over_the_wall_clock_is_a_host_fault_and_its_neighbours_go_on() {
    let pool = pool(Duration::from_millis(400), 2);
    let spin = pool.load(&wasm(SPIN)).expect("valid");
    let copy = pool.load(&copies("in/input")).expect("valid");
    let endless = Task { limits: Limits { fuel: 1 << 60, memory_bytes: 1 << 20 }, ..Task::new(spin) };
    let quick = Task { input: "ok".into(), ..Task::new(copy) };
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| pool.run(&endless));
        for _ in 0..20 {
            assert_eq!(pool.run(&quick).expect("a receipt").output, b"ok");
        }
        let error = stuck.join().expect("joined").expect_err("killed");
        assert!(matches!(error, SandboxError::Host(HostFault::WallClock(400))), "{error}");
        assert_eq!(error.code(), "sandbox.host.wall_clock");
        assert!(error.is_host_fault());
    });
    for _ in 0..4 {
        assert_eq!(pool.run(&quick).expect("replaced").output, b"ok");
    }
}

#[test]
fn a_file_that_shrinks_under_a_task_kills_its_child_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("dataset");
    std::fs::write(&path, vec![9; 300_000]).expect("written");
    let pool = pool(Duration::from_secs(60), 1);
    let module = pool.load(&copies("in/dataset")).expect("valid");
    let dataset = Blob::open(&path).expect("a file");
    std::fs::write(&path, b"").expect("truncated");
    let error = pool.run(&Task { dataset: Some(dataset), ..Task::new(module) }).expect_err("no receipt");
    assert!(matches!(error, SandboxError::Host(HostFault::ChildDied(_))), "{error}");
    assert_eq!(pool.run(&Task::new(module)).expect("a receipt").receipt.exit, Exit::AppError);
}

#[test]
fn children_forget_modules_and_get_them_again() {
    let pool = pool(Duration::from_secs(60), 1);
    let modules: Vec<_> =
        (0..20).map(|number| pool.load(&copies(&format!("in/file{number}"))).expect("valid")).collect();
    for _ in 0..2 {
        for (number, module) in modules.iter().enumerate() {
            let files = vec![(format!("file{number}"), format!("content {number}").as_str().into())];
            let execution = pool.run(&Task { files, ..Task::new(*module) }).expect("a receipt");
            assert_eq!(execution.output, format!("content {number}").as_bytes());
        }
    }
}

#[test]
fn an_executable_that_is_no_sandbox_is_an_error_at_the_start() {
    for executable in ["/bin/true", "/nonexistent"] {
        let config = Config { children: 1, executable: Some(executable.into()), ..Config::default() };
        let error = Sandbox::new(config).err().expect("no sandbox");
        assert_eq!(error.code(), "sandbox.host.spawn", "{error}");
    }
}

#[test]
fn tasks_that_no_runtime_grants_are_refused_before_they_run() {
    let pool = here();
    let module = pool.load(&wasm(SPIN)).expect("valid");
    let task = Task::new(module);
    let limits = Limits { fuel: u64::MAX, ..Limits::default() };
    let code = |task: &Task| pool.run(task).expect_err("refused").code();
    assert_eq!(code(&Task { limits, ..task.clone() }), "sandbox.task_invalid");
    assert_eq!(code(&Task { args: vec!["x\0y".to_owned()], ..task.clone() }), "sandbox.task_invalid");
    assert_eq!(code(&Task { deal_time_secs: u64::MAX, ..task.clone() }), "sandbox.task_invalid");
    for name in ["", "..", "a/b", "input", "dataset"] {
        let files = vec![(name.to_owned(), Blob::default())];
        assert_eq!(code(&Task { files, ..task.clone() }), "sandbox.file_name", "{name:?}");
    }
    let unknown = guildhall_sandbox::ModuleId::of(b"never loaded");
    assert_eq!(code(&Task::new(unknown)), "sandbox.module_unknown");
}

fn slow_to_compile() -> Vec<u8> {
    // Some ten thousand operators that all depend on each other, in each of many functions: far more than a moment's work.
    let chain = "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 3)) (local.get 0)))".repeat(3000);
    let functions = format!("(func (param i64) {chain})").repeat(40);
    wasm(&format!(r#"(module (memory (export "memory") 1) {functions} (func (export "_start")))"#))
}

#[test]
fn a_compilation_over_the_wall_clock_is_a_host_fault_and_costs_its_own_process_only() {
    let slow = slow_to_compile();
    let sandbox = pool(Duration::from_millis(1), 1);
    let error = sandbox.load(&slow).expect_err("stopped");
    assert!(matches!(error, SandboxError::Host(HostFault::WallClock(1))), "{error}");

    let sandbox = pool(Duration::from_secs(60), 1);
    let module = sandbox.load(&slow).expect("compiled with more time");
    assert_eq!(sandbox.run(&Task::new(module)).expect("a receipt").receipt.exit, Exit::Ok);
}

/// Processes that this test's sandbox started.
fn children() -> Vec<u32> {
    let list = std::fs::read_to_string("/proc/thread-self/children").expect("this kernel lists children");
    list.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}

#[test]
fn a_child_has_no_environment_no_files_and_no_system_calls_to_get_any() {
    let sandbox = pool(Duration::from_secs(60), 1);
    let module = sandbox.load(&copies("in/input")).expect("valid");
    sandbox.run(&Task::new(module)).expect("a receipt");
    let [child] = children()[..] else { panic!("one child, not {:?}", children()) };
    let of = |what: &str| std::fs::read(format!("/proc/{child}/{what}")).expect("readable");

    assert_eq!(of("environ"), b"", "no environment");
    let status = String::from_utf8(of("status")).expect("text");
    assert!(status.contains("Seccomp:\t2"), "system calls are filtered: {status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{child}/fd"))
        .expect("readable")
        .map(|entry| {
            std::fs::read_link(entry.expect("an entry").path()).expect("a link").display().to_string()
        })
        .filter(|target| target != "/dev/null")
        .map(|target| target.split(':').next().unwrap_or_default().to_owned())
        .collect();
    let page_table = format!("/proc/{child}/pagemap");
    assert!(
        open.iter().all(|target| *target == "socket" || *target == "/memfd" || *target == page_table),
        "{open:?}"
    );
    let limits = String::from_utf8(of("limits")).expect("text");
    for limit in ["Max core file size", "Max file size"] {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit)).unwrap_or_default();
        assert!(line.trim_start().starts_with("0 "), "{limit}: {line}");
    }
}

#[test]
fn memory_that_the_system_refuses_is_a_host_fault_and_no_receipt() {
    let sandbox = pool(Duration::from_secs(60), 1);
    let module = sandbox.load(&wasm(r#"(module (memory (export "memory") 1) (func (export "_start")))"#));
    let module = module.expect("valid");
    let greedy = Task { limits: Limits { memory_bytes: 2 << 30, ..Limits::default() }, ..Task::new(module) };
    sandbox.run(&greedy).expect("a receipt where there is memory");
    let [child] = children()[..] else { panic!("one child, not {:?}", children()) };
    let pid = rustix::process::Pid::from_raw(child.cast_signed());
    let limit = rustix::process::Rlimit { current: Some(1 << 28), maximum: Some(1 << 28) };
    // Less than the task may use; a limit for tasks that need little is no fault.
    rustix::process::prlimit(pid, rustix::process::Resource::Data, limit).expect("lowered");
    let modest = Task { limits: Limits { memory_bytes: 1 << 20, ..Limits::default() }, ..Task::new(module) };
    sandbox.run(&modest).expect("a receipt");
    let greedy = Task { limits: Limits { memory_bytes: 3 << 30, ..Limits::default() }, ..Task::new(module) };
    let error = sandbox.run(&greedy).expect_err("no receipt");
    assert!(matches!(error, SandboxError::Host(HostFault::Memory { .. })), "{error}");
}

#[test]
fn machine_code_on_disk_is_used_again_and_made_anew_when_it_is_damaged() {
    let directory = tempfile::tempdir().expect("a directory");
    let with_cache = |wall_clock| {
        let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_guildhall-sandbox-child")));
        let cache_dir = Some(directory.path().to_owned());
        Sandbox::new(Config { children: 1, wall_clock, executable, cache_dir, ..Config::default() })
            .expect("children")
    };
    let slow = slow_to_compile();
    let patient = with_cache(Duration::from_secs(60));
    let module = patient.load(&slow).expect("compiled");
    let expected = patient.run(&Task::new(module)).expect("a receipt");

    // A sandbox that has not the time to compile it takes what lies there.
    let hurried = with_cache(Duration::from_millis(1));
    assert_eq!(hurried.load(&slow).expect("found"), module);

    let code =
        std::fs::read_dir(directory.path()).expect("a directory").map(|entry| entry.expect("a file").path());
    let code = code
        .into_iter()
        .find(|path| path.extension().is_some_and(|kind| kind == "aot"))
        .expect("machine code");
    let good = std::fs::read(&code).expect("readable");
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    std::fs::write(&code, bad).expect("written");
    let error = with_cache(Duration::from_millis(1)).load(&slow).expect_err("it would have to compile");
    assert_eq!(error.code(), "sandbox.host.wall_clock");
    let patient = with_cache(Duration::from_secs(60));
    patient.load(&slow).expect("compiled anew");
    assert_eq!(patient.run(&Task::new(module)).expect("a receipt"), expected);
}
