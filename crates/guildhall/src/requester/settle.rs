//! What anybody may do about a deal later: expire a batch, release escrow, deliver a result. All of it brings back what
//! the deal's events said.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolCall,
};
use guildhall_chain::{
    Call, ChainClient, EventKind, Sender, TxOutcome,
    bindings::Certifier::{self, CertifierEvents},
    court::Subject,
    events::{self, Certified},
};
use guildhall_protocol::{Amount, Parcel, Terms};

use super::{deal::bring, history::History, results::Fetched};
use crate::error::{Failure, Result};

/// The certificate of a batch as it stands after everything that was shown late.
pub fn standing(history: &History, batch: u32) -> Option<Certified> {
    events::standing(&history.terms, &history.events, batch)
}

/// Ends a batch that was not certified in time: the payer is refunded.
///
/// # Errors
/// `deal.refunded`; the Certifier's refusal, such as `contract.too_early` with the time from which it may.
pub async fn expire(
    chain: &ChainClient,
    sender: &Sender,
    history: &History,
    batch: u32,
) -> Result<TxOutcome> {
    // The Market forgets a deal that ends whole, and then the contract can only say that it knows no such terms.
    if history.refunded.contains(&batch) {
        let said = format!("batch {batch} has ended without a certificate: its payer was refunded");
        return Err(Failure::negative("deal.refunded", said)
            .hint("`guildhall deal show DEAL` says where its batches stand"));
    }
    let mut round = B256::ZERO;
    let mut log = Vec::new();
    for event in &history.events {
        match &event.kind {
            EventKind::Certifier(CertifierEvents::Committed(event)) if event.batch == batch => {
                round = event.roundId;
                log.push(event.item.clone());
            }
            EventKind::Certifier(CertifierEvents::Revealed(event)) if event.batch == batch => {
                log.push(event.item.clone())
            }
            _ => {}
        }
    }
    let call = Certifier::expireCall {
        terms: bring(&history.terms)?,
        batch: U256::from(batch),
        roundId: round,
        log,
    };
    send(chain.deployment().certifier, sender, &call).await
}

/// Pays the escrow of a certificate out, once its window is over.
///
/// # Errors
/// `result.not_certified`, the Certifier's refusal.
pub async fn release(
    chain: &ChainClient,
    sender: &Sender,
    history: &History,
    batch: u32,
) -> Result<TxOutcome> {
    let certified = standing(history, batch).ok_or_else(|| not_certified(batch))?;
    let subject = Subject { terms: history.terms, certified };
    Ok(sender.send(chain.release_call(&subject)?).await?)
}

/// What the delivery of a task earns now, in the token's smallest unit: the deal's tip, or nothing where the requester's
/// balance is lower.
///
/// # Errors
/// `chain.*` when the balance can't be read.
pub async fn tip_now(chain: &ChainClient, terms: &Terms) -> Result<Amount> {
    let offered = Amount(U256::from(terms.deliveryTip));
    let covered = offered.0.is_zero() || chain.balance(terms.requester).await? >= offered;
    Ok(if covered { offered } else { Amount::ZERO })
}

/// The tip that a delivery earned, in the token's smallest unit.
pub fn tip_of(chain: &ChainClient, outcome: &TxOutcome) -> Amount {
    let events = outcome.logs.iter().filter_map(|log| events::decode(chain.deployment(), log));
    let tips = events.filter_map(|event| match event.kind {
        EventKind::Certifier(CertifierEvents::DeliveryTipped(tipped)) => Some(tipped.tip),
        _ => None,
    });
    Amount(tips.fold(U256::ZERO, U256::saturating_add))
}

/// Brings a result to the deal's callback.
///
/// # Errors
/// `result.not_certified`, the Certifier's refusal.
pub async fn deliver(
    chain: &ChainClient,
    sender: &Sender,
    history: &History,
    batch: u32,
    fetched: &Fetched,
) -> Result<TxOutcome> {
    let certified = standing(history, batch).ok_or_else(|| not_certified(batch))?;
    let call = Certifier::deliverCall {
        parcel: bring(&Parcel::new(&history.terms, &certified.certificate, &fetched.receipt))?,
        proof: fetched.receipt.proof.clone(),
        output: fetched.output.clone().into(),
    };
    send(chain.deployment().certifier, sender, &call).await
}

fn not_certified(batch: u32) -> Failure {
    Failure::negative("result.not_certified", format!("batch {batch} has no certificate"))
        .hint("`guildhall deal show DEAL` says where it stands")
}

async fn send(to: Address, sender: &Sender, call: &impl SolCall) -> Result<TxOutcome> {
    Ok(sender.send(Call { to: Some(to), data: call.abi_encode().into(), value_wei: U256::ZERO }).await?)
}
