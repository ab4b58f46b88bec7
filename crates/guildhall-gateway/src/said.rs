//! What an event says, as JSON: the fields that a reader of a deal's history wants.

use guildhall_chain::{
    EventKind,
    bindings::{
        Certifier::CertifierEvents, Court::CourtEvents, Inquest::InquestEvents, Jury::JuryEvents,
        Market::MarketEvents, Recourse::RecourseEvents, Workforce::WorkforceEvents,
    },
};
use guildhall_protocol::{Exit, Fuel, Member, Status};
use serde_json::{Value, json};

/// What an event says; an empty object for what is said by its name alone.
pub fn said(kind: &EventKind) -> Value {
    match kind {
        EventKind::Market(event) => market(event),
        EventKind::Certifier(event) => certifier(event),
        EventKind::Recourse(event) => recourse(event),
        EventKind::Court(event) => court(event, kind),
        EventKind::Jury(event) => jury(event),
        EventKind::Inquest(event) => inquest(event, kind),
        EventKind::Workforce(event) => workforce(event),
        _ => json!({}),
    }
}

fn market(event: &MarketEvents) -> Value {
    match event {
        MarketEvents::DealOpened(event) => json!({
            "requester": event.requester, "payer": event.terms.payer, "pool": event.pool,
            "tasks": event.terms.taskCount,
        }),
        MarketEvents::OrderCancelled(event) => json!({ "order": event.orderHash, "signer": event.signer }),
        MarketEvents::OrderSigned(event) => json!({ "order": event.orderHash, "signer": event.signer }),
        _ => json!({}),
    }
}

fn certifier(event: &CertifierEvents) -> Value {
    use CertifierEvents as C;
    match event {
        C::Certified(event) => json!({
            "attempt": event.certificate.attempt, "root": event.certificate.root,
            "fuel": Fuel(event.certificate.fuel), "odds": event.certificate.odds.to_string(),
            "seats": event.certificate.seats, "final_at": event.certificate.finalAt.to_string(),
            "members": event.members.iter().map(|word| Member::unpack(*word)).collect::<Vec<_>>(),
        }),
        C::Slashed(event) => json!({ "worker": event.worker, "units": event.units.to_string() }),
        C::RoundVoided(event) => json!({ "attempt": event.attempt }),
        C::Contradicted(event) => json!({
            "worker": event.worker, "root": event.root, "fuel": Fuel(event.fuel),
        }),
        C::Committed(event) => json!({
            "worker": event.worker, "round": event.roundId, "wave": event.wave, "commitment": event.commitment,
        }),
        C::Revealed(event) => json!({
            "worker": event.worker, "round": event.roundId, "root": event.root, "fuel": Fuel(event.fuel),
        }),
        C::Reopened(event) => json!({ "attempt": event.attempt }),
        C::BatchExpired(event) => json!({
            "refund": event.refund.to_string(), "paid_to_workers": event.paidToWorkers.to_string(),
        }),
        C::Delivered(event) => json!({
            "task": event.task.to_string(), "attempt": event.attempt, "is_final": event.isFinal,
        }),
        C::DeliveryTipped(event) => json!({
            "task": event.task.to_string(), "deliverer": event.deliverer, "tip": event.tip.to_string(),
        }),
        C::StatusChanged(event) => json!({ "status": Status::from_code(event.status) }),
    }
}

fn recourse(event: &RecourseEvents) -> Value {
    match event {
        RecourseEvents::Released(event) => json!({
            "burnt": event.burnt.to_string(), "to_payer": event.toPayer.to_string(),
            "to_workers": event.toWorkers.to_string(),
        }),
        RecourseEvents::Shown(event) => json!({
            "worker": event.worker, "root": event.root, "fuel": Fuel(event.fuel),
        }),
        RecourseEvents::Contradicted(event) => json!({
            "worker": event.worker, "root": event.root, "fuel": Fuel(event.fuel),
        }),
    }
}

/// Upheld, overturned, void and so on, as a case's state.
fn verdict(state: u8) -> &'static str {
    crate::objects::state_name(state)
}

fn court(event: &CourtEvents, kind: &EventKind) -> Value {
    match event {
        CourtEvents::CaseOpened(event) => json!({
            "index": event.index, "case": kind.case_opened().map(|case| case.id()), "opener": event.record.opener,
        }),
        CourtEvents::Decided(event) => json!({
            "case": event.caseId, "verdict": verdict(event.verdict), "finding": event.finding,
            "odds": event.odds.to_string(),
        }),
        CourtEvents::CaseClosed(event) => json!({ "index": event.index, "verdict": verdict(event.verdict) }),
        CourtEvents::Punished(event) => json!({ "worker": event.worker, "units": event.units.to_string() }),
        CourtEvents::Disproved(event) => json!({ "by": event.by, "path": event.path.to_string() }),
    }
}

fn jury(event: &JuryEvents) -> Value {
    match event {
        JuryEvents::JurorCommitted(event) => json!({ "case": event.caseId, "worker": event.worker }),
        JuryEvents::JurorRevealed(event) => json!({
            "case": event.caseId, "worker": event.worker, "finding": event.juror.finding,
        }),
        JuryEvents::SealOpened(event) => json!({ "case": event.caseId, "finding": event.finding }),
        JuryEvents::ReceiptShown(event) => json!({
            "index": event.index, "exit": Exit::from_code(event.receipt.exit), "fuel": Fuel(event.receipt.fuel),
            "output_digest": event.receipt.outputDigest, "trace_digest": event.receipt.traceDigest,
        }),
        _ => json!({}),
    }
}

fn inquest(event: &InquestEvents, kind: &EventKind) -> Value {
    match event {
        InquestEvents::InquestOpened(event) => json!({
            "index": event.index, "case": kind.inquest_opened().map(|inquest| inquest.case.id()),
            "opener": event.record.opener,
        }),
        InquestEvents::InquestClosed(event) => json!({
            "case": event.caseId, "found": event.found, "finding": event.finding, "odds": event.odds.to_string(),
        }),
        InquestEvents::Punished(event) => json!({ "worker": event.worker, "units": event.units.to_string() }),
        _ => json!({}),
    }
}

fn workforce(event: &WorkforceEvents) -> Value {
    match event {
        WorkforceEvents::WorkerJoined(event) => json!({
            "pool": event.pool, "operator": event.operator, "bond": event.bond.to_string(),
        }),
        WorkforceEvents::Expelled(event) => json!({
            "slashed": event.slashed.to_string(), "reporter": event.reporter,
        }),
        WorkforceEvents::ReputationEarned(event) => json!({ "reputation": event.reputation }),
        _ => json!({}),
    }
}
