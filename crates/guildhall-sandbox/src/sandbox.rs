//! The sandbox: loads modules and runs tasks of them.

use std::{
    collections::HashMap,
    hash::{Hash as _, Hasher as _},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use wasmtime::Module;

use crate::{
    cache::{Cache, Compiled},
    engine::{Compiler, Runtime, THREAD_STACK_BYTES},
    error::{HostFault, SandboxError},
    instrument::{Metering, instrument},
    limits::runtime_id,
    memory::sealed,
    pool::{Code, Pool, Start},
    run::{self, Loaded},
    task::{Execution, ModuleId, Task},
};

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where machine code is kept; `None` compiles anew in each process.
    pub cache_dir: Option<PathBuf>,
    /// Processes that run tasks, and so tasks at once. 0 compiles and runs in this process: for tests and measurements only,
    /// because nothing then stops a task but its fuel.
    pub children: usize,
    /// How long a task, or the compilation of a module, may take before its process is killed.
    pub wall_clock: Duration,
    /// The executable whose `sandbox-child` argument calls [`child_main`](crate::child_main); `None` is this one.
    pub executable: Option<PathBuf>,
    /// How machine code is made.
    pub compiler: Compiler,
    /// Whether bodies are metered; off only to measure metering.
    pub metering: Metering,
}

impl Default for Config {
    /// One child for each processor, ten minutes, no cache.
    fn default() -> Self {
        Self {
            cache_dir: None,
            children: thread::available_parallelism().map_or(1, usize::from),
            wall_clock: Duration::from_secs(600),
            executable: None,
            compiler: Compiler::default(),
            metering: Metering::default(),
        }
    }
}

/// Modules that a sandbox keeps ready; the one that was used longest ago goes first.
const MODULES_MAX: usize = 256;

/// Runs tasks of loaded modules. Callable from many threads.
pub struct Sandbox {
    metering: Metering,
    runtime: Runtime,
    cache: Option<Cache>,
    /// `None` runs tasks in this process.
    pool: Option<Pool>,
    modules: Mutex<Modules>,
    /// Held while a module is made ready, so that two callers do not compile the same one.
    loading: Mutex<()>,
}

#[derive(Default)]
struct Modules {
    ready: HashMap<ModuleId, (Arc<Ready>, u64)>,
    uses: u64,
}

/// A module, where it will run.
enum Ready {
    Here(Loaded),
    InChildren(Code),
}

impl Modules {
    fn get(&mut self, module: ModuleId) -> Option<Arc<Ready>> {
        self.uses += 1;
        let (ready, used) = self.ready.get_mut(&module)?;
        *used = self.uses;
        Some(ready.clone())
    }

    fn insert(&mut self, module: ModuleId, ready: Ready) {
        if self.ready.len() >= MODULES_MAX {
            let oldest = self.ready.iter().min_by_key(|(_, (_, used))| *used).map(|(module, _)| *module);
            oldest.and_then(|module| self.ready.remove(&module));
        }
        self.uses += 1;
        self.ready.insert(module, (Arc::new(ready), self.uses));
    }
}

impl Sandbox {
    /// Starts a sandbox and its child processes.
    ///
    /// # Errors
    /// [`SandboxError::Cache`] if the cache directory cannot be used, [`SandboxError::Host`] if the engine or the
    /// children do not start.
    pub fn new(config: Config) -> Result<Self, SandboxError> {
        let runtime = Runtime::new(config.compiler)?;
        let context = cache_context(&runtime, &config);
        let cache =
            config.cache_dir.as_deref().map(|directory| Cache::open(directory, context)).transpose()?;
        let pool = match config.children {
            0 => None,
            children => Some(Pool::new(start(&config)?, children)?),
        };
        Ok(Self {
            metering: config.metering,
            runtime,
            cache,
            pool,
            modules: Mutex::default(),
            loading: Mutex::default(),
        })
    }

