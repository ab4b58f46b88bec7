//! What comes after a certificate: pay, stake at risk, contradictions, the audit that a later seed draws, juries, reputation.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::B256;
use guildhall_protocol::{
    Amount, BondUnits, Odds, Policy, Reputation, RoundId, Seed, Terms, Weight,
    cases::{REWARD_PART, audited_task},
    confidence::{Weighing, group, odds, opposing, seats_needed},
    lot::{LAST_WAVE, WANT_MAX, has_seat, ticket, want},
    payouts::{Payouts, escrow, exposure_units, reputation_points, slash_units},
    units::{BOND_UNIT_WEI, MICRO},
};

use super::{
    Coordinator, Market, cost_of,
    gas::Gas,
    hash_of,
    operator::{Behaviour, Found},
    table::{Certified, Says},
    wei,
};

/// Of a thousand that the lot puts on a jury, those that do not sit.
const ABSENT_PERMILLE: u64 = 20;

/// How many times what a dissenter loses a false own trace costs.
const FALSE_TRACE_TIMES: u64 = 10;

/// What became of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stands,
    Overturned,
    Void,
}

pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) cases: u32,
}

/// What one juror says of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Right,
    Lie,
    /// Like nobody else's.
    Own(u32),
}

/// One case and who sits on it.
struct Bench<'a> {
    certified: &'a Certified,
    index: u32,
    /// Who may not sit.
    parties: BTreeSet<usize>,
    /// Tells draws apart.
    number: u32,
}

/// The money of a certificate.
struct Bill {
    payouts: Payouts,
    gross: Amount,
    exposure: BondUnits,
    slash: BondUnits,
    agreeing: Vec<usize>,
}

impl Market {
    /// Pays, lets everybody contradict, and holds the audit of a task, where there is one.
    pub(crate) fn judge(&mut self, terms: &Terms, certified: &Certified, audit: Option<u32>) -> Judged {
        let bill = self.pay(terms, certified);
        let mut judged = Judged { verdict: Verdict::Stands, cases: 0 };
        let mut overturned_by = None;
        let mut benches = self.contradictions(certified);
        if let Some(index) = audit {
            let number = benches.len() as u32;
            benches.push((None, Bench { certified, index, parties: BTreeSet::new(), number }));
        }
        for (opener, bench) in benches {
            judged.cases += 1;
            self.gas += if opener.is_some() { Gas::measured().dispute } else { Gas::measured().audit_open };
            judged.verdict = self.hear(&bench, &bill);
            if judged.verdict != Verdict::Stands {
                overturned_by = opener;
                break;
            }
            match opener {
                // A member's slash is in escrow already.
                Some(opener) if certified.members.iter().any(|member| member.place == opener) => {}
                // Whoever contradicts what a jury finds right was wrong itself.
                Some(opener) => {
                    self.operators[opener].slash(bill.slash);
                }
                None => self.earn(certified, &bill),
            }
        }
        self.settle(certified, &bill, judged.verdict, overturned_by);
        judged
    }

    /// An auditor makes the own traces of some contributions again: who copied pays ten times what a dissenter loses.
    pub(crate) fn accuse(&mut self, terms: &Terms, certified: &Certified) -> u32 {
        let gross = self.prices(terms).gross(self.batch_fuel()).unwrap_or(Amount::ZERO);
        let mut accused = 0;
        for member in certified.members.iter().filter(|member| member.says == Says::Agrees) {
            if !self.dice.hits(self.plan.accused_permille) {
                continue;
            }
            self.checks += u64::from(self.plan.tasks);
            if certified.copiers.contains(&member.place) {
                accused += 1;
                let units = FALSE_TRACE_TIMES * slash_units(gross).0;
                self.operators[member.place].slash(BondUnits(units));
            }
        }
        accused
    }

    /// Whether a worker's reputation counts as much as it can.
    pub(crate) fn counts_in_full(&self, place: usize) -> bool {
        let weighing = Weighing {
            count_reputation: true,
            ..Weighing::of(&self.policy, super::REPUTATION_STEP, self.plan.tasks)
        };
        weighing.weight(self.operators[place].reputation, 0) == weighing.weight(Reputation(u16::MAX), 0)
    }

    fn pay(&mut self, terms: &Terms, certified: &Certified) -> Bill {
        let (prices, now, fuel) = (self.prices(terms), certified.at, self.batch_fuel());
        let agreeing: Vec<_> = certified
            .members
            .iter()
            .filter(|member| member.says == Says::Agrees)
            .map(|member| member.place)
            .collect();
        let seats = u8::try_from(agreeing.len()).unwrap_or(u8::MAX);
        let amounts = prices.gross(fuel).and_then(|gross| Ok((gross, prices.payouts(seats, fuel)?)));
        let (gross, payouts) = amounts.unwrap_or_else(|error| unreachable!("our own prices: {error}"));
        let collateral = Amount(self.policy.collateralMin.to());
        let exposure = exposure_units(gross, Amount::ZERO, collateral, seats);
        for &place in &agreeing {
            self.operators[place].expose(exposure, now);
        }
        for &place in agreeing.iter().take(payouts.paid_seats.into()) {
            self.operators[place].purse += wei(payouts.to_each_worker);
        }
        self.fund += wei(payouts.to_pool);
        Bill { payouts, gross, exposure, slash: slash_units(gross), agreeing }
    }

