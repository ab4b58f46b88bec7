// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Judging} from "./Judging.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Round} from "./libraries/Draws.sol";
import {Claims, MemberWords} from "./libraries/MemberWords.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Certificate, LogItem, Status} from "./types/Certificates.sol";
import {ParametersWord} from "./types/Parameters.sol";
import {Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Settlement
/// @notice The part of {ICertifier} that ends a batch without a certificate, and the hooks for {IRecourse} and the Court.
abstract contract Settlement is Judging {
    using TermsHash for Terms;

    /// @inheritdoc ICertifier
    function expire(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log) external {
        Round memory round = _load(terms, batch);
        (bytes32 stored, ParametersWord parameters) = market.deal(terms.dealId, terms.opened.version());
        if (stored != terms.hash()) revert WrongTerms(terms.dealId);
        uint256 earliest = terms.deadline + parameters.expireGraceSecs() + 1;
        if (block.timestamp < earliest) revert TooEarly(earliest);
        _checkLog(round.word, roundId, log);
        if (terms.batches() == 1 && round.word == 0) market.close(terms.dealId);
        // The log's hash stays: what stood on chain can still be proven, to the Court and against who signed otherwise.
        else _batches[terms.dealId][batch] = (round.word & HASH_MASK) | uint8(Status.Expired);
        uint256[] memory payments = new uint256[](log.length + 4);
        (uint256 paid, uint256 slashed, uint256 count) =
            log.length == 0 ? (0, 0, 0) : _settleLog(round, terms, log, payments);
        uint256 refund = terms.lockOf(round.tasks) - paid;
        uint256 kept = terms.minimumFee < refund ? terms.minimumFee : refund;
        refund -= kept;
        uint256 burnt = Payouts.burnOf(slashed);
        // Two words: a lock has up to 96 bits, and slashes (half a pool's bond, below 2^89) would carry into the account.
        payments[count++] = Accounts.payment(uint160(terms.payer), refund);
        if (slashed != 0) {
            // Whole bond units, so that neither part is zero.
            payments[count++] = Accounts.payment(uint160(terms.payer), slashed - burnt);
            payments[count++] = Accounts.payment(Accounts.BURNT, burnt);
        }
        assembly ("memory-safe") {
            mstore(payments, count)
        }
        emit BatchExpired(terms.dealId, uint32(batch), refund, paid);
        _payOut(payments, kept == 0 ? 0 : terms.pool, kept);
    }

    /// @inheritdoc ICertifier
    function setStatus(Certificate calldata certificate, Status to) external returns (Status from) {
        if (msg.sender != court) revert NotAllowed(msg.sender);
        uint256 word = _batches[certificate.dealId][certificate.batch];
        from = Certificates.check(certificate, word);
        // Another task of the batch is disputed too.
        if (from == Status.Disputed && to == Status.Disputed) return from;
        bool drawn = (from == Status.Provisional && to == Status.Disputed)
            || (from == Status.Disputed && (to == Status.Provisional || to == Status.Final || to == Status.Void));
        if (!drawn) revert WrongStatus(from);
        _batches[certificate.dealId][certificate.batch] = word - uint8(from) + uint8(to);
        emit StatusChanged(certificate.dealId, certificate.batch, to);
    }

    /// @inheritdoc ICertifier
    function rewrite(bytes32 dealId, uint256 batch, uint256 word) external {
        if (msg.sender != recourse) revert NotAllowed(msg.sender);
        _batches[dealId][batch] = word;
    }

    /// @inheritdoc ICertifier
    function statusOf(Certificate calldata certificate) external view returns (Status) {
        uint256 word = _batches[certificate.dealId][certificate.batch];
        Status status = Certificates.check(certificate, word);
        return status == Status.Provisional && block.timestamp >= certificate.finalAt ? Status.Final : status;
    }

    /// @inheritdoc ICertifier
    function hashCertificate(Certificate calldata certificate) external pure returns (bytes32) {
        return Certificates.hashOf(certificate);
    }

    /// @dev Notes what was really taken from the members.
    function _takeSlashes(bytes32 dealId, uint256 batch, MemberWord[] memory members, WorkerWord[] memory words)
        internal
    {
        for (uint256 i; i < members.length; ++i) {
            uint256 asked = members[i].slash();
            if (asked == 0) continue;
            uint256 most = words[i].slashable();
            if (asked > most) members[i] = members[i].withSlash(most);
            emit Slashed(dealId, uint32(batch), members[i].worker(), members[i].slash());
        }
    }

    /// @dev What stands on chain at expiry: who never revealed loses its slash; reveals are paid when enough operators
    /// agree and none contradicts.
    function _settleLog(Round memory round, Terms calldata terms, LogItem[] calldata log, uint256[] memory payments)
        private
        returns (uint256 paid, uint256 slashed, uint256 count)
    {
        (uint256 agreeing, uint256 leader, bool contradicted) = _readReveals(terms, round, log);
        uint256 fuel = agreeing == 0 ? 0 : _payloadOf(log[leader].word);
        bool pays = !contradicted && agreeing >= terms.policy.replicasMin() && fuel <= terms.fuelLimit * round.tasks;
        Payouts.Shares memory shares =
            Payouts.sharesOf(fuel, terms.feePerMfuel, terms.opened.poolShareBps(), terms.opened.protocolFeeBps());
        MemberWord[] memory silent = new MemberWord[](log.length);
        uint256 silentCount;
        uint256 units = Payouts.slashUnits(terms.fuelLimit * round.tasks * terms.feePerMfuel / 1e6);
        for (uint256 i; i < log.length; ++i) {
            if (_kindOf(log[i].word) != COMMITTED) continue;
            address worker = address(uint160(log[i].word >> 96));
            if (_revealOf(log, worker) == log.length) {
                silent[silentCount++] = MemberWords.pack(worker, Claims.BARE, 0, units, 0);
            } else if (pays && count < terms.policy.replicasMax()) {
                payments[count++] = Accounts.payment(Accounts.ofOperator(_payloadOf(log[i].word)), shares.net);
                paid += shares.net;
            }
        }
        assembly ("memory-safe") {
            mstore(silent, silentCount)
        }
        if (silentCount == 0) return (paid, 0, count);
        WorkerWord[] memory words = _settle(silent);
        _takeSlashes(terms.dealId, round.batch, silent, words);
        for (uint256 i; i < silent.length; ++i) {
            slashed += silent[i].slash() * WorkerWords.BOND_UNIT;
        }
    }

    /// @dev How many reveals there are and whether they are one claim; records them for the Court when they are not.
    function _readReveals(Terms calldata terms, Round memory round, LogItem[] calldata log)
        private
        returns (uint256 agreeing, uint256 leader, bool contradicted)
    {
        for (uint256 i; i < log.length; ++i) {
            if (_kindOf(log[i].word) != REVEALED) continue;
            if (agreeing++ == 0) {
                leader = i;
            } else if (log[i].a != log[leader].a || _payloadOf(log[i].word) != _payloadOf(log[leader].word)) {
                contradicted = true;
                address worker = address(uint160(log[i].word >> 96));
                emit Contradicted(terms.dealId, uint32(round.batch), worker, log[i].a, uint64(_payloadOf(log[i].word)));
            }
        }
    }
}