    /// Validates, meters and compiles a published module, or finds it in the cache. At most 256 modules stay
    /// ready; running one that had to go is [`SandboxError::ModuleUnknown`], and loading it again is cheap.
    ///
    /// # Errors
    /// [`SandboxError::Invalid`] with the rule that the module breaks, [`SandboxError::Compile`] if the engine refuses it,
    /// [`SandboxError::Host`] if this machine could not compile it in time or memory.
    pub fn load(&self, wasm: &[u8]) -> Result<ModuleId, SandboxError> {
        let id = ModuleId::of(wasm);
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.modules().get(id).is_some() {
            return Ok(id);
        }
        let compiled = match self.cache.as_ref().and_then(|cache| cache.get(id)) {
            Some(compiled) => compiled,
            None => self.compile(id, wasm)?,
        };
        let ready = match self.pool {
            Some(_) => Ready::InChildren(Code {
                facts: compiled.facts,
                file: sealed(&compiled.code).map_err(HostFault::Io)?,
            }),
            None => {
                let module = deserialize(&self.runtime, &compiled.code)?;
                Ready::Here(Loaded::new(&self.runtime, &module, compiled.facts)?)
            }
        };
        self.modules().insert(id, ready);
        Ok(id)
    }

    fn modules(&self) -> MutexGuard<'_, Modules> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compile(&self, module: ModuleId, wasm: &[u8]) -> Result<Compiled, SandboxError> {
        let metered = instrument(wasm, self.metering)?;
        let code = match &self.pool {
            Some(pool) => pool.compile(&metered.wasm)?,
            None => {
                self.runtime.engine.precompile_module(&metered.wasm).map_err(|error| format!("{error:#}"))
            }
        };
        let code = code.map_err(|reason| SandboxError::Compile { module, reason })?;
        let compiled = Compiled { facts: metered.facts, code };
        if let Some(cache) = &self.cache {
            cache.put(module, &compiled);
        }
        Ok(compiled)
    }

    /// Executes a task and makes its receipt. Blocks until the task ends, and before that until a child is free.
    ///
    /// # Errors
    /// [`SandboxError::ModuleUnknown`], [`SandboxError::TaskInvalid`] or [`SandboxError::FileName`] before anything
    /// runs; [`SandboxError::Host`] if this machine failed: then there is no receipt.
    pub fn run(&self, task: &Task) -> Result<Execution, SandboxError> {
        task.check()?;
        let ready = self.modules().get(task.module).ok_or(SandboxError::ModuleUnknown(task.module))?;
        Ok(match (&*ready, &self.pool) {
            (Ready::InChildren(code), Some(pool)) => pool.run(code, task)?,
            (Ready::Here(loaded), _) => on_deep_stack(|| run::execute(loaded, task))?,
            (Ready::InChildren(_), None) => return Err(SandboxError::ModuleUnknown(task.module)),
        })
    }
}

fn start(config: &Config) -> Result<Start, HostFault> {
    let executable = match &config.executable {
        Some(executable) => executable.clone(),
        None => std::env::current_exe()?,
    };
    Ok(Start { executable, compiler: config.compiler, wall_clock: config.wall_clock })
}

/// What machine code depends on beside the module: the engine with its settings, and the runtime.
fn cache_context(runtime: &Runtime, config: &Config) -> Vec<u8> {
    let mut settings = std::hash::DefaultHasher::new();
    runtime.engine.precompile_compatibility_hash().hash(&mut settings);
    let target = config.compiler.architecture();
    let text = format!("{:?} {:?} {target} {:x}", config.compiler, config.metering, settings.finish());
    let mut context = runtime_id().to_vec();
    context.extend_from_slice(text.as_bytes());
    context
}

/// Runs `work` on a thread whose stack is deeper than the depth limit can reach.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, HostFault> + Send) -> Result<T, HostFault> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(THREAD_STACK_BYTES).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(HostFault::Engine("the thread of the task panicked".to_owned())))
    })
}

#[allow(unsafe_code)]
fn deserialize(runtime: &Runtime, code: &[u8]) -> Result<Module, HostFault> {
    // SAFETY: the bytes come from `precompile_module` of this engine, or from the cache, which only gives back what
    // this machine wrote for this engine.
    unsafe { Module::deserialize(&runtime.engine, code) }
        .map_err(|error| HostFault::Engine(format!("{error:#}")))
}
