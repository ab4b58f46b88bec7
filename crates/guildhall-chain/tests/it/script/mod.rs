//! A node that does what a test says: a chain of blocks that can be reorganised, a pool of transactions that can be held.
#![allow(dead_code)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    consensus::{Header as Fields, Transaction, TxEnvelope, transaction::SignerRecoverable},
    eips::Decodable2718,
    primitives::{Address, B256, Bytes, Sealable, U160, U256, hex},
    rpc::{
        json_rpc::{RequestPacket, ResponsePacket},
        types::{Filter, Header, Log},
    },
    sol_types::SolEvent,
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use guildhall_chain::{Deployment, Endpoint, RpcPolicy, bindings::Vault};
use serde_json::{Value, json};

/// What a node answers: a result, or code, message and data of an error.
type Answer = Result<Value, (i64, String, Option<Bytes>)>;

#[derive(Clone)]
pub struct Script(Arc<Mutex<Node>>);

#[derive(Default)]
pub struct Node {
    /// The canonical chain.
    chain: Vec<B256>,
    /// Every block ever, with its logs.
    blocks: HashMap<B256, (Header, Vec<Log>)>,
    /// Requests that fail before all is well.
    pub failures: u32,
    /// Blocks that one request for logs may span; 0 = any.
    pub widest_range: u64,
    /// Whether a block is made each time somebody asks for the last one: it is as far away as blocks are apart.
    pub far_away: bool,
    /// Spans asked for.
    pub ranges: Vec<(u64, u64)>,
    /// Transactions taken and not yet in a block, by number.
    pub pool: Vec<TxEnvelope>,
    /// All transactions ever taken.
    pub taken: Vec<TxEnvelope>,
    receipts: HashMap<B256, Value>,
    /// Transactions of the account that are in blocks.
    pub nonce: u64,
    /// Whether a transaction gets into a block as it arrives.
    pub instant: bool,
    /// What `eth_estimateGas` and `eth_call` answer instead of success.
    pub refusal: Option<(i64, String, Option<Bytes>)>,
    /// What `eth_sendRawTransaction` answers once instead of success; `true` = it takes the transaction nevertheless.
    pub send_refusal: Option<(String, bool)>,
    /// Whether the connection breaks as the next transaction is sent.
    pub lose_next_send: bool,
    /// Whether transactions in blocks fail.
    pub failing: bool,
}

pub fn deployment() -> Deployment {
    let at = Address::repeat_byte;
    Deployment {
        chain_id: 7,
        token: at(1),
        vault: at(2),
        registry: at(3),
        workforce: at(4),
        market: at(5),
        certifier: at(6),
        seed: at(7),
        recourse: at(8),
        seed_kind: guildhall_chain::SeedKind::default(),
        court: Address::ZERO,
        jury: Address::ZERO,
        inquest: Address::ZERO,
        block: 0,
    }
}

impl Script {
    /// A chain of `blocks` blocks, each with one deposit of its number.
    pub fn new(blocks: u64) -> Self {
        let script = Self(Arc::new(Mutex::new(Node { instant: true, ..Node::default() })));
        for _ in 0..blocks {
            script.grow(0);
        }
        script
    }

    pub fn node(&self) -> MutexGuard<'_, Node> {
        self.0.lock().expect("lock")
    }

    pub fn endpoint(&self) -> Endpoint {
        let ms = Duration::from_millis;
        let policy = RpcPolicy {
            retries: 0,
            poll: Some(ms(2)),
            first_wait: ms(1),
            max_wait: ms(2),
            ..RpcPolicy::default()
        };
        Endpoint::from_transport(self.clone(), "script", true, policy)
    }

    /// Adds a block of fork `fork` with a deposit of its number times 1000 plus the fork.
    pub fn grow(&self, fork: u64) -> B256 {
        self.node().grow(fork)
    }

    /// The number of the last block.
    pub fn head(&self) -> u64 {
        self.node().chain.len() as u64 - 1
    }

    /// Drops blocks from `from` on.
    pub fn cut(&self, from: u64) {
        self.node().chain.truncate(from as usize);
    }
}

impl Node {
    fn grow(&mut self, fork: u64) -> B256 {
        let number = self.chain.len() as u64;
        let fields = Fields {
            number,
            parent_hash: self.chain.last().copied().unwrap_or_default(),
            timestamp: 1_000 + number,
            extra_data: fork.to_be_bytes().into(),
            base_fee_per_gas: Some(1_000),
            ..Fields::default()
        };
        let hash = fields.hash_slow();
        let event = Vault::Deposited {
            from: Address::ZERO,
            account: U160::ZERO,
            amount: U256::from(number * 1_000 + fork),
        };
        let log = Log {
            inner: alloy::primitives::Log { address: deployment().vault, data: event.encode_log_data() },
            block_hash: Some(hash),
            block_number: Some(number),
            transaction_hash: Some(hash),
            transaction_index: Some(0),
            log_index: Some(0),
            ..Log::default()
        };
        self.blocks.insert(hash, (Header::from_consensus(fields.seal_slow(), None, None), vec![log]));
        self.chain.push(hash);
        self.mine();
        hash
    }

