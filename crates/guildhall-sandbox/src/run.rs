//! Runs one task in this process and makes its receipt.
//!
//! Which exit a run has, in this order: a fault of the host is no receipt; fuel below zero is `OutOfFuel`; depth below
//! zero is `TooDeep`; a trap after a refused growth is `OutOfMemory`, any other trap is `Trap`; `proc_exit` with a
//! code is `AppError`; the rest is `Ok`.

use alloy_primitives::{B256, keccak256};
use guildhall_protocol::receipt::{Exit, Receipt};
use wasmtime::{Extern, Global, Instance, InstancePre, Memory, Module, ModuleExport, Store, Trap, Val};

use crate::{
    engine::Runtime,
    error::HostFault,
    float_mode,
    instrument::{DEPTH_EXPORT, FUEL_EXPORT, Facts, START_EXPORT, global_export},
    limits::WASM_PAGE_BYTES,
    memory,
    task::{Execution, Task},
    trace::{Touched, Tracer, Traces},
    wasi::{Growth, ProcExit, State, World},
};

/// A module ready to be instantiated.
pub(crate) struct Loaded {
    pre: InstancePre<State>,
    facts: Facts,
    fuel: ModuleExport,
    depth: ModuleExport,
    memory: ModuleExport,
    main: ModuleExport,
    start: Option<ModuleExport>,
    globals: Vec<ModuleExport>,
}

