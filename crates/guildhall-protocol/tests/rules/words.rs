//! Packed words, text forms and JSON: what is written reads back, and what was never written is an error, not a panic.

use alloy_primitives::{Address, U256, aliases::U96};
use guildhall_protocol::{
    Amount, AssetId, BondUnits, Bps, ContentId, DealId, EntryWord, Fuel, Member, Opened, OpenedWord,
    Parameters, Policy, PolicyWord, PoolId, RuntimeNumber, Secs, Status, UnixTime,
};
use proptest::prelude::*;

fn policies() -> impl Strategy<Value = Policy> {
    let numbers = (any::<u32>(), any::<u16>(), any::<u8>(), any::<u8>(), any::<u128>());
    let rest = (any::<bool>(), any::<u8>(), any::<u32>(), any::<bool>());
    (numbers, rest).prop_map(|(numbers, rest)| Policy {
        confidence: numbers.0,
        faultyShareBps: numbers.1,
        replicasMin: numbers.2,
        replicasMax: numbers.3,
        collateralMin: U96::from(numbers.4 >> 32),
        countReputation: rest.0,
        evidence: rest.1,
        disputeWindow: rest.2,
        finalOnly: rest.3,
    })
}

fn u256() -> impl Strategy<Value = U256> {
    any::<[u8; 32]>().prop_map(U256::from_be_bytes)
}

proptest! {
    #[test]
    fn a_policy_survives_its_word(policy in policies()) {
        prop_assert_eq!(PolicyWord::pack(&policy).unpack(), Ok(policy));
    }

    #[test]
    fn a_policy_survives_json(policy in policies()) {
        let json = serde_json::to_string(&policy).unwrap();
        prop_assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
    }

    #[test]
    fn any_word_is_a_policy_or_an_error(word in u256()) {
        if let Ok(policy) = PolicyWord(word).unpack() {
            prop_assert_eq!(PolicyWord::pack(&policy).0, word);
        }
    }

    #[test]
    fn an_opening_survives_its_word(
        block in 0u64..1 << 40, time in 0u64..1 << 40, bond: u64, parameters: u16, runtime: u8, share: u16,
        fee: u16, step: u16, patience in 0u64..1 << 40,
    ) {
        let opened = Opened {
            block,
            time: UnixTime(time),
            pool_bond: BondUnits(bond),
            parameters,
            runtime: RuntimeNumber(runtime),
            pool_share: Bps(share),
            protocol_fee: Bps(fee),
            reputation_step: step,
            patience: Secs(patience),
        };
        prop_assert_eq!(OpenedWord::pack(&opened).unpack(), opened);
    }

    #[test]
    fn an_entry_survives_its_word_and_other_bits_are_refused(
        worker: [u8; 20], claim: u8, wave: u8, on_chain: bool, bit in 17usize..96,
    ) {
        let entry = EntryWord { worker: Address::from(worker), claim, wave, on_chain };
        prop_assert_eq!(EntryWord::unpack(entry.pack()), Ok(entry));
        prop_assert!(EntryWord::unpack(entry.pack() | (U256::ONE << bit)).is_err());
    }

    #[test]
    fn a_member_survives_its_word(word in u256()) {
        prop_assert_eq!(Member::unpack(word).pack(), word);
    }

    #[test]
    fn text_never_panics(text in ".{0,100}") {
        let _ = text.parse::<ContentId>();
        let _ = text.parse::<DealId>();
        let _ = text.parse::<Amount>();
        let _ = text.parse::<Fuel>();
        let _ = text.parse::<PoolId>();
    }

    #[test]
    fn ids_and_quantities_survive_their_text(bytes: [u8; 32], number: u64) {
        let (content, deal) = (ContentId(bytes.into()), DealId(bytes.into()));
        prop_assert_eq!(content.to_string().parse(), Ok(content));
        prop_assert_eq!(deal.to_string().parse(), Ok(deal));
        prop_assert_eq!(Fuel(number).to_string().parse(), Ok(Fuel(number)));
        let amount = Amount(U256::from_be_bytes(bytes));
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        let json = serde_json::to_string(&(content, deal, Fuel(number), amount)).unwrap();
        prop_assert_eq!(serde_json::from_str(&json).ok(), Some((content, deal, Fuel(number), amount)));
    }

    #[test]
    fn arithmetic_is_checked(a: u64, b: u64) {
        prop_assert_eq!(Secs(a).checked_add(Secs(b)).map(Secs::get), a.checked_add(b));
        prop_assert_eq!(Secs(a).checked_sub(Secs(b)).map(Secs::get), a.checked_sub(b));
        prop_assert_eq!(Secs(a).checked_mul(b).map(Secs::get), a.checked_mul(b));
        prop_assert_eq!(Secs(a).saturating_sub(Secs(b)).get(), a.saturating_sub(b));
        prop_assert_eq!(UnixTime(a).after(Secs(b)).map(UnixTime::get), a.checked_add(b));
    }

    #[test]
    fn bond_units_round_down(units: u64, rest in 0u64..guildhall_protocol::units::BOND_UNIT_WEI) {
        let amount = BondUnits(units).to_amount().checked_add(Amount(U256::from(rest))).unwrap();
        prop_assert_eq!(amount.to_bond_units(), Some(BondUnits(units)));
    }
}

