//! What the tests of the ledger share: keys, transactions, contracts.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718,
    primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
};
use guildhall_ledger::{Clock, Genesis, Ledger, LedgerConfig, SealMode};
use std::path::PathBuf;

sol! {
    function transfer(address to, uint256 value) external returns (bool);
    function write(uint256 key, uint256 v) external payable;
    function clear(uint256 key) external;
    function refuse(uint256 why) external;
    function say() external;
    function burn() external;
    function invalid() external;
    function make(uint256 salt, bool kill) external returns (address);
    function env() external;
    function look(address who) external;
    function pass(address to) external payable;
    function p256() external;
    function nest(uint256 depth) external;
    error Refused(uint256 why);
}

pub const CHAIN_ID: u64 = 31_337;
pub const GENESIS_TIME: u64 = 1_750_000_000;
pub const GWEI: u128 = 1_000_000_000;

/// Where the contracts' tools are, which `make setup` installs.
pub fn node_modules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules")
}

/// One of foundry's programs, from the contracts' tools or the PATH. The program itself and not npm's script around it,
/// which ends with success whatever the program says.
pub fn foundry(name: &str) -> PathBuf {
    let packages = std::fs::read_dir(node_modules().join("@foundry-rs")).into_iter().flatten().flatten();
    let dirs = packages
        .filter(|package| package.file_name().to_string_lossy().starts_with(&format!("{name}-")))
        .map(|package| package.path().join("bin"));
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    dirs.chain(on_path)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is needed: `make setup` installs it"))
}

pub fn token_code() -> Vec<u8> {
    hex::decode(include_str!("../contracts/Token.hex").trim()).unwrap()
}

pub fn probe_code() -> Vec<u8> {
    hex::decode(include_str!("../contracts/Probe.hex").trim()).unwrap()
}

pub fn key(seed: u64) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(seed.to_be_bytes())).unwrap()
}

pub fn ether(n: u64) -> U256 {
    U256::from(n) * U256::from(10).pow(U256::from(18))
}

/// Keys 0 to 7 hold 1,000 ether each.
pub fn genesis() -> Genesis {
    (0..8)
        .fold(Genesis::new(CHAIN_ID, GENESIS_TIME), |genesis, i| genesis.fund(key(i).address(), ether(1_000)))
}

/// Sealing at once, time standing still: the same transactions give the same blocks.
pub fn config() -> LedgerConfig {
    LedgerConfig::new(genesis()).clock(Clock::Manual)
}

pub fn manual() -> LedgerConfig {
    config().sealing(SealMode::Manual)
}

pub fn open() -> Ledger {
    Ledger::open(config()).unwrap()
}

pub fn base(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: 100 * GWEI,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(0x77)),
        ..TxEip1559::default()
    }
}

pub fn sign(signer: &PrivateKeySigner, tx: TxEip1559) -> Vec<u8> {
    let signature = signer.sign_hash_sync(&tx.signature_hash()).unwrap();
    TxEnvelope::from(tx.into_signed(signature)).encoded_2718()
}

pub fn send(signer: &PrivateKeySigner, nonce: u64, to: Address, value: u64) -> Vec<u8> {
    sign(signer, TxEip1559 { to: TxKind::Call(to), value: U256::from(value), ..base(nonce) })
}

pub fn call(signer: &PrivateKeySigner, nonce: u64, to: Address, input: Vec<u8>) -> Vec<u8> {
    sign(signer, TxEip1559 { to: TxKind::Call(to), input: Bytes::from(input), ..base(nonce) })
}

pub fn create(signer: &PrivateKeySigner, nonce: u64, code: Vec<u8>) -> Vec<u8> {
    let tx = TxEip1559 { to: TxKind::Create, input: code.into(), gas_limit: 3_000_000, ..base(nonce) };
    sign(signer, tx)
}

pub fn slot(n: u64) -> B256 {
    B256::from(U256::from(n))
}

/// The slot of `mapping(uint256 => uint256)` number `mapping` for `key`.
pub fn mapped(mapping: u64, key: U256) -> B256 {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&key.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(slot(mapping).as_slice());
    keccak256(bytes)
}
