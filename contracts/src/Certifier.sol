// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deliveries} from "./Deliveries.sol";
import {Rounds} from "./Rounds.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Round} from "./libraries/Draws.sol";
import {Claims} from "./libraries/MemberWords.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {Raw} from "./libraries/Raw.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Certificate, Claim, Entry, LogItem, Status} from "./types/Certificates.sol";
import {ParametersWord} from "./types/Parameters.sol";
import {Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Certifier
/// @notice Rounds, certificates, delivery: see {ICertifier}. This file certifies; what stands on chain before is in
/// {Rounds}, how members are weighed in {Judging}, expiry in {Settlement}, delivery in {Deliveries}.
/// @dev Calls no foreign code but a callback at delivery, after all effects: nothing can block a settlement.
contract Certifier is Deliveries {
    using TermsHash for Terms;
    using Raw for MemberWord[];
    using Raw for WorkerWord[];
    using Raw for uint256[];

    constructor(
        address vault_,
        address workforce_,
        address market_,
        address seeds_,
        uint8 seedKind_,
        address recourse_,
        address court_
    ) Rounds(vault_, workforce_, market_, seeds_, seedKind_, recourse_, court_) {}

    /// @inheritdoc ICertifier
    function certify(
        Terms calldata terms,
        uint256 batch,
        Claim[] calldata claims,
        Entry[] calldata entries,
        LogItem[] calldata log
    ) external {
        _certify(terms, batch, claims, entries, log);
    }

    /// @inheritdoc ICertifier
    function certifyMany(Terms calldata terms, Submission[] calldata submissions) external {
        Terms calldata same = terms;
        assembly ("memory-safe") {
            // Adds zero, which the compiler cannot know: for a constant offset it would make a copy of all that reads
            // terms, and the contract would not fit.
            same := add(terms, iszero(calldatasize()))
        }
        for (uint256 i; i < submissions.length; ++i) {
            Submission calldata submission = submissions[i];
            _certify(same, submission.batch, submission.claims, submission.entries, submission.log);
        }
    }

    /// @inheritdoc ICertifier
    function voidRound(
        Terms calldata terms,
        uint256 batch,
        Claim[] calldata claims,
        Entry[] calldata entries,
        LogItem[] calldata log
    ) external {
        Round memory round = _draw(terms, batch);
        if (block.timestamp > terms.deadline) revert DeadlinePassed(terms.deadline);
        _checkDistinct(claims);
        (MemberWord[] memory members,) = _gather(round, claims, entries, log);
        WorkerWord[] memory words = _settle(members);
        Verdict memory verdict = _judge(round, terms, claims.length, Claims.UNAVAILABLE, members, words, entries.length);
        _checkVerdict(round, terms.policy, verdict);
        _batches[terms.dealId][batch] = uint8(Status.Void);
        emit RoundVoided(terms.dealId, uint32(batch), uint8(round.attempt));
        uint256[] memory payments = new uint256[](1);
        payments[0] = Accounts.payment(uint160(terms.payer), terms.lockOf(round.tasks));
        _payOut(payments, 0, 0);
    }

    /// @dev Gathers, settles, judges, pays, writes; every failure undoes all.
    function _certify(
        Terms calldata terms,
        uint256 batch,
        Claim[] calldata claims,
        Entry[] calldata entries,
        LogItem[] calldata log
    ) private {
        Round memory round = _draw(terms, batch);
        if (block.timestamp > terms.deadline) revert DeadlinePassed(terms.deadline);
        _checkClaims(claims, terms.fuelOf(round.tasks));
        (MemberWord[] memory members, bytes32[] memory bare) = _gather(round, claims, entries, log);
        Payouts.Shares memory shares = Payouts.sharesOf(
            claims[0].fuel, terms.feePerMfuel, terms.opened.poolShareBps(), terms.opened.protocolFeeBps()
        );
        _stake(members, entries.length, round, terms, shares.gross);
        WorkerWord[] memory words = _settle(members);
        Verdict memory verdict = _judge(round, terms, claims.length, Claims.LEADING, members, words, entries.length);
        Certificate memory certificate;
        certificate.odds = uint128(_checkVerdict(round, terms.policy, verdict));
        uint256 stake;
        unchecked {
            // 8 bits of members, 40 of bond units, 50 of the unit.
            stake = verdict.agreeing * verdict.exposure * WorkerWords.BOND_UNIT;
        }
        if (stake < terms.policy.collateralMin()) revert CollateralTooLow(stake, terms.policy.collateralMin());
        certificate.stake = stake < type(uint96).max ? uint96(stake) : type(uint96).max;
        certificate.seats = uint8(verdict.agreeing);
        certificate.evidence = uint8(verdict.evidence);
        _write(round, terms, claims, members, words, bare, certificate);
        _pay(round, terms, shares, members, words, verdict.agreeing);
    }

    /// @dev Stores the certificate's hash and shows it whole.
    function _write(
        Round memory round,
        Terms calldata terms,
        Claim[] calldata claims,
        MemberWord[] memory members,
        WorkerWord[] memory words,
        bytes32[] memory bare,
        Certificate memory certificate
    ) private {
        if (certificate.seats != members.length) {
            _takeSlashes(terms.dealId, round.batch, members, words);
        }
        Claim[] memory rivals = _rivalsOf(claims, bare);
        certificate.dealId = terms.dealId;
        certificate.batch = uint32(round.batch);
        certificate.attempt = uint8(round.attempt);
        certificate.root = claims[0].root;
        certificate.fuel = claims[0].fuel;
        certificate.seedKind = seedKind;
        certificate.delivery = terms.deliveryHash();
        certificate.policy = terms.policy;
        certificate.certifiedAt = uint64(block.timestamp);
        unchecked {
            // A window of three days at most.
            certificate.finalAt = uint64(block.timestamp + terms.policy.disputeWindow());
        }
        uint256 trail = Certificates.trailOf(round.word);
        bytes32 roster = Certificates.rosterOf(members, rivals, trail);
        certificate.members = Certificates.membersHash(roster, terms.caseTermsOf(round.tasks));
        _batches[terms.dealId][round.batch] = Certificates.slotOf(certificate, uint8(Status.Provisional));
        if (rivals.length != 0) emit Certified(terms.dealId, uint32(round.batch), certificate, trail, members, rivals);
        else _emitAgreed(certificate, trail, members);
    }

    /// @dev `Certified` of a round without rivals, without the encoder's loops: the certificate's 15 words, the trail, the
    /// offsets of two arrays, the members, an empty array.
    function _emitAgreed(Certificate memory certificate, uint256 trail, MemberWord[] memory members) private {
        bytes32 signature = Certified.selector;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(mload(members), 32)
            mcopy(free, certificate, 480)
            mstore(add(free, 480), trail)
            mstore(add(free, 512), 576)
            mstore(add(free, 544), add(size, 608))
            mcopy(add(free, 576), members, add(size, 32))
            mstore(add(free, add(size, 608)), 0)
            log3(free, add(size, 640), signature, mload(certificate), mload(add(certificate, 32)))
        }
    }

    /// @dev Pays the agreeing operators, the owners, the pool or whoever posted late, and refunds the payer.
    function _pay(
        Round memory round,
        Terms calldata terms,
        Payouts.Shares memory shares,
        MemberWord[] memory members,
        WorkerWord[] memory words,
        uint256 agreeing
    ) private {
        uint256 paid = terms.policy.replicasMax();
        if (agreeing < paid) paid = agreeing;
        uint256[] memory payments = new uint256[](paid + 4);
        uint256 count;
        unchecked {
            // There are at least `paid` leading members.
            for (uint256 i; count < paid; ++i) {
                if (members.get(i).claim() != Claims.LEADING) continue;
                payments.put(count++, Accounts.payment(Accounts.ofOperator(words.get(i).operator()), shares.net));
            }
        }
        uint256 poolPart;
        uint256 refund;
        uint256 protocolPart;
        unchecked {
            // The lock covers `replicasMax` executions at the fuel limit, each rounded up, and the prices.
            poolPart = paid * shares.poolCut;
            protocolPart = paid * shares.protocolCut;
            refund = terms.lockOf(round.tasks) - paid * shares.gross - terms.pricesOf(round.tasks);
        }
        if (_isLate(terms, round)) {
            payments[count++] = Accounts.payment(uint160(msg.sender), poolPart);
            poolPart = 0;
        }
        (uint256 appPart, uint256 datasetPart) = terms.partsOf(round.tasks);
        if (appPart != 0) payments[count++] = Accounts.payment(uint160(terms.appOwner), appPart);
        if (datasetPart != 0) payments[count++] = Accounts.payment(uint160(terms.datasetOwner), datasetPart);
        if (refund != 0) payments[count++] = Accounts.payment(uint160(terms.payer), refund);
        assembly ("memory-safe") {
            mstore(payments, count)
        }
        _payOut(payments, terms.pool, poolPart | protocolPart << 128);
    }

    /// @dev Whether whoever posts earns the pool's share: long after all windows have closed.
    function _isLate(Terms calldata terms, Round memory round) private view returns (bool) {
        uint256 end = round.opened.windowsEnd();
        if (block.timestamp <= end) return false;
        (, ParametersWord parameters) = market.deal(terms.dealId, terms.opened.version());
        return block.timestamp > end + parameters.posterGraceSecs();
    }

    /// @dev What each member puts at risk or loses. Members that stand on chain only may be left out later, so the others
    /// must not count on them: the collateral is divided by those who agree in the list, or by the seats needed if these
    /// are more.
    function _stake(
        MemberWord[] memory members,
        uint256 listed,
        Round memory round,
        Terms calldata terms,
        uint256 gross
    ) private pure {
        unchecked {
            uint256 agreeing = round.agreeing;
            for (uint256 i = listed; i < members.length; ++i) {
                if (members.get(i).claim() == Claims.LEADING) ++agreeing;
            }
            if (agreeing == 0) revert TooFewOperators(0, terms.policy.replicasMin());
            if (agreeing > round.needed) agreeing = round.needed;
            if (agreeing < round.agreeing) agreeing = round.agreeing;
            uint256 exposure =
                Payouts.exposureUnits(gross, terms.pricesOf(round.tasks), terms.policy.collateralMin(), agreeing);
            uint256 slash = Payouts.slashUnits(gross) << 40;
            for (uint256 i; i < members.length; ++i) {
                MemberWord member = members.get(i);
                uint256 claim = member.claim();
                if (claim == Claims.UNAVAILABLE) continue;
                uint256 part = claim == Claims.LEADING ? exposure : slash;
                members.put(i, MemberWord.wrap(MemberWord.unwrap(member) | part));
            }
        }
    }

    /// @dev At least one claim, and a fuel that the locked funds cover.
    function _checkClaims(Claim[] calldata claims, uint256 fuelMax) private pure {
        if (claims.length == 0 || claims[0].fuel > fuelMax) revert BadClaim(0);
        _checkDistinct(claims);
    }

    /// @dev No two claims are the same: a group split in two would weigh its sum, not its product.
    function _checkDistinct(Claim[] calldata claims) private pure {
        if (claims.length > LIST_MAX) revert TooMany(claims.length, LIST_MAX);
        for (uint256 i = 1; i < claims.length; ++i) {
            for (uint256 j; j < i; ++j) {
                if (claims[i].root == claims[j].root && claims[i].fuel == claims[j].fuel) revert BadClaim(i);
            }
        }
    }

    /// @dev The rival claims, then the commitments of those without a claim.
    function _rivalsOf(Claim[] calldata claims, bytes32[] memory bare) private pure returns (Claim[] memory rivals) {
        rivals = new Claim[](claims.length - 1 + bare.length);
        for (uint256 i = 1; i < claims.length; ++i) {
            rivals[i - 1] = claims[i];
        }
        for (uint256 i; i < bare.length; ++i) {
            rivals[claims.length - 1 + i].root = bare[i];
        }
    }
}
