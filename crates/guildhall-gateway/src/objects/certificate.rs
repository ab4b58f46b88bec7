//! A certificate with everything that later calls bring back, and what each member earned.

use alloy::primitives::Address;
use guildhall_chain::{EventKind, bindings::Recourse::RecourseEvents};
use guildhall_protocol::{
    Amount, BondUnits, Certificate, Claim, DealId, Fuel, Lot, Member, Odds, Terms, Trail,
    list::CLAIM_LEADING, members_hash, roster,
};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded, Share, deal::prices};
use crate::recorded::{Place, Recorded, Seen};

/// A member of a certified round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// Who, what it claimed, and what it lost.
    #[serde(flatten)]
    pub member: Member,
    /// What its operator was paid with the certificate.
    pub earned: Amount,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateRow {
    /// The deal.
    pub deal: DealId,
    /// The batch.
    pub batch: u32,
    /// The draw.
    pub attempt: u8,
    /// Pool of the deal.
    pub pool: u32,
    /// Tasks that it certifies.
    pub tasks: u32,
    /// The odds that the policy asked for.
    pub target: Odds,
    /// The odds reached.
    pub odds: Odds,
    /// The certificate as it stands: hash it and compare with the batch's slot.
    pub certificate: Certificate,
    /// What came before it.
    pub trail: Trail,
    /// Every member of the round.
    pub members: Vec<MemberRow>,
    /// Claims of those that dissent, then commitments that were never opened.
    pub rivals: Vec<Claim>,
    /// Whether a verdict or a proof undid it.
    pub overturned: bool,
    /// Where it stands.
    pub at: Seen,
    /// Place of its event.
    pub place: Place,
}

/// Members with what each was paid: the first of those that agree, as many as the deal pays for.
pub(super) fn paid(members: &[Member], certificate: &Certificate, terms: Option<&Terms>) -> Vec<MemberRow> {
    let payouts = terms
        .and_then(|terms| prices(terms, certificate.batch))
        .and_then(|prices| prices.payouts(certificate.seats, Fuel(certificate.fuel)).ok());
    let (mut left, each) = payouts.map_or((0, Amount::ZERO), |paid| (paid.paid_seats, paid.to_each_worker));
    let row = |member: &Member| {
        let earns = member.claim == CLAIM_LEADING && left > 0;
        left -= u8::from(earns);
        MemberRow { member: *member, earned: if earns { each } else { Amount::ZERO } }
    };
    members.iter().map(row).collect()
}

impl CertificateRow {
    /// Who took part.
    pub fn workers(&self) -> impl Iterator<Item = Address> {
        self.members.iter().map(|row| row.member.worker)
    }

    fn shown(&mut self, words: &[alloy::primitives::U256], terms: Option<&Terms>) {
        let members: Vec<Member> = words.iter().map(|word| Member::unpack(*word)).collect();
        if let Some(case_terms) = terms.and_then(|terms| terms.case_terms(self.batch).ok()) {
            let roster = roster(&members, &self.rivals, self.trail);
            self.certificate.members = members_hash(roster, case_terms);
        }
        let earned = |member: &Member| {
            let before = self.members.iter().find(|row| row.member.worker == member.worker);
            before.map_or(Amount::ZERO, |row| row.earned)
        };
        self.members =
            members.iter().map(|member| MemberRow { member: *member, earned: earned(member) }).collect();
    }
}

impl Folded for CertificateRow {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let certified = event.kind.certified()?;
        let certificate = certified.certificate;
        Some(Self {
            deal: DealId(certificate.dealId),
            batch: certificate.batch,
            attempt: certificate.attempt,
            pool: 0,
            tasks: 0,
            target: Odds::ZERO,
            odds: Odds(certificate.odds),
            members: Vec::new(),
            trail: certified.trail,
            rivals: certified.rivals,
            overturned: false,
            at: event.into(),
            place: event.place,
            certificate,
        })
    }

    fn apply(&mut self, event: &Recorded, context: Context<'_>) {
        if let Some(certified) = event.kind.certified() {
            self.members = paid(&certified.members, &self.certificate, context.terms);
            if let Some(terms) = context.terms {
                self.pool = terms.pool;
                self.tasks = terms.tasks_of(self.batch).unwrap_or_default();
                let target = terms.policy().map(|policy| Lot::target(&policy, self.attempt));
                self.target = target.unwrap_or_default();
            }
        }
        if let EventKind::Certifier(guildhall_chain::bindings::Certifier::CertifierEvents::StatusChanged(
            event,
        )) = &event.kind
        {
            self.overturned |= super::deal::is_void(event.status);
        }
        if let EventKind::Recourse(RecourseEvents::Shown(event)) = &event.kind {
            self.shown(&event.members, context.terms);
        }
    }

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        vec![("", String::new()), ("deal", self.deal.to_string()), ("pool", self.pool.to_string())]
    }

    fn shares(&self) -> Vec<Share> {
        if self.overturned {
            return vec![("certificates", "overturned".to_owned(), 1)];
        }
        let units = Amount(self.certificate.stake.to()).to_bond_units().unwrap_or(BondUnits::MAX);
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let executions = self.members.iter().filter(|row| row.member.claim == CLAIM_LEADING).count() as u64;
        vec![
            ("certificates", "standing".to_owned(), 1),
            ("stake_units", String::new(), count(units.0)),
            ("executions", String::new(), count(executions.saturating_mul(self.tasks.into()))),
        ]
    }
}
