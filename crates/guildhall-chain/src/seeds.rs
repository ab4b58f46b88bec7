//! Where the lot's seeds come from, and how a round learns its own.
//!
//! A contract keeps the seeds ([`SeedKind`] names it). What it does not know yet can be told from the chain's headers: the
//! lot is drawn off chain as soon as the block that decides it is there, and the seed is written down on chain by whoever
//! posts first.

use alloy::{
    consensus::BlockHeader as _,
    eips::BlockNumberOrTag,
    primitives::{Bytes, U256, keccak256},
    providers::Provider as _,
    sol_types::SolCall as _,
};
use guildhall_protocol::Seed;
use serde::{Deserialize, Serialize};

use crate::{
    bindings::{BlockhashSeed, PrevrandaoSeed},
    client::{ChainClient, ChainError},
    sender::Call,
};

/// What seeds are made of. Certificates name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedKind {
    /// The opening block's hash: whoever seals that block can try several. For chains whose sealer is trusted with the draw.
    #[default]
    BlockHash,
    /// The prevrandao of the block after the opening one: for Ethereum.
    Prevrandao,
}

impl SeedKind {
    /// The number that contracts and certificates have for it.
    pub const fn number(self) -> u8 {
        match self {
            Self::BlockHash => 1,
            Self::Prevrandao => 2,
        }
    }

    /// The contract that keeps such seeds, ready to deploy.
    pub(crate) fn bytecode(self) -> Bytes {
        match self {
            Self::BlockHash => BlockhashSeed::BYTECODE.clone(),
            Self::Prevrandao => PrevrandaoSeed::BYTECODE.clone(),
        }
    }
}

impl ChainClient {
    /// The seed of rounds that opened in a block as the contracts see it, and the number of its kind; `None` = not there
    /// yet, or any more.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn seed(&self, opening_block: u64) -> Result<Option<(Seed, u8)>, ChainError> {
        match self.read("a seed", self.seeds().seedOf(U256::from(opening_block))).await {
            Ok(answer) => Ok(Some((Seed(answer.seed), answer.kind))),
            Err(ChainError::Refused { revert, .. }) if revert.text.starts_with("SeedUnavailable(") => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The seed of rounds that opened in a block, as soon as the chain has decided it; `None` = it has not, or it forgot.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn drawn_seed(&self, opening_block: u64) -> Result<Option<Seed>, ChainError> {
        if let Some((seed, _)) = self.seed(opening_block).await? {
            return Ok(Some(seed));
        }
        match self.deployment().seed_kind {
            // A call sees the last block's number as its own, so a contract cannot see that block's hash yet.
            SeedKind::BlockHash => Ok(self.block(opening_block).await?.map(|head| Seed(head.block.hash))),
            SeedKind::Prevrandao => {
                let next = self.header(opening_block + 1).await?;
                Ok(next.and_then(|header| header.mix_hash()).map(Seed))
            }
        }
    }

    /// The call that has to come before others of rounds that opened in a block, because they need the seed on chain;
    /// `None` = nothing to do.
    ///
    /// # Errors
    /// [`ChainError`] as of every read, and where the node's header does not hash to its block.
    pub async fn seed_to_write(&self, opening_block: u64) -> Result<Option<Call>, ChainError> {
        if self.deployment().seed_kind == SeedKind::BlockHash || self.seed(opening_block).await?.is_some() {
            return Ok(None);
        }
        let what = "the header after the opening block";
        let answer = |message: String| ChainError::Answer { what, message };
        let number = opening_block + 1;
        let header = self.header(number).await?;
        let header = header.ok_or_else(|| answer(format!("there is no block {number} yet")))?;
        let encoded = alloy::rlp::encode(&header.inner);
        if keccak256(&encoded) != header.hash {
            return Err(answer(format!("block {number} has fields that Ethereum's headers do not have")));
        }
        let data = PrevrandaoSeed::proveSeedCall { header: encoded.into() }.abi_encode().into();
        Ok(Some(Call { to: Some(self.deployment().seed), data, value_wei: U256::ZERO }))
    }

    async fn header(&self, number: u64) -> Result<Option<alloy::rpc::types::Header>, ChainError> {
        let asked = self.provider().get_block_by_number(BlockNumberOrTag::Number(number)).await;
        Ok(asked.map_err(self.endpoint().failed("a block"))?.map(|block| block.header))
    }
}
