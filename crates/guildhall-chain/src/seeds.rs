//! Where the lot's seeds come from, and how a round learns its own.
//!
//! A contract keeps the seeds ([`SeedKind`] names it). What it does not know yet can be told from the chain's headers: the
//! lot is drawn off chain as soon as the block that decides it is there, and the seed is written down on chain by whoever
//! posts first. Beacons are asked for at their servers, where the client has some; without, a round waits for somebody to
//! write its seed down.

use alloy::{
    consensus::BlockHeader as _,
    eips::BlockNumberOrTag,
    primitives::{Bytes, U256, keccak256},
    providers::Provider as _,
    sol_types::{SolCall as _, SolConstructor as _},
};
use guildhall_protocol::{Case, Opened, Seed, UnixTime};
use serde::{Deserialize, Serialize};

use crate::{
    beacon::{Beacon, BeaconRound},
    bindings::{BeaconSeed, BlockhashSeed, PrevrandaoSeed},
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
    /// A public beacon's round after the opening's epoch: for rollups, whose sequencer makes the other two.
    Beacon(Beacon),
}

impl SeedKind {
    /// The number that contracts and certificates have for it.
    pub const fn number(self) -> u8 {
        match self {
            Self::BlockHash => 1,
            Self::Prevrandao => 2,
            Self::Beacon(_) => 3,
        }
    }

    /// The contract that keeps such seeds, ready to deploy; `None` for a beacon whose key is none.
    pub(crate) fn bytecode(self) -> Option<Bytes> {
        Some(match self {
            Self::BlockHash => BlockhashSeed::BYTECODE.clone(),
            Self::Prevrandao => PrevrandaoSeed::BYTECODE.clone(),
            Self::Beacon(beacon) => {
                let times =
                    [beacon.genesis.0, beacon.period_secs.0, beacon.epoch_secs.0, beacon.margin_secs.0];
                let [genesis, period, epoch, margin] = times.map(U256::from);
                let arguments = (beacon.key_point()?, genesis, period, epoch, margin);
                let arguments = BeaconSeed::constructorCall::new(arguments).abi_encode();
                [BeaconSeed::BYTECODE.as_ref(), &arguments].concat().into()
            }
        })
    }
}

/// Where and when something was opened whose lot is drawn with the seed from there and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawnAt {
    /// The block.
    pub block: u64,
    /// Its time.
    pub time: UnixTime,
}

impl From<&Opened> for DrawnAt {
    fn from(opened: &Opened) -> Self {
        Self { block: opened.block, time: opened.time }
    }
}

impl From<&Case> for DrawnAt {
    fn from(case: &Case) -> Self {
        Self { block: case.facts.opened_block, time: case.facts.opened_at }
    }
}

impl ChainClient {
    /// The seed of rounds that opened there and then as the contracts see it, and the number of its kind; `None` = not there
    /// yet, or any more.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn seed(&self, opened: impl Into<DrawnAt>) -> Result<Option<(Seed, u8)>, ChainError> {
        let opened = opened.into();
        match self
            .read("a seed", self.seeds().seedOf(U256::from(opened.block), U256::from(opened.time.0)))
            .await
        {
            Ok(answer) => Ok(Some((Seed(answer.seed), answer.kind))),
            Err(ChainError::Refused { revert, .. }) if revert.text.starts_with("SeedUnavailable(") => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The seed of rounds that opened there and then, as soon as the chain has decided it; `None` = it has not, or it forgot.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn drawn_seed(&self, opened: impl Into<DrawnAt>) -> Result<Option<Seed>, ChainError> {
        let opened = opened.into();
        if let Some((seed, _)) = self.seed(opened).await? {
            return Ok(Some(seed));
        }
        match self.deployment().seed_kind {
            // A call sees the last block's number as its own, so a contract cannot see that block's hash yet.
            SeedKind::BlockHash => Ok(self.block(opened.block).await?.map(|head| Seed(head.block.hash))),
            SeedKind::Prevrandao => {
                let next = self.header(opened.block + 1).await?;
                Ok(next.and_then(|header| header.mix_hash()).map(Seed))
            }
            SeedKind::Beacon(beacon) => {
                Ok(self.beacon_round(&beacon, opened).await?.map(|(_, found)| found.seed))
            }
        }
    }

    /// The call that has to come before others of rounds that opened there and then, because they need the seed on chain;
    /// `None` = nothing to do, or nothing that this client can do.
    ///
    /// # Errors
    /// [`ChainError`] as of every read, and where the node's header does not hash to its block.
    pub async fn seed_to_write(&self, opened: impl Into<DrawnAt>) -> Result<Option<Call>, ChainError> {
        let opened = opened.into();
        if self.seed(opened).await?.is_some() {
            return Ok(None);
        }
        let data = match self.deployment().seed_kind {
            SeedKind::BlockHash => return Ok(None),
            SeedKind::Prevrandao => {
                let header = self.encoded_header(opened.block + 1).await?;
                PrevrandaoSeed::proveSeedCall { header }.abi_encode()
            }
            SeedKind::Beacon(beacon) => match self.beacon_round(&beacon, opened).await? {
                Some((epoch, BeaconRound { point, .. })) => {
                    BeaconSeed::pinCall { epoch: U256::from(epoch), signature: point }.abi_encode()
                }
                None => return Ok(None),
            },
        };
        Ok(Some(Call { to: Some(self.deployment().seed), data: data.into(), value_wei: U256::ZERO }))
    }

    /// The epoch of an opening and the beacon's round for it; `None` = not emitted yet, or there are no servers to ask.
    async fn beacon_round(
        &self,
        beacon: &Beacon,
        opened: DrawnAt,
    ) -> Result<Option<(u64, BeaconRound)>, ChainError> {
        let epoch = beacon.epoch_of(opened.time);
        let (Some(source), Some(round)) = (self.beacon(), beacon.round_of(epoch)) else { return Ok(None) };
        Ok(source.round(beacon, round).await?.map(|found| (epoch, found)))
    }

    /// A block's header as it is hashed.
    async fn encoded_header(&self, number: u64) -> Result<Bytes, ChainError> {
        let what = "the header after the opening block";
        let answer = |message: String| ChainError::Answer { what, message };
        let header = self.header(number).await?;
        let header = header.ok_or_else(|| answer(format!("there is no block {number} yet")))?;
        let encoded = alloy::rlp::encode(&header.inner);
        if keccak256(&encoded) != header.hash {
            return Err(answer(format!("block {number} has fields that Ethereum's headers do not have")));
        }
        Ok(encoded.into())
    }

    async fn header(&self, number: u64) -> Result<Option<alloy::rpc::types::Header>, ChainError> {
        let asked = self.provider().get_block_by_number(BlockNumberOrTag::Number(number)).await;
        Ok(asked.map_err(self.endpoint().failed("a block"))?.map(|block| block.header))
    }
}
