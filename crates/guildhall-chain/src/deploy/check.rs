//! Whether a deployment stands on its chain as its file says: every contract there, and each naming the others.

use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
    providers::Provider,
};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};

use super::{DeployError, Deployment, has_code};
use crate::{
    beacon::Beacon,
    bindings::{BeaconSeed, Certifier, Court, Inquest, Jury, Market, Recourse, Vault, Workforce},
    rpc::Endpoint,
    seeds::SeedKind,
};

/// Questions at once: a node may be far away, and may limit what one asks of it.
const AT_ONCE: usize = 8;

/// Something to ask of the node.
type Question<'a> = BoxFuture<'a, Result<(), DeployError>>;

/// Compares what contracts name with what the deployment says.
macro_rules! names {
    ($endpoint:ident: $($contract:ident . $field:ident = $expected:expr, $name:literal;)*) => {
        vec![$({
            let (contract, expected) = ($contract.clone(), $expected);
            async move {
                let field = stringify!($field);
                match contract.$field().block(BlockId::latest()).call().await {
                    Ok(found) if found == expected => Ok(()),
                    Ok(found) => Err(DeployError::Wiring { contract: $name, field, expected, found }),
                    Err(error) => Err(silent($endpoint, $name, *contract.address(), field, error).await),
                }
            }
            .boxed()
        }),*]
    };
}

async fn is_there(endpoint: &Endpoint, contract: &'static str, address: Address) -> Result<(), DeployError> {
    match has_code(endpoint, address).await? {
        true => Ok(()),
        false => Err(DeployError::NoCode { contract, address }),
    }
}

/// Why a contract does not answer.
async fn silent(
    endpoint: &Endpoint,
    contract: &'static str,
    address: Address,
    field: &'static str,
    error: alloy::contract::Error,
) -> DeployError {
    match has_code(endpoint, address).await {
        Ok(true) => DeployError::Foreign { contract, address, field, message: error.to_string() },
        Ok(false) => DeployError::NoCode { contract, address },
        Err(error) => error,
    }
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
        // Those that are not asked for anything. Whether the others are there shows when they answer: their code is long.
        let codes = [("Token", self.token), ("Registry", self.registry), ("Seed", self.seed)];
        let mut questions: Vec<_> =
            codes.map(|(name, address)| is_there(endpoint, name, address).boxed()).into();
        questions.extend(self.wiring(endpoint));
        questions.extend(self.wiring_of_court(endpoint));
        questions.extend(self.wiring_of_inquest(endpoint));
        questions.push(self.check_seeds(endpoint).boxed());
        stream::iter(questions).buffered(AT_ONCE).try_collect().await
    }

    fn wiring<'a>(&self, endpoint: &'a Endpoint) -> Vec<Question<'a>> {
        let provider = endpoint.provider().clone();
        let vault = Vault::new(self.vault, provider.clone());
        let workforce = Workforce::new(self.workforce, provider.clone());
        let market = Market::new(self.market, provider.clone());
        let certifier = Certifier::new(self.certifier, provider.clone());
        let recourse = Recourse::new(self.recourse, provider);
        names! { endpoint:
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
    }

    async fn check_seeds(&self, endpoint: &Endpoint) -> Result<(), DeployError> {
        let certifier = Certifier::new(self.certifier, endpoint.provider().clone());
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

    fn wiring_of_court<'a>(&self, endpoint: &'a Endpoint) -> Vec<Question<'a>> {
        if !self.has_court() {
            return Vec::new();
        }
        let provider = endpoint.provider().clone();
        let (court, jury) = (Court::new(self.court, provider.clone()), Jury::new(self.jury, provider));
        names! { endpoint:
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
    }

    fn wiring_of_inquest<'a>(&self, endpoint: &'a Endpoint) -> Vec<Question<'a>> {
        if !self.has_inquest() {
            return Vec::new();
        }
        let inquest = Inquest::new(self.inquest, endpoint.provider().clone());
        names! { endpoint:
            inquest.vault = self.vault, "Inquest";
            inquest.workforce = self.workforce, "Inquest";
            inquest.market = self.market, "Inquest";
            inquest.certifier = self.certifier, "Inquest";
            inquest.seeds = self.seed, "Inquest";
        }
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
