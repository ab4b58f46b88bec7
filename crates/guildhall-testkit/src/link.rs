//! A slow, lossy link to a network namespace of its own, where a device stands that is far away.
//!
//! Two TUN devices, and threads of this process that carry packets between them as `tc … netem delay … loss … rate … limit …`
//! would, on kernels without that module as well. Needs root, `ip` of iproute2 and `/dev/net/tun`.

use std::{
    io,
    net::Ipv4Addr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Packets that wait in one direction; more are dropped.
const QUEUE: usize = 64;
/// The longest packet.
const MTU: usize = 1_500;
/// Links of this process, each with a network of its own.
static LAID: AtomicU64 = AtomicU64::new(0);

/// What a link does to packets, the same in both directions.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// From one end to the other.
    pub delay: Duration,
    /// Packets of a thousand that are lost.
    pub loss_permille: u32,
    /// What gets through.
    pub bits_per_sec: u64,
    /// Which packets are lost.
    pub seed: u64,
}

/// A link, as long as this lives.
#[derive(Debug)]
pub struct Link {
    namespace: String,
    near: String,
    far: String,
    network: [u8; 2],
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    carried: AtomicU64,
}

impl Link {
    /// Makes the namespace and lays the link to it.
    ///
    /// # Errors
    /// `ip` or the device refuses: not root, say.
    pub fn lay(config: LinkConfig) -> io::Result<Self> {
        let (process, number) = (std::process::id(), LAID.fetch_add(1, Relaxed));
        let link = Self {
            namespace: format!("guildhall-{process}-{number}"),
            near: format!("gn{process}-{number}"),
            far: format!("gf{process}-{number}"),
            // One of the networks that nobody else has in use, as far as a test can know.
            network: [100 + (number % 100) as u8, (process % 256) as u8],
            state: Arc::default(),
        };
        let device = |name: &str| DeviceBuilder::new().name(name).build_sync().map(Arc::new);
        let (near, far) = (device(&link.near)?, device(&link.far)?);
        ip(&format!("netns add {}", link.namespace))?;
        ip(&format!("link set {} netns {}", link.far, link.namespace))?;
        ip(&format!("address add {}/24 dev {}", link.host(), link.near))?;
        ip(&format!("link set {} up", link.near))?;
        link.inside("link set lo up")?;
        link.inside(&format!("link set {} up", link.far))?;
        link.move_to(2)?;
        carry(config, near.clone(), far.clone(), link.state.clone(), config.seed);
        carry(config, far, near, link.state.clone(), config.seed + 1);
        Ok(link)
    }

    /// The address of this machine at the near end.
    #[must_use]
    pub fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.network[0], self.network[1], 1)
    }

    /// What starts a program at the far end.
    #[must_use]
    pub fn there(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace].map(str::to_owned).to_vec()
    }

    /// Gives the far end another address, the `host`th of the network; connections of the one before are dead.
    ///
    /// # Errors
    /// `ip` refuses.
    pub fn move_to(&self, host: u8) -> io::Result<()> {
        let [a, b] = self.network;
        self.inside(&format!("address flush dev {}", self.far))?;
        self.inside(&format!("address add 10.{a}.{b}.{host}/24 dev {}", self.far))
    }

    /// Loses everything from now on, or no more.
    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Relaxed);
    }

    /// Bytes that arrived, both directions together.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.state.carried.load(Relaxed)
    }

    fn inside(&self, words: &str) -> io::Result<()> {
        ip(&format!("-n {} {words}", self.namespace))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The devices go with these, and the threads with the devices.
        let _ = ip(&format!("netns delete {}", self.namespace));
        let _ = ip(&format!("link delete {}", self.near));
    }
}

fn ip(words: &str) -> io::Result<()> {
    let done = Command::new("ip").args(words.split(' ')).output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("`ip {words}`: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

/// One direction: a thread that takes packets in, and one that gives them out when they are due.
fn carry(config: LinkConfig, from: Arc<SyncDevice>, to: Arc<SyncDevice>, state: Arc<State>, seed: u64) {
    let (queue, queued) = sync_channel(QUEUE);
    let cut = state.clone();
    thread::spawn(move || take_in(config, &from, &queue, &cut, StdRng::seed_from_u64(seed)));
    thread::spawn(move || give_out(&to, &queued, &state));
}

fn take_in(
    config: LinkConfig,
    from: &SyncDevice,
    queue: &SyncSender<(Instant, Vec<u8>)>,
    state: &State,
    mut lot: StdRng,
) {
    let (mut packet, mut free) = ([0; MTU], Instant::now());
    while let Ok(length) = from.recv(&mut packet) {
        if state.cut.load(Relaxed) || lot.random_range(0..1_000) < config.loss_permille {
            continue;
        }
        let micros = length as u64 * 8 * 1_000_000 / config.bits_per_sec;
        let sent = free.max(Instant::now()) + Duration::from_micros(micros);
        if queue.try_send((sent + config.delay, packet[..length].to_vec())).is_ok() {
            free = sent;
        }
    }
}

fn give_out(to: &SyncDevice, queued: &Receiver<(Instant, Vec<u8>)>, state: &State) {
    while let Ok((due, packet)) = queued.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if !state.cut.load(Relaxed) && to.send(&packet).is_ok() {
            state.carried.fetch_add(packet.len() as u64, Relaxed);
        }
    }
}
