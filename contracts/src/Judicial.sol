// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "./interfaces/ICases.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {ISeed} from "./interfaces/ISeed.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {Lot} from "./libraries/Lot.sol";
import {Claims, MemberWords} from "./libraries/MemberWords.sol";
import {Purse, Purses} from "./libraries/Purses.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Case, Hearing, Juror} from "./types/Cases.sol";
import {Certificate, CertifiedBatch, Status} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title What Court, Jury and Inquest have in common
/// @notice Whom they ask, how they authenticate what calls bring back, what jurors put at risk, lose and earn.
abstract contract Judicial is ICases {
    using TermsHash for Terms;
    using CaseWords for Case;
    using Purses for Purse;

    /// @dev Upper 216 bits of a slot: a hash.
    uint256 internal constant HASH_MASK = Certificates.HASH_MASK;
    /// @dev Smallest bond of an opening, in the token's smallest unit: a thousand bond units.
    uint256 internal constant BOND_MIN = 1000 * WorkerWords.BOND_UNIT;
    /// @dev Length of a window: the round's patience within these bounds, so that six windows (the longest term) are a day at
    /// most: {WorkerWords-RISK_PERIOD} reckons with that.
    uint256 private constant WINDOW_MIN = 60;
    uint256 private constant WINDOW_MAX = 4 hours;

    /// @notice Workers and bonds.
    IWorkforce public immutable workforce;
    /// @notice Deals.
    IMarket public immutable market;
    /// @notice Batches.
    ICertifier public immutable certifier;
    /// @notice Where seeds come from.
    ISeed public immutable seeds;

    constructor(address workforce_, address market_, address certifier_, address seeds_) {
        workforce = IWorkforce(workforce_);
        market = IMarket(market_);
        certifier = ICertifier(certifier_);
        seeds = ISeed(seeds_);
    }

    /// @dev Reverts unless this is the batch as the slot holds it; answers its status.
    function _authenticate(CertifiedBatch calldata certified) internal view returns (Status) {
        uint256 word = certifier.batchWord(certified.certificate.dealId, certified.certificate.batch);
        return Certificates.checkWhole(certified, word);
    }

    /// @dev Reverts unless these are the terms of the certificate's deal.
    function _checkTerms(Terms calldata terms, Certificate calldata certificate) internal view {
        _checkDeal(terms, certificate.dealId);
    }

    /// @dev Reverts unless these are the terms of a deal.
    function _checkDeal(Terms calldata terms, bytes32 dealId) internal view {
        bytes32 stored = market.termsHash(terms.dealId);
        if (terms.dealId != dealId || stored != terms.hash()) revert WrongTerms(terms.dealId);
    }

    /// @dev Reverts unless the case is about the certificate's batch.
    function _checkSubject(Case calldata record, Certificate calldata certificate) internal pure {
        if (record.dealId != certificate.dealId || record.facts.batch() != certificate.batch) {
            revert WrongCase(record.idOf());
        }
    }

    /// @dev Reverts unless the last of `count` records is the case that the first one appeals, if it appeals any.
    function _checkAppealed(uint256 count, Case calldata record, Case calldata last) internal pure {
        bytes32 id = last.idOf();
        if (record.before == 0 ? count != 1 : (count != 2 || id != record.before)) revert WrongCase(id);
    }

    /// @dev Puts stake of a worker at risk, at its own or its operator's call; answers its word as it was.
    function _putAtRisk(address worker, uint256 units, address caller) internal returns (WorkerWord word) {
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWords.pack(worker, Claims.BARE, 0, 0, units);
        word = workforce.settle(members)[0];
        if (word.room() < units) revert ExposureTooHigh(worker, units, word.room());
        // The operator's number fits: a worker's word has 32 bits for it.
        if (caller != worker && workforce.operatorAddress(uint32(word.operator())) != caller) {
            revert NotAllowed(caller);
        }
    }

    /// @dev Punishes one worker for what it did in a case; answers what it lost, in the token's smallest unit.
    function _punish(Case calldata record, address worker, uint256 units) internal returns (uint256) {
        uint256 taken = workforce.punish(worker, units, record.facts.openedAt());
        // Fits: packed from such a field.
        emit Punished(record.dealId, uint32(record.facts.batch()), worker, taken);
        return taken * WorkerWords.BOND_UNIT;
    }

    /// @dev Who found otherwise or did not reveal loses its slash and its reputation; answers how much.
    function _slashJurors(Hearing calldata hearing, bytes32 finding) internal returns (uint256 slashed) {
        Case calldata record = hearing.record;
        Juror[] calldata jurors = hearing.jurors;
        for (uint256 i; i < jurors.length; ++i) {
            if (_earns(jurors[i], finding, false)) continue;
            slashed += _punish(record, jurors[i].word.worker(), record.stakes.slash());
        }
    }

    /// @dev How many jurors a verdict pays.
    function _countEarning(Juror[] calldata jurors, bytes32 finding, bool all) internal pure returns (uint256 count) {
        for (uint256 i; i < jurors.length; ++i) {
            if (_earns(jurors[i], finding, all)) ++count;
        }
    }

    /// @dev Gives each of them `each`, which {Purses-takeEach} took.
    function _giveJurors(Purse memory purse, Juror[] calldata jurors, bytes32 finding, bool all, uint256 each)
        internal
        pure
    {
        for (uint256 i; i < jurors.length; ++i) {
            if (_earns(jurors[i], finding, all)) purse.give(Accounts.ofOperator(jurors[i].word.operator()), each);
        }
    }

    /// @dev Whether a juror revealed, and found what prevailed unless `all` are paid.
    function _earns(Juror calldata juror, bytes32 finding, bool all) private pure returns (bool) {
        return juror.word.revealed() && (all || juror.finding == finding);
    }

    /// @dev Length of a window.
    function _windowOf(uint256 patience) internal pure returns (uint256) {
        if (patience < WINDOW_MIN) return WINDOW_MIN;
        return patience < WINDOW_MAX ? patience : WINDOW_MAX;
    }

    /// @dev Seats of a jury: as of a round whose fresh weights must reach `target`.
    function _seatsFor(uint256 target, uint256 faultyShareBps) internal pure returns (uint256) {
        (uint256 needed,) = Confidence.seatsFor(target, Confidence.freshWeight(faultyShareBps), 1, Lot.WANT_MAX);
        return Lot.want(needed, faultyShareBps);
    }

    /// @dev Number of a worker's operator.
    function _operatorOf(address worker) internal view returns (uint256) {
        return workforce.workerOf(worker).operator();
    }

    /// @dev Whether an operator is requester, payer or owner of what the deal is about.
    function _isParty(Terms calldata terms, address who) internal view returns (bool) {
        return who == terms.requester || who == terms.payer || who == terms.appOwner || who == terms.datasetOwner
            || who == workforce.poolOf(terms.pool).owner();
    }
}