impl Loaded {
    pub(crate) fn new(runtime: &Runtime, module: &Module, facts: Facts) -> Result<Self, HostFault> {
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| HostFault::Engine(format!("machine code lacks `{name}`")))
        };
        Ok(Self {
            pre: runtime
                .linker
                .instantiate_pre(module)
                .map_err(|error| HostFault::Engine(format!("{error:#}")))?,
            facts,
            fuel: export(FUEL_EXPORT)?,
            depth: export(DEPTH_EXPORT)?,
            memory: export("memory")?,
            main: export("_start")?,
            start: facts.has_start_function.then(|| export(START_EXPORT)).transpose()?,
            globals: (0..facts.mutable_globals)
                .map(|number| export(&global_export(number)))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Executes a task that was checked, on a thread with enough stack.
pub(crate) fn execute(loaded: &Loaded, task: &Task) -> Result<Execution, HostFault> {
    let memory_limit_bytes = task.limits.memory_bytes / WASM_PAGE_BYTES * WASM_PAGE_BYTES;
    let world = World::new(task)?;
    if loaded.facts.memory_min_pages * WASM_PAGE_BYTES > memory_limit_bytes {
        return Ok(never_began(task, world, Exit::OutOfMemory, 0));
    }
    if loaded.facts.initial_fuel > task.limits.fuel {
        return Ok(never_began(task, world, Exit::OutOfFuel, task.limits.fuel));
    }
    let growth = Growth { memory_limit_bytes, refused: false, fault: None };
    let mut store = Store::new(loaded.pre.module().engine(), State { world, growth, handles: None });
    store.limiter(|state| &mut state.growth);
    memory::commit_next(memory_limit_bytes);
    float_mode::reset();
    let running = match Running::new(loaded, task, &mut store) {
        Ok(running) => running,
        Err(error) => match error.downcast_ref::<Trap>() {
            // A segment that does not fit: the engine checks it while it makes the instance.
            Some(_) => {
                let world = store.into_data().world;
                return Ok(never_began(task, world, Exit::Trap, loaded.facts.initial_fuel));
            }
            None => {
                return Err(HostFault::Memory { bytes: memory_limit_bytes, reason: format!("{error:#}") });
            }
        },
    };
    let ended = running.call(loaded, &mut store);
    float_mode::check()?;
    if trap(&ended) == Some(Trap::MemoryOutOfBounds) {
        running.forget_torn_store(&mut store);
    }
    let exit = running.exit(ended, &mut store)?;
    let fuel = running.fuel_used(task, &mut store);
    Ok(running.result(loaded, task, store, exit, fuel))
}

fn trap(ended: &wasmtime::Result<()>) -> Option<Trap> {
    ended.as_ref().err().and_then(|error| error.downcast_ref::<Trap>().copied())
}

/// The widest store of WebAssembly: that of a `v128`.
const STORE_MAX_BYTES: usize = 16;

impl Running {
    /// An ARM core may have written the part of a store in bounds before the other part trapped, others never do. That
    /// part lies in the last bytes of the memory: they count as zero, and the rest is the same everywhere.
    fn forget_torn_store(&self, store: &mut Store<State>) {
        let memory = self.memory.data_mut(store);
        let kept = memory.len().saturating_sub(STORE_MAX_BYTES);
        memory[kept..].fill(0);
    }

    /// The result of a run that began, however it ended: the trace covers the memory and the globals.
    fn result(
        self,
        loaded: &Loaded,
        task: &Task,
        mut store: Store<State>,
        exit: Exit,
        fuel: u64,
    ) -> Execution {
        let mut tracer = Tracer::new(&task.own_trace_key);
        tracer.memory(self.memory.data(&store), Touched::of_this_process());
        for export in &loaded.globals {
            if let Some(Extern::Global(global)) = self.instance.get_module_export(&mut store, export) {
                trace_global(&mut tracer, global.get(&mut store));
            }
        }
        let traces = tracer.finish();
        let (output, stderr) = store.into_data().world.into_output();
        execution(task, exit, fuel, keccak256(&output), traces, output, stderr)
    }
}

fn trace_global(tracer: &mut Tracer, value: Val) {
    match value {
        Val::I32(value) => tracer.global(0x7f, &value.to_le_bytes()),
        Val::I64(value) => tracer.global(0x7e, &value.to_le_bytes()),
        Val::F32(bits) => tracer.global(0x7d, &bits.to_le_bytes()),
        Val::F64(bits) => tracer.global(0x7c, &bits.to_le_bytes()),
        Val::V128(value) => tracer.global(0x7b, &value.as_u128().to_le_bytes()),
        _ => {} // references: refused by validation
    }
}

/// The result of a run that ended before its first instruction, which anybody can tell from the module and the limits:
/// the trace covers exit, fuel and output.
fn never_began(task: &Task, world: World, exit: Exit, fuel: u64) -> Execution {
    let (output, stderr) = world.into_output();
    let output_digest = keccak256(&output);
    let mut tracer = Tracer::new(&task.own_trace_key);
    tracer.never_began(exit, fuel, output_digest);
    execution(task, exit, fuel, output_digest, tracer.finish(), output, stderr)
}

fn execution(
    task: &Task,
    exit: Exit,
    fuel: u64,
    output_digest: B256,
    traces: Traces,
    output: Vec<u8>,
    stderr: Vec<u8>,
) -> Execution {
    let receipt = Receipt { index: task.index, exit, fuel, output_digest, trace_digest: traces.plain };
    Execution { receipt, own_trace: traces.own, output, stderr }
}

/// An instance and the parts of it that the host looks at.
struct Running {
    instance: Instance,
    fuel: Global,
    depth: Global,
    memory: Memory,
}

impl Running {
    fn new(loaded: &Loaded, task: &Task, store: &mut Store<State>) -> wasmtime::Result<Self> {
        let instance = loaded.pre.instantiate(&mut *store)?;
        let global = |store: &mut Store<State>, export| match instance.get_module_export(store, export) {
            Some(Extern::Global(global)) => Ok(global),
            _ => Err(wasmtime::Error::msg("the metered module lacks its counters")),
        };
        let (fuel, depth) = (global(store, &loaded.fuel)?, global(store, &loaded.depth)?);
        let Some(Extern::Memory(memory)) = instance.get_module_export(&mut *store, &loaded.memory) else {
            return Err(wasmtime::Error::msg("the metered module lacks its memory"));
        };
        fuel.set(&mut *store, Val::I64((task.limits.fuel - loaded.facts.initial_fuel) as i64))?;
        store.data_mut().handles = Some((fuel, memory));
        Ok(Self { instance, fuel, depth, memory })
    }

    fn call(&self, loaded: &Loaded, store: &mut Store<State>) -> wasmtime::Result<()> {
        for export in loaded.start.iter().chain([&loaded.main]) {
            let Some(Extern::Func(function)) = self.instance.get_module_export(&mut *store, export) else {
                return Err(wasmtime::Error::msg("the metered module lacks its entry"));
            };
            function.typed::<(), ()>(&*store)?.call(&mut *store, ())?;
        }
        Ok(())
    }

    fn fuel_left(&self, store: &mut Store<State>) -> i64 {
        self.fuel.get(store).i64().unwrap_or(i64::MIN)
    }

    /// What was used, and the whole limit once it was passed.
    fn fuel_used(&self, task: &Task, store: &mut Store<State>) -> u64 {
        task.limits.fuel - u64::try_from(self.fuel_left(store)).unwrap_or(0)
    }

    fn exit(&self, ended: wasmtime::Result<()>, store: &mut Store<State>) -> Result<Exit, HostFault> {
        let trap = trap(&ended);
        if let Some(reason) = store.data_mut().growth.fault.take() {
            return Err(HostFault::Memory { bytes: store.data().growth.memory_limit_bytes, reason });
        }
        if trap == Some(Trap::StackOverflow) {
            return Err(HostFault::NativeStack);
        }
        if self.fuel_left(store) < 0 {
            return Ok(Exit::OutOfFuel);
        }
        if self.depth.get(&mut *store).i32().is_some_and(|left| left < 0) {
            return Ok(Exit::TooDeep);
        }
        let Err(error) = ended else { return Ok(Exit::Ok) };
        match (error.downcast_ref::<ProcExit>(), trap) {
            (Some(ProcExit(0)), _) => Ok(Exit::Ok),
            (Some(ProcExit(_)), _) => Ok(Exit::AppError),
            (None, Some(_)) if store.data().growth.refused => Ok(Exit::OutOfMemory),
            (None, Some(_)) => Ok(Exit::Trap),
            (None, None) => Err(HostFault::Engine(format!("{error:#}"))),
        }
    }
}
