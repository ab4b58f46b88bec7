//! The embedded chain: one machine's durable EVM chain, in the process, with standard JSON-RPC.
//!
//! A default for one machine and for tests, not a network: it has one sealer and no consensus, and
//! whoever runs it orders its transactions. It says so of itself (`web3_clientVersion`). Where that is
//! not enough, any EVM network takes its place; nothing above this crate knows the difference.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use guildhall_ledger::{Genesis, Ledger, LedgerConfig};
//!
//! let genesis = Genesis::new(31_337, 1_750_000_000);
//! let ledger = Ledger::open(LedgerConfig::new(genesis).at("chain.redb"))?;
//! let provider = ledger.provider(); // alloy, without a socket
//! let server = ledger.serve("127.0.0.1:8545".parse()?).await?; // for wallets and `cast`
//! server.stop().await;
//! ledger.close().await;
//! # Ok(()) }
//! ```
//!
//! How it is built: [`Ledger`] is the handle; one sealer thread takes transactions in, executes them
//! with alloy-evm under the osaka rules and writes every block in one redb transaction; readers work on
//! snapshots and never wait for it. `docs/ledger.md` has the tables, the limits and the whys.
//!
//! What always holds:
//! - Nothing is acknowledged before it is on the disk.
//! - The state root of the newest block is that of the stored state; a proof is checked against the
//!   header before it is given out.
//! - A state that is no longer kept is refused, never answered from another block.

mod block;
mod clock;
mod config;
mod error;
mod execute;
mod genesis;
mod ledger;
mod pool;
#[cfg(test)]
mod power_loss;
mod roots;
mod rpc;
mod sealer;
mod server;
mod shared;
mod store;
mod transport;
mod trie;

pub use block::{Head, SealedBlock};
pub use config::{Clock, LedgerConfig, SealMode, ServerLimits};
pub use error::{LedgerError, TxRejected};
pub use execute::MAX_TX_GAS;
pub use genesis::{DEFAULT_BASE_FEE_WEI, DEFAULT_BLOCK_GAS_LIMIT, Genesis, GenesisAccount};
pub use ledger::{Ledger, MAX_IN_FLIGHT};
pub use pool::{MAX_NONCE_AHEAD, MAX_TX_BYTES, MAX_WAITING, REPLACEMENT_BUMP_PERCENT};
pub use server::ServerHandle;
pub use store::HISTORY_BLOCKS;
pub use transport::{LedgerConnect, LedgerTransport};
