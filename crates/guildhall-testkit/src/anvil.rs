//! Another EVM node to test on: anvil, from the contracts' node modules, killed with its owner.
//!
//! Knows nothing of Guildhall.

use std::{
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use alloy::{
    primitives::{Bytes, U64, b256},
    providers::{Provider as _, ProviderBuilder},
    signers::local::PrivateKeySigner,
    transports::TransportError,
};
use tempfile::TempDir;

/// How long a node may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// What anvil prints once it takes connections.
const LISTENING: &str = "Listening on ";

/// A running node; dropping it ends it.
#[derive(Debug)]
pub struct Anvil {
    process: Child,
    url: String,
    /// Where it keeps old states: in a home directory, where it would put them, a killed node's gigabytes stay for ever.
    _states: TempDir,
}

impl Anvil {
    /// Starts a node with the rules of osaka and the cap on a transaction's gas, on a free port. It mines at once, and a
    /// block a second so that time passes.
    ///
    /// # Errors
    /// When the program is missing or does not come up in time.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// The same with further arguments, as `--timestamp 1800000000`.
    ///
    /// # Errors
    /// As [`Anvil::start`].
    pub fn start_with(arguments: &[&str]) -> io::Result<Self> {
        let states = TempDir::new()?;
        let mut process = Command::new(program()?)
            .arg("--cache-path")
            .arg(states.path())
            .args(["--port", "0", "--hardfork", "osaka", "--enable-tx-gas-limit"])
            .args(["--block-time", "1", "--mixed-mining"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = process.stdout.take().ok_or_else(|| io::Error::other("anvil has no standard output"))?;
        let (send, receive) = mpsc::sync_channel(1);
        // Reads to the end, so that the node never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix(LISTENING) {
                    // Nobody listens any more after a timeout.
                    let _ = send.try_send(address.trim().to_owned());
                }
            }
        });
        match receive.recv_timeout(START_TIMEOUT) {
            Ok(address) => Ok(Self { process, url: format!("http://{address}"), _states: states }),
            Err(_) => {
                stop(&mut process);
                Err(io::Error::new(io::ErrorKind::TimedOut, "anvil did not listen within 30 s"))
            }
        }
    }

    /// The node's JSON-RPC endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes the last `depth` blocks back and puts as many others in their place; with their transactions, each in the block after
    /// its own, or without.
    ///
    /// # Errors
    /// What the node says.
    pub async fn reorganise(&self, depth: u64, keep: bool) -> Result<(), TransportError> {
        let provider =
            ProviderBuilder::new().connect_http(self.url.parse().map_err(TransportError::local_usage)?);
        let head = provider.get_block_number().await?;
        let mut kept = Vec::new();
        for block in (head + 1).saturating_sub(depth)..=head {
            let found = provider.get_block_by_number(block.into()).await?;
            for hash in found.into_iter().flat_map(|found| found.transactions.hashes().collect::<Vec<_>>()) {
                let raw: Bytes = provider.raw_request("eth_getRawTransactionByHash".into(), [hash]).await?;
                // The offset counts from the first of the new blocks.
                let offset = (block + depth - head).min(depth - 1);
                kept.push((raw, offset));
            }
        }
        let kept = if keep { kept } else { Vec::new() };
        provider.raw_request("anvil_reorg".into(), (depth, kept)).await
    }

    /// Mines blocks at once, a second apart.
    ///
    /// # Errors
    /// What the node says.
    pub async fn mine(&self, blocks: u64) -> Result<(), TransportError> {
        let provider =
            ProviderBuilder::new().connect_http(self.url.parse().map_err(TransportError::local_usage)?);
        provider.raw_request("anvil_mine".into(), (U64::from(blocks), U64::from(1))).await
    }

    /// Its first development account: public knowledge, rich on this node, worthless anywhere else.
    ///
    /// # Panics
    /// Never: the key is a constant of the curve's order.
    pub fn rich_key() -> PrivateKeySigner {
        let secret = b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        PrivateKeySigner::from_bytes(&secret).expect("a constant of the curve's order")
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

fn stop(process: &mut Child) {
    // A node that ended by itself is as good.
    let _ = process.kill();
    let _ = process.wait();
}

/// The program itself, not its starter script: killing the script would leave the node behind.
fn program() -> io::Result<PathBuf> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules/@foundry-rs");
    let missing = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("no anvil in {}: run `make setup`", modules.display()),
        )
    };
    std::fs::read_dir(&modules)
        .map_err(|_| missing())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("anvil-")))
        .map(|path| path.join("bin/anvil"))
        .find(|path| path.is_file())
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_answers_and_its_first_account_is_rich() {
        let anvil = Anvil::start().unwrap();
        let provider = ProviderBuilder::new().connect(anvil.url()).await.unwrap();
        assert_eq!(provider.get_chain_id().await.unwrap(), 31_337);
        assert!(
            provider.get_balance(Anvil::rich_key().address()).await.unwrap() > alloy::primitives::U256::ZERO
        );
    }
}
