//! What must always hold, read from a chain with a deployment (INVARIANTS).
//!
//! Reads the contracts' words and events; believes no service.

use std::collections::BTreeSet;

use alloy::{
    primitives::{Address, U256},
    providers::Provider as _,
    rpc::types::Filter,
};
use guildhall_chain::{
    ChainClient, Event, EventKind,
    bindings::{
        Certifier::CertifierEvents, Court::CourtEvents, Recourse::RecourseEvents, Vault::VaultEvents,
        Workforce::WorkforceEvents,
    },
    events,
};
use guildhall_protocol::{BondUnits, Member, OperatorId, PoolId, Prices, Status, Terms};

/// Everything that holds tokens, as events name it.
#[derive(Debug, Default)]
struct Holders {
    /// How many events there were.
    events: usize,
    accounts: BTreeSet<Address>,
    workers: BTreeSet<Address>,
    operators: BTreeSet<u32>,
    pools: BTreeSet<u32>,
    deals: Vec<Terms>,
    /// Slashes into escrow, by deal, batch and bond units.
    slashes: Vec<(alloy::primitives::B256, u32, u64)>,
    released: BTreeSet<(alloy::primitives::B256, u32)>,
}

/// Tokens held by the Vault = balances + locks of open batches + bonds + deposits + escrow + fees, exactly.
///
/// Roles may be at work meanwhile: what was read while something happened is read again.
///
/// # Panics
/// When they differ, with every part; or when the node does not answer.
pub async fn conserved(chain: &ChainClient) {
    let mut holders = Holders::read(chain).await;
    loop {
        let parts = holders.parts(chain).await;
        let held = chain.tokens(chain.deployment().vault).await.expect("the chain answers").0;
        let since = Holders::read(chain).await;
        if since.events == holders.events {
            let sum = parts.iter().fold(U256::ZERO, |sum, (_, amount)| sum + amount);
            assert_eq!(held, sum, "the Vault holds {held}, its parts are {parts:#?}");
            return;
        }
        holders = since;
    }
}

/// Every batch of every deal is certified, void or expired.
///
/// # Panics
/// When one is open, naming it; or when the node does not answer.
pub async fn all_settled(chain: &ChainClient) {
    let holders = Holders::read(chain).await;
    for terms in &holders.deals {
        for batch in 0..terms.batches() {
            let slot = chain.batch_slot(terms.deal(), batch).await.expect("the chain answers");
            // A deal that expired whole is forgotten, with its slot.
            if chain.deal_hash(terms.deal()).await.expect("the chain answers") != Some(terms.hash()) {
                continue;
            }
            assert_ne!(slot.status(), Some(Status::Open), "batch {batch} of deal {} is open", terms.deal());
        }
    }
}

impl Holders {
    async fn read(chain: &ChainClient) -> Self {
        let deployment = chain.deployment();
        let filter = Filter::new()
            .address(vec![
                deployment.vault,
                deployment.workforce,
                deployment.market,
                deployment.certifier,
                deployment.recourse,
                deployment.court,
            ])
            .from_block(deployment.block);
        let logs = chain.provider().get_logs(&filter).await.expect("the chain answers");
        let mut holders = Self { events: logs.len(), ..Self::default() };
        for event in logs.iter().filter_map(|log| events::decode(deployment, log)) {
            holders.note(&event);
        }
        holders
    }

