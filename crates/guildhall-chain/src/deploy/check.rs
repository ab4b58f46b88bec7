//! Whether a deployment stands on its chain as its file says: every contract there, and each naming the others.

use alloy::{eips::BlockId, primitives::U256, providers::Provider};

use super::{DeployError, Deployment, has_code};
use crate::{
    beacon::Beacon,
    bindings::{BeaconSeed, Certifier, Court, Inquest, Jury, Market, Recourse, Vault, Workforce},
    rpc::Endpoint,
    seeds::SeedKind,
};

/// Compares what contracts name with what the deployment says.
macro_rules! names {
    ($($contract:ident . $field:ident = $expected:expr, $name:literal;)*) => {$(
        let answer = $contract.$field().block(BlockId::latest()).call().await;
        let found = answer.map_err(|error| DeployError::Foreign {
            contract: $name,
            address: *$contract.address(),
            field: stringify!($field),
            message: error.to_string(),
        })?;
        if found != $expected {
            let (field, expected) = (stringify!($field), $expected);
            return Err(DeployError::Wiring { contract: $name, field, expected, found });
        }
    )*};
}

impl Deployment {
    /// Checks that the node is on the right chain, that every contract is there, and that each names the others.
    ///
    /// # Errors
    /// [`DeployError`] that says what is wrong and how to put it right.
    pub async fn check(&self, endpoint: &Endpoint) -> Result<(), DeployError> {
        let found = endpoint.provider().get_chain_id().await.map_err(endpoint.failed("its chain id"))?;
        if found != self.chain_id {
            let node = endpoint.name().to_owned();
            return Err(DeployError::WrongChain { expected: self.chain_id, found, node });
        }
        for (contract, address) in self.contracts().into_iter().chain([("Token", self.token)]) {
            if !has_code(endpoint, address).await? {
                return Err(DeployError::NoCode { contract, address });
            }
        }
        self.check_wiring(endpoint).await
    }

    async fn check_wiring(&self, endpoint: &Endpoint) -> Result<(), DeployError> {
        let provider = endpoint.provider().clone();
        let vault = Vault::new(self.vault, provider.clone());
        let workforce = Workforce::new(self.workforce, provider.clone());
        let market = Market::new(self.market, provider.clone());
        let certifier = Certifier::new(self.certifier, provider.clone());
        let recourse = Recourse::new(self.recourse, provider);
        names! {
            vault.token = self.token, "Vault";
            vault.market = self.market, "Vault";
            vault.workforce = self.workforce, "Vault";
            vault.certifier = self.certifier, "Vault";
            vault.recourse = self.recourse, "Vault";
            vault.court = self.court, "Vault";
            workforce.vault = self.vault, "Workforce";
            workforce.certifier = self.certifier, "Workforce";
            workforce.recourse = self.recourse, "Workforce";
            workforce.court = self.court, "Workforce";
            market.vault = self.vault, "Market";
            market.registry = self.registry, "Market";
            market.workforce = self.workforce, "Market";
            market.certifier = self.certifier, "Market";
            certifier.vault = self.vault, "Certifier";
            certifier.workforce = self.workforce, "Certifier";
            certifier.market = self.market, "Certifier";
            certifier.seeds = self.seed, "Certifier";
            certifier.recourse = self.recourse, "Certifier";
            certifier.court = self.court, "Certifier";
            recourse.vault = self.vault, "Recourse";
            recourse.workforce = self.workforce, "Recourse";
            recourse.market = self.market, "Recourse";
            recourse.certifier = self.certifier, "Recourse";
            recourse.seeds = self.seed, "Recourse";
        }
        self.check_court(endpoint).await?;
        self.check_inquest(endpoint).await?;
        let answer = certifier.seedKind().block(BlockId::latest()).call().await;
        let found = answer.map_err(|error| DeployError::Foreign {
            contract: "Certifier",
            address: self.certifier,
            field: "seedKind",
            message: error.to_string(),
        })?;
        if found != self.seed_kind.number() {
            return Err(DeployError::SeedKind { expected: self.seed_kind.number(), found });
        }
        match self.seed_kind {
            SeedKind::Beacon(beacon) => self.check_beacon(endpoint, &beacon).await,
            SeedKind::BlockHash | SeedKind::Prevrandao => Ok(()),
        }
    }

    async fn check_court(&self, endpoint: &Endpoint) -> Result<(), DeployError> {
        if !self.has_court() {
            return Ok(());
        }
        let provider = endpoint.provider().clone();
        let (court, jury) = (Court::new(self.court, provider.clone()), Jury::new(self.jury, provider));
        names! {
            court.vault = self.vault, "Court";
            court.workforce = self.workforce, "Court";
            court.market = self.market, "Court";
            court.certifier = self.certifier, "Court";
            court.seeds = self.seed, "Court";
            court.jury = self.jury, "Court";
            jury.workforce = self.workforce, "Jury";
            jury.market = self.market, "Jury";
            jury.certifier = self.certifier, "Jury";
            jury.seeds = self.seed, "Jury";
            jury.court = self.court, "Jury";
        }
        Ok(())
    }

    async fn check_inquest(&self, endpoint: &Endpoint) -> Result<(), DeployError> {
        if !self.has_inquest() {
            return Ok(());
        }
        let inquest = Inquest::new(self.inquest, endpoint.provider().clone());
        names! {
            inquest.vault = self.vault, "Inquest";
            inquest.workforce = self.workforce, "Inquest";
            inquest.market = self.market, "Inquest";
            inquest.certifier = self.certifier, "Inquest";
            inquest.seeds = self.seed, "Inquest";
        }
        Ok(())
    }

    async fn check_beacon(&self, endpoint: &Endpoint, beacon: &Beacon) -> Result<(), DeployError> {
        let seed = BeaconSeed::new(self.seed, endpoint.provider().clone());
        macro_rules! says {
            ($($field:ident = $expected:expr;)*) => {$(
                let answer = seed.$field().block(BlockId::latest()).call().await;
                let found = answer.map_err(|error| DeployError::Foreign {
                    contract: "Seed",
                    address: self.seed,
                    field: stringify!($field),
                    message: error.to_string(),
                })?;
                let expected = $expected;
                if found != expected {
                    let (expected, found) = (expected.to_string(), found.to_string());
                    return Err(DeployError::Beacon { field: stringify!($field), expected, found });
                }
            )*};
        }
        says! {
            publicKey = beacon.key_point().ok_or(DeployError::BeaconKey)?;
            genesis = U256::from(beacon.genesis.0);
            periodSecs = U256::from(beacon.period_secs.0);
            epochSecs = U256::from(beacon.epoch_secs.0);
            marginSecs = U256::from(beacon.margin_secs.0);
        }
        Ok(())
    }
}
