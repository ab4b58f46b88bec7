//! Events as logs again, for whoever keeps them: the contract's name, the topics and the data, and back.
//!
//! Knows nothing of addresses: whose log it is stands beside it by name.

use alloy::{
    primitives::{B256, IntoLogData, LogData},
    sol_types::SolEventInterface,
};

use crate::{
    bindings::{
        BeaconSeed::BeaconSeedEvents, BlockhashSeed::BlockhashSeedEvents, Certifier::CertifierEvents,
        Court::CourtEvents, Inquest::InquestEvents, Jury::JuryEvents, Market::MarketEvents,
        Recourse::RecourseEvents, Registry::RegistryEvents, Vault::VaultEvents, Workforce::WorkforceEvents,
    },
    events::EventKind,
};

impl EventKind {
    /// The contract that said it, in lower case.
    pub const fn contract(&self) -> &'static str {
        match self {
            Self::Vault(_) => "vault",
            Self::Registry(_) => "registry",
            Self::Workforce(_) => "workforce",
            Self::Market(_) => "market",
            Self::Certifier(_) => "certifier",
            Self::Recourse(_) => "recourse",
            Self::Court(_) => "court",
            Self::Jury(_) => "jury",
            Self::Inquest(_) => "inquest",
            Self::Seed(_) => "seed",
            Self::BeaconSeed(_) => "beacon_seed",
        }
    }

    /// Topics and data, as they stand on the chain.
    pub fn to_log(&self) -> LogData {
        match self {
            Self::Vault(event) => event.to_log_data(),
            Self::Registry(event) => event.to_log_data(),
            Self::Workforce(event) => event.to_log_data(),
            Self::Market(event) => event.to_log_data(),
            Self::Certifier(event) => event.to_log_data(),
            Self::Recourse(event) => event.to_log_data(),
            Self::Court(event) => event.to_log_data(),
            Self::Jury(event) => event.to_log_data(),
            Self::Inquest(event) => event.to_log_data(),
            Self::Seed(event) => event.to_log_data(),
            Self::BeaconSeed(event) => event.to_log_data(),
        }
    }

    /// Reads what [`EventKind::contract`] and [`EventKind::to_log`] gave; nothing where this version does not know the
    /// contract or the event.
    pub fn from_log(contract: &str, topics: &[B256], data: &[u8]) -> Option<Self> {
        Some(match contract {
            "vault" => Self::Vault(VaultEvents::decode_raw_log(topics, data).ok()?),
            "registry" => Self::Registry(RegistryEvents::decode_raw_log(topics, data).ok()?),
            "workforce" => Self::Workforce(WorkforceEvents::decode_raw_log(topics, data).ok()?),
            "market" => Self::Market(MarketEvents::decode_raw_log(topics, data).ok()?),
            "certifier" => Self::Certifier(CertifierEvents::decode_raw_log(topics, data).ok()?),
            "recourse" => Self::Recourse(RecourseEvents::decode_raw_log(topics, data).ok()?),
            "court" => Self::Court(CourtEvents::decode_raw_log(topics, data).ok()?),
            "jury" => Self::Jury(JuryEvents::decode_raw_log(topics, data).ok()?),
            "inquest" => Self::Inquest(Box::new(InquestEvents::decode_raw_log(topics, data).ok()?)),
            "seed" => Self::Seed(BlockhashSeedEvents::decode_raw_log(topics, data).ok()?),
            "beacon_seed" => Self::BeaconSeed(BeaconSeedEvents::decode_raw_log(topics, data).ok()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};

    use super::*;
    use crate::bindings::Vault::Deposited;

    #[test]
    fn an_event_comes_back_from_its_log() {
        let from = Address::repeat_byte(7);
        let deposit = Deposited { from, account: U256::from(9).to(), amount: U256::from(1_000) };
        let event = EventKind::Vault(VaultEvents::Deposited(deposit));
        let log = event.to_log();
        assert_eq!(EventKind::from_log(event.contract(), log.topics(), &log.data), Some(event));
        assert_eq!(EventKind::from_log("market", log.topics(), &log.data), None);
        assert_eq!(EventKind::from_log("vault", &[], &[]), None);
    }
}
