//! A sealed block with everything that belongs to it, and how it is stored.

use crate::error::LedgerError;
use alloy::{
    consensus::{
        Eip658Value, Header, Receipt, ReceiptEnvelope, Transaction, TxEnvelope, TxType,
        transaction::Recovered,
    },
    eips::eip2718::{Decodable2718, Encodable2718},
    primitives::{Address, B256, Bytes, Log},
};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};

/// The most that a stored block may unpack to: far above what the gas of a block can pay for.
const MAX_BLOCK_BYTES: usize = 256 << 20;

/// A block of the chain: header, transactions with their senders, receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlock {
    /// The header's hash.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// The transactions in order, with their senders.
    pub transactions: Vec<Recovered<TxEnvelope>>,
    /// One receipt a transaction.
    pub receipts: Vec<ReceiptEnvelope>,
}

/// The newest block in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time in seconds since 1970.
    pub timestamp: u64,
}

#[derive(RlpEncodable, RlpDecodable)]
struct StoredReceipt {
    success: bool,
    cumulative_gas_used: u64,
    logs: Vec<Log>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct StoredBlock {
    header: Header,
    transactions: Vec<Bytes>,
    senders: Vec<Address>,
    receipts: Vec<StoredReceipt>,
}

impl SealedBlock {
    /// The block in short.
    pub fn head(&self) -> Head {
        Head { number: self.header.number, hash: self.hash, timestamp: self.header.timestamp }
    }

    /// The gas that transaction `index` used.
    pub fn gas_used(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).map_or(0, |i| self.receipts[i].cumulative_gas_used());
        self.receipts[index].cumulative_gas_used() - before
    }

    /// The contract that transaction `index` created, if it is a creation.
    pub fn created(&self, index: usize) -> Option<Address> {
        let tx = &self.transactions[index];
        tx.to().is_none().then(|| tx.signer().create(tx.nonce()))
    }

    /// The stored form: hash, then the rest compressed against a dictionary of what headers share.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let stored = StoredBlock {
            header: self.header.clone(),
            transactions: self.transactions.iter().map(|tx| tx.encoded_2718().into()).collect(),
            senders: self.transactions.iter().map(Recovered::signer).collect(),
            receipts: self
                .receipts
                .iter()
                .map(|receipt| StoredReceipt {
                    success: receipt.status(),
                    cumulative_gas_used: receipt.cumulative_gas_used(),
                    logs: receipt.logs().to_vec(),
                })
                .collect(),
        };
        let mut rlp = Vec::with_capacity(stored.length());
        stored.encode(&mut rlp);
        let mut out = self.hash.to_vec();
        out.extend(lz4_flex::block::compress_prepend_size_with_dict(&rlp, &dictionary()));
        out
    }

    /// Reads the stored form and checks that the header has the hash beside it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, LedgerError> {
        let hash = Self::decode_hash(bytes)?;
        let bad = |e: &dyn std::fmt::Display| LedgerError::corrupt(format!("block {hash}: {e}"));
        let packed = &bytes[32..];
        let size = packed
            .get(..4)
            .and_then(|size| size.try_into().ok())
            .map_or(usize::MAX, |size| usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX));
        if size > MAX_BLOCK_BYTES {
            return Err(bad(&"it unpacks to more than a block can hold"));
        }
        let rlp = lz4_flex::block::decompress_size_prepended_with_dict(packed, &dictionary())
            .map_err(|e| bad(&e))?;
        let stored = StoredBlock::decode(&mut &rlp[..]).map_err(|e| bad(&e))?;
        if stored.header.hash_slow() != hash {
            return Err(bad(&"its header has another hash"));
        }
        let transactions = decode_transactions(&stored).map_err(|e| bad(&e))?;
        if transactions.len() != stored.receipts.len() {
            return Err(bad(&"receipts and transactions differ in number"));
        }
        let receipts = stored
            .receipts
            .into_iter()
            .zip(&transactions)
            .map(|(stored, tx)| {
                receipt(tx.tx_type(), stored.success, stored.cumulative_gas_used, stored.logs)
            })
            .collect();
        Ok(Self { hash, header: stored.header, transactions, receipts })
    }

    /// The hash at the head of the stored form.
    pub(crate) fn decode_hash(bytes: &[u8]) -> Result<B256, LedgerError> {
        let hash = bytes.get(..32).ok_or_else(|| LedgerError::corrupt("a stored block is cut short"))?;
        Ok(B256::from_slice(hash))
    }
}

fn decode_transactions(stored: &StoredBlock) -> Result<Vec<Recovered<TxEnvelope>>, String> {
    if stored.transactions.len() != stored.senders.len() {
        return Err("senders and transactions differ in number".to_owned());
    }
    let pairs = stored.transactions.iter().zip(&stored.senders);
    pairs
        .map(|(bytes, sender)| {
            let tx = TxEnvelope::decode_2718_exact(bytes).map_err(|e| e.to_string())?;
            Ok(Recovered::new_unchecked(tx, *sender))
        })
        .collect()
}

/// The receipt of a transaction of type `kind`.
pub(crate) fn receipt(
    kind: TxType,
    success: bool,
    cumulative_gas_used: u64,
    logs: Vec<Log>,
) -> ReceiptEnvelope {
    let receipt = Receipt { status: Eip658Value::Eip658(success), cumulative_gas_used, logs }.with_bloom();
    match kind {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}

/// What most headers share: the hashes of empty lists and runs of zeros. Part of the format.
fn dictionary() -> Vec<u8> {
    let mut out = Vec::with_capacity(640);
    crate::genesis::Genesis::new(1, 0).header(B256::ZERO).encode(&mut out);
    out
}