#[test]
fn a_content_id_has_one_spelling() {
    let id = ContentId::of(b"hello").to_string();
    assert!(id.parse::<ContentId>().is_ok());
    for other in [
        id.to_uppercase(),
        id[3..].to_owned(),
        format!("0x{}", &id[3..]),
        format!("{id}0"),
        id[..66].to_owned(),
    ] {
        let error = other.parse::<ContentId>().unwrap_err();
        assert!(error.to_string().contains(&other[..20]), "{error}");
        assert_eq!(error.code(), "protocol.unreadable");
    }
}

#[test]
fn numbers_are_read_strictly() {
    assert_eq!("1_000_000".parse(), Ok(Fuel(1_000_000)));
    for text in ["", "_1", "-1", "+1", "1.5", "1e6", "0x10", "١", "18446744073709551616"] {
        assert!(text.parse::<Fuel>().is_err(), "{text}");
    }
    assert_eq!(serde_json::to_string(&AssetId(U256::MAX)).unwrap().len(), 80);
    assert_eq!(serde_json::from_str::<Fuel>("12").unwrap(), Fuel(12));
    assert!(serde_json::from_str::<Fuel>("-12").is_err());
    assert!(serde_json::from_str::<Fuel>("1.5").is_err());
}

#[test]
fn parameters_survive_their_word_and_bounds_are_named() {
    let parameters = Parameters::default();
    assert_eq!(Parameters::unpack(parameters.pack(3).unwrap()), (3, parameters));
    let error = Parameters { fuel_per_sec: Fuel(1), ..parameters }.pack(1).unwrap_err();
    assert_eq!(error.to_string(), "parameter fuelPerSec is 1: choose 1000000 to 10000000000000");
}

#[test]
fn states_move_only_along_the_drawn_transitions() {
    use Status::{Disputed, Expired, Final, Open, Provisional, Reopened, Void};
    let drawn = [
        (Open, Provisional),
        (Open, Expired),
        (Provisional, Disputed),
        (Provisional, Final),
        (Disputed, Disputed),
        (Disputed, Provisional),
        (Disputed, Final),
        (Disputed, Reopened),
        (Disputed, Void),
        (Open, Void),
        (Reopened, Void),
        (Reopened, Provisional),
        (Reopened, Expired),
    ];
    for from in Status::ALL {
        assert_eq!(Status::from_code(from.code()), Some(from));
        for to in Status::ALL {
            assert_eq!(from.may_become(to), drawn.contains(&(from, to)), "{from:?} to {to:?}");
        }
        assert_eq!(from.is_last(), !Status::ALL.into_iter().any(|to| from.may_become(to)), "{from:?}");
    }
    assert_eq!(Status::from_code(7), None);
}