    fn note(&mut self, event: &Event) {
        if let Some(terms) = event.kind.deal_opened() {
            self.accounts.extend([terms.payer, terms.appOwner, terms.datasetOwner]);
            self.deals.push(terms);
        }
        match &event.kind {
            EventKind::Vault(VaultEvents::Deposited(event)) => {
                self.accounts.insert(Address::from_slice(&event.account.to_be_bytes::<20>()));
            }
            EventKind::Workforce(WorkforceEvents::PoolCreated(event)) => {
                self.pools.insert(event.pool);
                self.accounts.insert(event.owner);
            }
            EventKind::Workforce(WorkforceEvents::OperatorRegistered(event)) => {
                self.operators.insert(event.operator);
                self.accounts.insert(event.owner);
            }
            EventKind::Workforce(WorkforceEvents::WorkerJoined(event)) => {
                self.workers.insert(event.worker);
            }
            EventKind::Workforce(WorkforceEvents::Expelled(event)) => {
                self.accounts.insert(event.reporter);
            }
            EventKind::Workforce(WorkforceEvents::PoolSlashed(event)) => {
                self.accounts.insert(event.reporter);
            }
            EventKind::Certifier(CertifierEvents::Slashed(event)) => {
                self.slashes.push((event.dealId, event.batch, event.units.saturating_to()));
            }
            EventKind::Certifier(CertifierEvents::DeliveryTipped(event)) => {
                self.accounts.insert(event.deliverer);
            }
            EventKind::Court(CourtEvents::Disproved(event)) => {
                self.accounts.insert(event.by);
            }
            EventKind::Recourse(RecourseEvents::Shown(event)) => {
                // What was shown and agrees is out of escrow: the members say what is left in it.
                let batch = (event.dealId, event.batch);
                self.slashes.retain(|(deal, number, _)| (*deal, *number) != batch);
                let members = event.members.iter().map(|word| Member::unpack(*word));
                self.slashes.extend(members.map(|member| (batch.0, batch.1, member.slash)));
            }
            EventKind::Recourse(RecourseEvents::Released(event)) => {
                self.released.insert((event.dealId, event.batch));
            }
            _ => {}
        }
    }

    /// Who holds how much.
    async fn parts(&self, chain: &ChainClient) -> Vec<(&'static str, U256)> {
        let mut parts = Vec::new();
        let mut balances = chain.burnt().await.expect("the chain answers").0;
        for account in &self.accounts {
            balances += chain.balance(*account).await.expect("the chain answers").0;
        }
        for operator in &self.operators {
            balances += chain.operator_fees(OperatorId(*operator)).await.expect("the chain answers").0;
        }
        parts.push(("balances", balances));
        let (mut pools, mut deposits) = (U256::ZERO, U256::ZERO);
        for pool in &self.pools {
            pools += chain.pool_fees(PoolId(*pool)).await.expect("the chain answers").0;
            let protocol = chain.vault().protocolFeesOf(U256::from(*pool)).call().await;
            pools += protocol.expect("the chain answers");
            deposits += chain.pool_details(PoolId(*pool)).await.expect("the chain answers").deposit.0;
        }
        parts.push(("pools' and protocol's fees", pools));
        parts.push(("deposits", deposits));
        let mut bonds = BondUnits::ZERO;
        for worker in &self.workers {
            let state = chain.worker(*worker).await.expect("the chain answers");
            bonds = bonds.saturating_add(state.map_or(BondUnits::ZERO, |state| state.bond));
        }
        parts.push(("bonds", bonds.to_amount().0));
        parts.push(("locks", self.locks(chain).await));
        let escrow = self.slashes.iter().filter(|(deal, batch, _)| !self.released.contains(&(*deal, *batch)));
        parts.push(("escrow", BondUnits(escrow.map(|(.., units)| units).sum()).to_amount().0));
        parts
    }

    /// What open batches hold locked.
    async fn locks(&self, chain: &ChainClient) -> U256 {
        let mut locked = U256::ZERO;
        for terms in &self.deals {
            // A closed deal has nothing locked: its only batch expired.
            let closed =
                chain.deal_hash(terms.deal()).await.expect("the chain answers") != Some(terms.hash());
            for batch in 0..terms.batches() {
                let slot = chain.batch_slot(terms.deal(), batch).await.expect("the chain answers");
                if closed || slot.status() != Some(Status::Open) {
                    continue;
                }
                let tasks = terms.tasks_of(batch).expect("a batch of the deal");
                let prices = Prices::of(terms, tasks, Default::default()).expect("good terms");
                locked += prices.lock().expect("an amount").0;
            }
        }
        locked
    }
}