    /// Puts what can be into the last block.
    pub fn mine(&mut self) {
        self.pool.sort_by_key(Transaction::nonce);
        while let Some(position) = self.pool.iter().position(|tx| tx.nonce() == self.nonce) {
            let tx = self.pool.remove(position);
            self.pool.retain(|other| other.nonce() != tx.nonce());
            let (number, hash) = (self.chain.len() as u64 - 1, *self.chain.last().expect("a block"));
            let receipt = json!({
                "transactionHash": tx.tx_hash(), "transactionIndex": "0x0", "blockHash": hash,
                "blockNumber": format!("{number:#x}"), "from": tx.recover_signer().expect("signer"), "to": tx.to(),
                "cumulativeGasUsed": "0x5208", "gasUsed": "0x5208", "contractAddress": null, "logs": [],
                "logsBloom": format!("0x{}", "00".repeat(256)), "type": "0x2", "effectiveGasPrice": "0x3e8",
                "status": if self.failing { "0x0" } else { "0x1" },
            });
            self.receipts.insert(*tx.tx_hash(), receipt);
            self.nonce += 1;
        }
    }

    fn block(&self, hash: Option<&B256>) -> Value {
        let Some((header, _)) = hash.and_then(|hash| self.blocks.get(hash)) else { return Value::Null };
        let mut block = serde_json::to_value(header).expect("json");
        block["transactions"] = json!([]);
        block["uncles"] = json!([]);
        block
    }

    fn logs(&mut self, filter: &Filter) -> Answer {
        if let Some(hash) = filter.get_block_hash() {
            let (_, logs) = self.blocks.get(&hash).ok_or((-32000, "unknown block".into(), None))?;
            return Ok(serde_json::to_value(logs).expect("json"));
        }
        let (Some(from), Some(to)) = filter.extract_block_range() else {
            return Err((-32602, "range".into(), None));
        };
        self.ranges.push((from, to));
        if self.widest_range > 0 && to - from + 1 > self.widest_range {
            return Err((-32005, "query returned more than 10000 results".into(), None));
        }
        let chain = &self.chain[from as usize..=to as usize];
        let logs: Vec<&Log> = chain.iter().flat_map(|hash| &self.blocks[hash].1).collect();
        Ok(serde_json::to_value(logs).expect("json"))
    }

    fn take(&mut self, raw: &str) -> Answer {
        let bytes = hex::decode(raw).expect("hex");
        let tx = TxEnvelope::decode_2718(&mut bytes.as_slice()).expect("transaction");
        let hash = *tx.tx_hash();
        let refusal = self.send_refusal.take();
        if refusal.as_ref().is_none_or(|(_, taken)| *taken) {
            self.taken.push(tx.clone());
            self.pool.push(tx);
            if self.instant {
                self.mine();
            }
        }
        match refusal {
            Some((message, _)) => Err((-32000, message, None)),
            None => Ok(json!(hash)),
        }
    }

    fn answer(&mut self, method: &str, params: &Value) -> Answer {
        let text = |position: usize| params[position].as_str().unwrap_or_default();
        Ok(match method {
            "eth_chainId" => json!("0x7"),
            "eth_blockNumber" => json!(format!("{:#x}", self.chain.len() - 1)),
            "eth_getBlockByNumber" => match text(0) {
                "latest" | "pending" => {
                    if self.far_away {
                        self.grow(0);
                    }
                    self.block(self.chain.last())
                }
                number => {
                    let number = usize::from_str_radix(number.trim_start_matches("0x"), 16).expect("number");
                    self.block(self.chain.get(number))
                }
            },
            "eth_getBlockByHash" => self.block(Some(&text(0).parse().expect("hash"))),
            "eth_getLogs" => {
                let filter: Filter = serde_json::from_value(params[0].clone()).expect("filter");
                return self.logs(&filter);
            }
            "eth_feeHistory" => json!({
                "oldestBlock": "0x0", "baseFeePerGas": ["0x3e8", "0x3e8"], "gasUsedRatio": [0.5], "reward": [["0x1"]]
            }),
            "eth_estimateGas" | "eth_call" if self.refusal.is_some() => {
                return Err(self.refusal.clone().expect("checked"));
            }
            "eth_estimateGas" => json!("0x5208"),
            "eth_call" => json!("0x"),
            "eth_getTransactionCount" => {
                let mut next = self.nonce;
                // What waits behind a number that is free does not count.
                while text(1) == "pending" && self.pool.iter().any(|tx| tx.nonce() == next) {
                    next += 1;
                }
                json!(format!("{next:#x}"))
            }
            "eth_sendRawTransaction" => return self.take(text(0)),
            "eth_getTransactionReceipt" => {
                let hash: B256 = text(0).parse().expect("hash");
                self.receipts.get(&hash).cloned().unwrap_or(Value::Null)
            }
            other => return Err((-32601, format!("no method {other}"), None)),
        })
    }
}

impl tower::Service<RequestPacket> for Script {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let RequestPacket::Single(request) = packet else { panic!("no batches") };
        let mut node = self.node();
        if node.failures > 0 {
            node.failures -= 1;
            return Box::pin(async { Err(TransportErrorKind::custom_str("connection reset")) });
        }
        let params =
            request.params().map_or(Value::Null, |raw| serde_json::from_str(raw.get()).expect("params"));
        let mut response = json!({ "jsonrpc": "2.0", "id": request.id() });
        match node.answer(request.method(), &params) {
            Ok(result) => response["result"] = result,
            Err((code, message, data)) => {
                response["error"] = json!({ "code": code, "message": message });
                if let Some(data) = data {
                    response["error"]["data"] = json!(data);
                }
            }
        }
        let parsed = serde_json::from_str(&response.to_string()).expect("response");
        Box::pin(async move { Ok(ResponsePacket::Single(parsed)) })
    }
}
