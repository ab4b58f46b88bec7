//! What to do about each refusal of the contracts. Knows their errors by name alone.

/// The remedy for an error of our contracts; `None` = the error says it all.
pub(crate) fn hint_of(name: &str) -> Option<&'static str> {
    before_a_deal(name).or_else(|| in_a_deal(name))
}

/// Money, orders, workers, assets.
fn before_a_deal(name: &str) -> Option<&'static str> {
    Some(match name {
        // Money.
        "BalanceTooLow" => "deposit the difference first",
        "InsufficientAllowance" => "approve the Vault for the amount, or use a permit",
        "InsufficientBalance" => "the account holds too few tokens",
        "SafeERC20FailedOperation" => "the token refused: check balance and approval of the Vault",
        "TokenChargesOnTransfer" => "tokens that charge on transfer are not supported",
        "PermitExpired" | "InvalidPermit" => "sign the permit again",
        "LockTooLarge" => "order fewer tasks, or with a lower fuel limit",
        // Orders.
        "OrderExpired" => "ask for a new order, or sign one with a later expiry",
        "WrongNonce" => "sign the order again with the current nonce: the old one was cancelled",
        "Cancelled" => "use another order: its signer cancelled this one",
        "OverVolume" => "use an order with more volume left, or order fewer tasks",
        "BadSignature" => "check the signer, the chain id and the Market's address that were signed",
        "RequestUsed" => "sign the request again with another salt",
        "OrdersMismatch" => "use orders for the same app, dataset and pool",
        "Restricted" => "use an order that admits this requester, app, dataset and pool",
        "PriceTooHigh" => "raise the cap in the request, or find a cheaper order",
        "PoolClosed" => "choose another pool",
        "RequestOutOfBounds" | "ParameterOutOfBounds" => "choose a value inside the bounds",
        "TipWithoutCallback" => "name a callback to deliver to, or offer no tip (`deliveryTip = 0`)",
        "EvidenceUnsupported" => "ask for no evidence (`evidence = 0`)",
        "ConfidenceUnreachable" => "raise `replicasMax`, or ask for less confidence",
        // Workforce.
        "UnknownPool" => "list the pools and choose one that exists",
        "UnknownWorker" => "join a pool with this worker first",
        "KeyTaken" => "use a new worker key: a key belongs to one operator for life",
        "BadWorkerKey" => "sign the operator and pool with the worker's key",
        "NotInvited" => "ask the pool's owner for an invitation",
        "BondTooSmall" => "raise the bond to the minimum",
        "NotInBondUnits" => "use a multiple of 0.001 token",
        "WrongState" => "look at the worker's state: it may have to wake, or to leave first",
        "StillBonded" => "wait until the time that is named",
        "ExposureExceeded" => "withdraw less, or wait until certificates are final",
        "CoordinatorTaken" => "use a new coordinator key: a key serves one pool for life",
        "StillActive" => "it contributed lately: it is not dormant",
        // Registry.
        "UnknownApp" | "UnknownDataset" => "check the number, or register it first",
        "UnknownRuntime" => "the protocol's owner registers runtimes; update, or use a registered one",
        "NameTooLong" => "use a name of at most 128 bytes",
        "EmptyContent" => "give the content id of the bytes",
        // Who may.
        "NotAllowed" | "NotOwner" | "NotAssetOwner" | "NotMinter" => "use the key that this belongs to",
        _ => return None,
    })
}

/// Rounds, certificates, delivery.
fn in_a_deal(name: &str) -> Option<&'static str> {
    Some(match name {
        "WrongTerms" => {
            "bring the terms that the deal opened with (event `DealOpened`); a deal that has ended whole has none left"
        }
        "NoSuchBatch" => "batches are counted from 0",
        "WrongStatus" => "read the batch again: somebody else may have been faster",
        "DeadlinePassed" => "the batch can only expire now",
        "TooEarly" => "wait until the time that is named",
        "TooLate" => "the window has closed",
        "WrongWave" => "wait for the wave to begin",
        "SeedUnavailable" => {
            "wait for the next block, or for the beacon; after 256 blocks a block's hash must have been pinned"
        }
        "EpochNotOver" => "wait for the end of the epoch by the chain's clock",
        "EpochBeforeBeacon" => "give an epoch of this deployment",
        "BadSignature" => "give the beacon's signature of the round that is named",
        "BadKey" => "give a key of BLS12-381, and a chain that has the precompiles of EIP-2537",
        "BadTimes" => "an epoch lasts from the beacon's period to an hour, a margin an hour at most",
        "PrecompileMissing" => "use a chain that has the precompiles of EIP-2537",
        "NoSeat" => "only workers with a seat in this round may contribute",
        "SameOperator" => "each operator has one seat in a round",
        "BadEntry" => "gather the entry again: its signature is for something else",
        "WrongLog" => "read what stands on chain again",
        "RevealedOnChain" => "list the worker with its contribution",
        "OddsTooLow" => "wait for more contributions, or for the next wave",
        "TooFewOperators" => "wait for contributions of other operators",
        "CollateralTooLow" => "wait for members with more free stake",
        "ExposureTooHigh" => "leave the worker out: half of its bond is at risk already",
        "TooManyAttempts" => "the batch can only expire now",
        "StandsOnChain" => "certify with what stands on chain, or let the batch expire",
        // Cases.
        "NotDrawn" => "nothing to do: the seed asks for the audit of one certificate in sixteen",
        "Audited" => "a certificate is audited once",
        "NotEntitled" => "dispute it with a bond (`guildhall dispute open`)",
        "NoFault" => "dispute a task whose result is wrong (`guildhall dispute open`)",
        "NoSuchTask" => "tasks of a batch are counted from 0",
        "Excluded" => "nothing to do: whoever has a part in a case does not judge it",
        "WrongCase" | "WrongJury" | "WrongJuror" => "read the case and its jury again from their events",
        "WrongOpening" => "show exactly what was committed or sealed",
        // Delivery.
        "WrongCertificate" => "bring the certificate of the last `Certified` event of the batch",
        "WrongReceipt" => {
            "bring the task's receipt and proof under the certificate's root, and the exact bytes of the output"
        }
        "AlreadyDelivered" => "nothing is left to do",
        "NoCallback" => "the deal names no callback: fetch the result instead",
        "Frozen" => "wait for the dispute to end",
        "GasTooLow" => "send the transaction with more gas",
        "CallbackFailed" => "the callback refused: check the consumer contract, then try again",
        _ => return None,
    })
}
