// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "./interfaces/ICertifier.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRecourse} from "./interfaces/IRecourse.sol";
import {ISeed} from "./interfaces/ISeed.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Draws, Round} from "./libraries/Draws.sol";
import {Logs} from "./libraries/Logs.sol";
import {Lot} from "./libraries/Lot.sol";
import {Claims} from "./libraries/MemberWords.sol";
import {Messages} from "./libraries/Messages.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {SignatureChecks} from "./libraries/SignatureChecks.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Certificate, CertifiedBatch, Claim, LogItem, Status} from "./types/Certificates.sol";
import {OpenedWord, Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Recourse
/// @notice What comes after a certificate and needs no judgement: see {IRecourse}.
/// @dev Beside the Certifier because one contract holds 24 kB at most; it may rewrite a batch's slot and pay escrow out.
contract Recourse is IRecourse {
    using Draws for Round;
    using TermsHash for Terms;

    /// @dev Seats that a worker misses before others may put it to sleep.
    uint256 private constant MISSED_SEATS = 8;

    /// @notice The ledger.
    IVault public immutable vault;
    /// @notice Workers and bonds.
    IWorkforce public immutable workforce;
    /// @notice Deals.
    IMarket public immutable market;
    /// @notice Batches.
    ICertifier public immutable certifier;
    /// @notice Where seeds come from.
    ISeed public immutable seeds;

    constructor(address vault_, address workforce_, address market_, address certifier_, address seeds_) {
        vault = IVault(vault_);
        workforce = IWorkforce(workforce_);
        market = IMarket(market_);
        certifier = ICertifier(certifier_);
        seeds = ISeed(seeds_);
    }

    /// @inheritdoc IRecourse
    function release(Terms calldata terms, CertifiedBatch calldata certified) external {
        Certificate calldata certificate = certified.certificate;
        uint256 word = _authenticate(certified);
        if (uint8(word) != uint8(Status.Provisional)) revert WrongStatus(Status(uint8(word)));
        if (block.timestamp < certificate.finalAt) revert TooEarly(certificate.finalAt);
        _checkTerms(terms, certificate);
        uint256 final_ = word - uint8(Status.Provisional) + uint8(Status.Final);
        certifier.rewrite(terms.dealId, certificate.batch, final_);
        _payEscrow(terms, certificate, certified.members);
    }

    /// @inheritdoc IRecourse
    function show(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        uint256 index,
        bytes32 root,
        uint64 fuel,
        bytes32 ownTraceRoot
    ) external {
        Certificate calldata certificate = certified.certificate;
        uint256 word = _authenticate(certified);
        // Also while a task is disputed: a dispute must not run a silent member's time out.
        if (uint8(word) != uint8(Status.Provisional) && uint8(word) != uint8(Status.Disputed)) {
            revert WrongStatus(Status(uint8(word)));
        }
        if (block.timestamp >= certificate.finalAt) revert TooLate(certificate.finalAt);
        _checkTerms(terms, certificate);
        MemberWord member = certified.members[index];
        address worker = member.worker();
        bytes32 opening = Draws.commitmentOf(worker, _roundIdOf(terms, certificate), root, fuel, ownTraceRoot);
        if (member.claim() != Claims.BARE || _bareCommitment(certified.members, certified.rivals, index) != opening) {
            revert WrongOpening(worker);
        }
        MemberWord[] memory changed = certified.members;
        if (root == certificate.root && fuel == certificate.fuel) {
            changed[index] = member.withClaim(Claims.SHOWN_AGREEING).withSlash(0);
            _payOne(_operatorOf(worker), member.slash() * WorkerWords.BOND_UNIT);
        } else {
            changed[index] = member.withClaim(Claims.SHOWN_RIVAL);
            emit Contradicted(certificate.dealId, certificate.batch, worker, root, fuel);
        }
        Certificate memory next = certificate;
        bytes32 roster = Certificates.rosterOf(changed, certified.rivals, certified.trail);
        next.members = Certificates.membersHash(roster, certified.caseTerms);
        uint256 slot = Certificates.slotOf(next, word & ~Certificates.HASH_MASK);
        certifier.rewrite(certificate.dealId, certificate.batch, slot);
        emit Shown(certificate.dealId, certificate.batch, worker, root, fuel, changed, certified.rivals);
    }

    /// @inheritdoc IRecourse
    function proveWorkerFault(address worker, bytes32 roundId, SignedClaim calldata a, SignedClaim calldata b)
        external
    {
        // A worker contributes to a round once, whatever its wave: two lists under its name are as bad as two roots.
        if (a.root == b.root && a.fuel == b.fuel && a.wave == b.wave && a.listHash == b.listHash) revert NoFault();
        _checkClaim(worker, roundId, a);
        _checkClaim(worker, roundId, b);
        workforce.expel(worker, msg.sender);
    }

    /// @inheritdoc IRecourse
    function proveDoubleCommitment(
        address worker,
        bytes32 roundId,
        uint8[2] calldata waves,
        bytes32[2] calldata commitments,
        bytes32[2] calldata rs,
        bytes32[2] calldata vss
    ) external {
        if (commitments[0] == commitments[1]) revert NoFault();
        for (uint256 i; i < 2; ++i) {
            bytes32 digest = _digest(Messages.commitment(roundId, waves[i], commitments[i]));
            if (!SignatureChecks.isSigned(worker, digest, rs[i], vss[i])) revert BadSignature(worker);
        }
        workforce.expel(worker, msg.sender);
    }

    /// @inheritdoc IRecourse
    function proveCommitmentFault(
        bytes32 dealId,
        uint256 batch,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        SignedCommitment calldata signed
    ) external {
        _expelCommitter(certifier.batchWord(dealId, batch), roundId, log, index, signed);
    }

    /// @inheritdoc IRecourse
    function proveCertifiedCommitmentFault(
        CertifiedBatch calldata certified,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        SignedCommitment calldata signed
    ) external {
        _authenticate(certified);
        _expelCommitter(certified.trail, roundId, log, index, signed);
    }

    /// @dev Expels who signed another commitment than item `index` of the log whose hash `word` holds.
    function _expelCommitter(
        uint256 word,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        SignedCommitment calldata signed
    ) private {
        bytes32 stands = bytes32(word & Certificates.HASH_MASK);
        bytes32 hash = Logs.hashOf(roundId, log);
        if (stands != hash) revert WrongLog(stands, hash);
        LogItem calldata item = log[index];
        if (Logs.kindOf(item.word) != Logs.COMMITTED || item.a == signed.commitment) revert NoFault();
        address worker = Logs.workerOf(item.word);
        bytes32 digest = _digest(Messages.commitment(roundId, signed.wave, signed.commitment));
        if (!SignatureChecks.isSigned(worker, digest, signed.r, signed.vs)) revert BadSignature(worker);
        workforce.expel(worker, msg.sender);
    }

    /// @inheritdoc IRecourse
    function proveCoordinatorFault(
        address coordinator,
        bytes32 roundId,
        uint8 wave,
        bytes32[2] calldata listHashes,
        bytes32[2] calldata rs,
        bytes32[2] calldata vss
    ) external {
        if (listHashes[0] == listHashes[1]) revert NoFault();
        for (uint256 i; i < 2; ++i) {
            bytes32 digest = _digest(Messages.roundList(roundId, wave, listHashes[i]));
            if (!SignatureChecks.isSigned(coordinator, digest, rs[i], vss[i])) revert BadSignature(coordinator);
        }
        workforce.slashPool(coordinator, msg.sender);
    }

    /// @inheritdoc IRecourse
    function reportDormant(address worker, MissedSeat[] calldata seats) external {
        if (seats.length != MISSED_SEATS) revert TooFewSeats(seats.length, MISSED_SEATS);
        WorkerWord word = workforce.workerOf(worker);
        uint256 lastBlock;
        for (uint256 i; i < seats.length; ++i) {
            uint256 opened = _checkMissed(worker, word, seats[i]);
            // Ascending blocks: eight different draws.
            if (opened <= lastBlock) revert NoFault();
            lastBlock = opened;
        }
        workforce.makeDormant(worker);
    }

    /// @dev Reverts unless the worker had a seat in wave 0 and the certificate does without it; answers the opening block.
    function _checkMissed(address worker, WorkerWord word, MissedSeat calldata seat) private view returns (uint256) {
        Certificate calldata certificate = seat.certified.certificate;
        _authenticate(seat.certified);
        _checkTerms(seat.terms, certificate);
        for (uint256 i; i < seat.certified.members.length; ++i) {
            if (seat.certified.members[i].worker() == worker) revert NoFault();
        }
        Round memory round;
        round.attempt = certificate.attempt;
        round.opened = _openedOf(seat.terms, certificate);
        (round.seed,) = seeds.seedOf(round.opened.blockNumber(), round.opened.time());
        round.id = Lot.roundId(seat.terms.dealId, certificate.batch, round.attempt, round.seed);
        round.aim(seat.terms);
        if (!round.hasSeat(seat.terms.pool, worker, word, 0)) revert NoSeat(worker);
        return round.opened.blockNumber();
    }

    /// @dev Reverts unless the worker signed this contribution.
    function _checkClaim(address worker, bytes32 roundId, SignedClaim calldata claim) private view {
        bytes32 digest = _digest(Messages.contribution(roundId, claim.wave, claim.root, claim.fuel, claim.listHash));
        if (!SignatureChecks.isSigned(worker, digest, claim.r, claim.vs)) revert BadSignature(worker);
    }

    /// @dev Pays a final certificate's escrow out.
    function _payEscrow(Terms calldata terms, Certificate calldata certificate, MemberWord[] calldata members) private {
        uint256 slashed;
        uint256 winners;
        for (uint256 i; i < members.length; ++i) {
            slashed += members[i].slash() * WorkerWords.BOND_UNIT;
            if (members[i].claim() == Claims.LEADING) ++winners;
        }
        if (slashed == 0) {
            emit Released(terms.dealId, certificate.batch, 0, 0, 0);
            return;
        }
        Round memory round;
        round.attempt = certificate.attempt;
        round.aim(terms);
        uint256 paid = terms.policy.replicasMax() < winners ? terms.policy.replicasMax() : winners;
        uint256 extra = paid > round.needed ? paid - round.needed : 0;
        uint256 gross = uint256(certificate.fuel) * terms.feePerMfuel / 1e6;
        (uint256 burnt, uint256 toPayer, uint256 each) = Payouts.escrow(slashed, extra, gross, winners);
        uint256[] memory payments = new uint256[](winners + 2);
        uint256 count;
        for (uint256 i; i < members.length; ++i) {
            if (members[i].claim() != Claims.LEADING) continue;
            payments[count++] = Accounts.payment(_operatorOf(members[i].worker()), each);
        }
        payments[count++] = Accounts.payment(Accounts.BURNT, burnt);
        payments[count] = Accounts.payment(uint160(terms.payer), toPayer);
        emit Released(terms.dealId, certificate.batch, burnt, toPayer, each * winners);
        vault.pay(payments, 0, 0);
    }

    /// @dev Pays one account out of escrow.
    function _payOne(uint160 account, uint256 amount) private {
        uint256[] memory payments = new uint256[](1);
        payments[0] = Accounts.payment(account, amount);
        vault.pay(payments, 0, 0);
    }

    /// @dev The account of a worker's operator.
    function _operatorOf(address worker) private view returns (uint160) {
        return Accounts.ofOperator(workforce.workerOf(worker).operator());
    }

    /// @dev The round that a certificate came from; its seed must be had still, so pin it in time.
    function _roundIdOf(Terms calldata terms, Certificate calldata certificate) internal view returns (bytes32) {
        OpenedWord opened = _openedOf(terms, certificate);
        (bytes32 seed,) = seeds.seedOf(opened.blockNumber(), opened.time());
        return Lot.roundId(terms.dealId, certificate.batch, certificate.attempt, seed);
    }

    /// @dev The commitment of a member that was certified without a claim.
    function _bareCommitment(MemberWord[] calldata members, Claim[] calldata rivals, uint256 index)
        private
        pure
        returns (bytes32)
    {
        uint256 before;
        uint256 all;
        for (uint256 i; i < members.length; ++i) {
            uint256 claim = members[i].claim();
            bool bare = claim == Claims.BARE || claim == Claims.LOST || claim == Claims.SHOWN_AGREEING
                || claim == Claims.SHOWN_RIVAL || claim == Claims.IGNORED_BARE;
            if (!bare) continue;
            ++all;
            if (i < index) ++before;
        }
        return rivals[rivals.length - all + before].root;
    }

    /// @dev When the round of a certificate opened.
    function _openedOf(Terms calldata terms, Certificate calldata certificate) private view returns (OpenedWord) {
        if (certificate.attempt == 0) return terms.opened;
        return OpenedWord.wrap(certifier.reopenedAt(terms.dealId, certificate.batch));
    }

    /// @dev Reverts unless these are the terms of the certificate's deal.
    function _checkTerms(Terms calldata terms, Certificate calldata certificate) private view {
        bytes32 stored = market.termsHash(terms.dealId);
        if (terms.dealId != certificate.dealId || stored != terms.hash()) revert WrongTerms(terms.dealId);
    }

    /// @dev Reverts unless this is what the slot holds; answers the slot.
    function _authenticate(CertifiedBatch calldata certified) private view returns (uint256 word) {
        word = certifier.batchWord(certified.certificate.dealId, certified.certificate.batch);
        Certificates.checkWhole(certified, word);
    }

    /// @dev EIP-712 digest under the Certifier's domain.
    function _digest(bytes32 structHash) private view returns (bytes32) {
        return SignatureChecks.digestOf(certifier.domainSeparator(), structHash);
    }
}