    /// Who opens a case without a bond: holders of seats that were left out and found otherwise, and two members alike.
    fn contradictions<'a>(&mut self, certified: &'a Certified) -> Vec<(Option<usize>, Bench<'a>)> {
        // Who has nothing to compare with executes everything, sees by the root that something is wrong, and guesses where.
        let blind = self.plan.coordinator == Coordinator::Hides && self.plan.tasks > 1;
        let members: BTreeSet<_> = certified.members.iter().map(|member| member.place).collect();
        let mut openers: Vec<(usize, u32)> = Vec::new();
        let mut dissent: BTreeMap<B256, Vec<usize>> = BTreeMap::new();
        for &(place, found) in &certified.rivals {
            let index = match certified.claim {
                _ if blind => self.any_task(),
                claim if claim.is_wrong() => claim.wrong_task(),
                _ => found.wrong_task(),
            };
            if matches!(
                self.operators[place].behaviour,
                Behaviour::Lies
                    | Behaviour::LiesToWin
                    | Behaviour::LiesOnce
                    | Behaviour::Races
                    | Behaviour::Earns
            ) {
                // A liar does not call a jury.
            } else if members.contains(&place) {
                dissent.entry(found.root()).or_default().push(place);
                if dissent[&found.root()].len() == 2 {
                    openers.push((place, index));
                }
            } else {
                openers.push((place, index));
            }
        }
        if !certified.round.is_filled_by(certified.members.len()) {
            for place in certified.turned_away.iter().copied().filter(|place| !members.contains(place)) {
                if self.operators[place].is_faulty() {
                    continue;
                }
                let executed = if blind { self.plan.tasks } else { 1 };
                self.checks += u64::from(executed);
                self.operators[place].purse -= cost_of(executed);
                let (index, claim) = (self.any_task(), certified.claim);
                let differs = if blind { claim.is_wrong() } else { claim.is_wrong_at(index) };
                if differs {
                    openers.push((place, index));
                }
            }
        }
        let mut indices = BTreeSet::new();
        openers.retain(|(_, index)| indices.insert(*index));
        let benches = openers.into_iter().enumerate().map(|(number, (opener, index))| {
            (
                Some(opener),
                Bench { certified, index, parties: BTreeSet::from([opener]), number: number as u32 },
            )
        });
        benches.collect()
    }

    fn any_task(&mut self) -> u32 {
        self.dice.below(u64::from(self.plan.tasks)) as u32
    }

    /// The task of which the seed asks for an audit.
    pub(crate) fn audited(&self, terms: &Terms, certified: &Certified) -> Option<u32> {
        let seed = Seed(hash_of(&[self.plan.seed, self.round, u64::MAX]));
        audited_task(seed, terms.deal(), 0, certified.round.at.attempt, self.plan.tasks)
    }

    /// A jury: who sits, what they find, what it comes to.
    fn hear(&mut self, bench: &Bench<'_>, bill: &Bill) -> Verdict {
        let jurors = self.sit(bench);
        self.gas += Gas::measured().hearing(jurors.len() as u64);
        let certified = match bench.certified.claim {
            found if !found.is_wrong_at(bench.index) => Finding::Right,
            Found::Lie | Found::LieOnce => Finding::Lie,
            _ => Finding::Own(u32::MAX),
        };
        let target = bench.certified.round.target;
        let mut groups: BTreeMap<Finding, Weight> =
            BTreeMap::from([(certified, Weight(bench.certified.odds.0))]);
        for (_, weight, finding) in &jurors {
            let before = groups.get(finding).copied().unwrap_or(Weight(MICRO.into()));
            groups.insert(*finding, group([before, *weight]));
        }
        let reaches = |finding: &Finding| {
            let others = groups.iter().filter(|(other, _)| *other != finding).map(|(_, weight)| *weight);
            odds(groups[finding], opposing(others, [])) >= target
        };
        let sat = jurors.iter().any(|(_, _, finding)| *finding == certified);
        let verdict =
            groups.keys().find(|finding| reaches(finding) && (**finding != certified || sat)).copied();
        let fee = wei(bill.gross) / i128::from(self.plan.tasks);
        for (place, _, finding) in jurors {
            match verdict {
                Some(verdict) if verdict == finding => {
                    let paid = fee.min(self.fund);
                    self.fund -= paid;
                    self.operators[place].purse += paid;
                }
                Some(_) => {
                    let units = i128::from(BOND_UNIT_WEI);
                    self.operators[place].slash(BondUnits(u64::try_from(2 * fee / units).unwrap_or(1)));
                }
                None => {}
            }
        }
        match verdict {
            None => Verdict::Void,
            Some(verdict) if verdict == certified => Verdict::Stands,
            Some(_) => Verdict::Overturned,
        }
    }

    /// Draws the jury, wave by wave until those that sit could overturn the certificate, and asks them.
    fn sit(&mut self, bench: &Bench<'_>) -> Vec<(usize, Weight, Finding)> {
        let certified = bench.certified;
        let scaled = u128::from(MICRO).saturating_add(certified.odds.0);
        let target = Odds(certified.round.target.0.saturating_mul(scaled) / u128::from(MICRO));
        let policy = Policy { replicasMin: 1, replicasMax: WANT_MAX, ..self.policy };
        let seats = want(seats_needed(&policy, target), policy.faultyShareBps);
        let bond = BondUnits(self.operators.iter().map(|operator| operator.bond.0).sum());
        let case = hash_of(&[self.plan.seed, self.round, bench.number.into(), 7, self.jury_draw.into()]);
        let members: BTreeSet<_> = certified.members.iter().map(|member| member.place).collect();
        let weighing = Weighing { count_reputation: false, ..certified.round.weighing };
        let mut jurors: Vec<(usize, Weight, Finding)> = Vec::new();
        for wave in 0..=LAST_WAVE {
            if group(jurors.iter().map(|(_, weight, _)| *weight)).0 >= target.0 {
                break;
            }
            for place in 0..self.operators.len() {
                let operator = self.operators[place];
                let ticket = ticket(Seed(case), RoundId(case), operator.worker);
                let drawn = |wave| has_seat(ticket, seats, operator.bond, bond, wave);
                let sits = drawn(wave) && (wave == 0 || !drawn(wave - 1));
                if !sits || members.contains(&place) || bench.parties.contains(&place) {
                    continue;
                }
                if let Some(finding) = self.find_as_juror(place, bench) {
                    jurors.push((place, weighing.weight(Reputation::ZERO, wave), finding));
                }
            }
        }
        jurors
    }

    fn find_as_juror(&mut self, place: usize, bench: &Bench<'_>) -> Option<Finding> {
        let finding = match self.operators[place].behaviour {
            Behaviour::Withholds => return None,
            _ if self.dice.hits(ABSENT_PERMILLE) => return None,
            Behaviour::Lies => {
                self.cheated = true;
                return Some(Finding::Lie);
            }
            Behaviour::LiesToWin | Behaviour::LiesOnce | Behaviour::Races | Behaviour::Earns
                if matches!(bench.certified.claim, Found::Lie | Found::LieOnce)
                    && bench.certified.claim.is_wrong_at(bench.index) =>
            {
                // The certificate was the lie already.
                return Some(Finding::Lie);
            }
            // One task of a batch is wrong a tenth as often as the batch.
            Behaviour::Breaks(permille)
                if self.dice.hits(permille) && self.dice.below(u64::from(self.plan.tasks)) == 0 =>
            {
                self.cheated = true;
                Finding::Own(place as u32)
            }
            _ => Finding::Right,
        };
        self.checks += 1;
        self.operators[place].purse -= cost_of(1);
        Some(finding)
    }

    /// An audit that agrees earns members of wave 0 reputation.
    fn earn(&mut self, certified: &Certified, bill: &Bill) {
        let cut = Amount(bill.payouts.to_pool.0);
        let points = reputation_points(cut, super::REPUTATION_STEP);
        for member in
            certified.members.iter().filter(|member| member.says == Says::Agrees && member.wave == 0)
        {
            let operator = &mut self.operators[member.place];
            operator.reputation = operator.reputation.saturating_add(points);
        }
    }

    /// What is in escrow and at risk goes where the verdict says.
    fn settle(&mut self, certified: &Certified, bill: &Bill, verdict: Verdict, opener: Option<usize>) {
        match verdict {
            Verdict::Stands => {
                let mut slashed = 0;
                for member in &certified.members {
                    if matches!(member.says, Says::Dissents | Says::Silent) {
                        slashed += self.operators[member.place].slash(bill.slash).0;
                    }
                }
                let slashed = BondUnits(slashed).to_amount();
                let needed = usize::from(seats_needed(&self.policy, certified.round.target));
                let extra = u8::try_from(bill.agreeing.len().saturating_sub(needed)).unwrap_or(u8::MAX);
                let winners = u8::try_from(bill.agreeing.len()).unwrap_or(u8::MAX);
                let split = escrow(slashed, extra, bill.gross, winners);
                for &place in &bill.agreeing {
                    self.operators[place].purse += wei(split.to_each_winner);
                }
            }
            Verdict::Overturned => {
                let mut slashed = 0;
                for &place in &bill.agreeing {
                    slashed += self.operators[place].slash(bill.exposure).0;
                }
                if let Some(opener) = opener {
                    self.operators[opener].purse +=
                        wei(BondUnits(slashed).to_amount()) / i128::from(REWARD_PART);
                }
                for member in certified.members.iter().filter(|member| member.says == Says::Silent) {
                    self.operators[member.place].slash(bill.slash);
                }
            }
            // Nobody said that they earned it.
            Verdict::Void => {
                for &place in bill.agreeing.iter().take(bill.payouts.paid_seats.into()) {
                    self.operators[place].purse -= wei(bill.payouts.to_each_worker);
                }
            }
        }
    }
}
