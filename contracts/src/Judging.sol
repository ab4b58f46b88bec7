// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rounds} from "./Rounds.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {Draws, Round} from "./libraries/Draws.sol";
import {Lot} from "./libraries/Lot.sol";
import {Claims, MemberWords} from "./libraries/MemberWords.sol";
import {Messages} from "./libraries/Messages.sol";
import {Raw} from "./libraries/Raw.sol";
import {SignatureChecks} from "./libraries/SignatureChecks.sol";
import {Claim, Entry, LogItem} from "./types/Certificates.sol";
import {PolicyWord, Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Judging
/// @notice The part of {ICertifier} that turns a list and a log into members, and members into odds.
/// @dev Members are one array: the list first, in its order, then those who stand on chain only, in the log's order.
abstract contract Judging is Rounds {
    using Draws for Round;
    using Raw for MemberWord[];
    using Raw for WorkerWord[];
    using Raw for Entry[];

    /// @dev What the members of a round come to.
    struct Verdict {
        uint256 group;
        uint256 opposing;
        uint256 agreeing;
        uint256 exposure;
        uint256 evidence;
    }

    /// @dev Entries of a list at most: twice the most that is ever paid, less one, so that with three full windows of
    /// commitments on chain the members still fit 8 bits.
    uint256 internal constant LIST_MAX = 63;
    /// @dev An entry whose contribution stands on chain.
    uint256 private constant ON_CHAIN = 1 << 16;

    /// @dev Reads the list and the log into members, and checks every signature.
    /// @return members Workers, claims and waves; slash and exposure are still zero.
    /// @return bare Commitments of the members without a claim, in the members' order.
    function _gather(Round memory round, Claim[] calldata claims, Entry[] calldata entries, LogItem[] calldata log)
        internal
        view
        returns (MemberWord[] memory members, bytes32[] memory bare)
    {
        if (entries.length > LIST_MAX) revert TooMany(entries.length, LIST_MAX);
        members = new MemberWord[](entries.length + log.length);
        (bytes32[3] memory listHashes, uint256 silent) = _hashList(round, claims, entries, members);
        _checkSignatures(round.id, claims, entries, log, listHashes);
        _checkLog(round.word, round.id, log);
        if (silent + log.length == 0) return (members, bare);
        bare = new bytes32[](silent + log.length);
        uint256 count = entries.length;
        silent = 0;
        for (uint256 i; i < count; ++i) {
            uint256 claim = members[i].claim();
            if (claim == Claims.BARE || claim == Claims.LOST) bare[silent++] = entries[i].proof;
        }
        for (uint256 i; i < log.length; ++i) {
            if (_kindOf(log[i].word) != COMMITTED) continue;
            (MemberWord member, bool listed) = _readLog(claims, entries, log, i);
            if (listed) continue;
            members[count++] = member;
            if (member.claim() == Claims.BARE) bare[silent++] = log[i].a;
        }
        assembly ("memory-safe") {
            mstore(members, count)
            mstore(bare, silent)
        }
    }

    /// @dev One pass over the list: order, commitments, the hash of each wave's list, members.
    /// @return listHashes What the members of each wave signed.
    /// @return silent Entries without a claim.
    function _hashList(
        Round memory round,
        Claim[] calldata claims,
        Entry[] calldata entries,
        MemberWord[] memory members
    ) private view returns (bytes32[3] memory listHashes, uint256 silent) {
        uint256 last;
        uint256 wave;
        uint256 length = 32;
        bytes memory buffer = new bytes(32 + 64 * entries.length);
        Claim memory leading;
        if (claims.length != 0) leading = claims[Claims.LEADING];
        unchecked {
            // Counters below 64 entries.
            for (uint256 i; i < entries.length; ++i) {
                (uint256 word, bytes32 proof) = entries.wordOf(i);
                uint256 key = uint256(uint8(word)) << 160 | word >> 96;
                address worker = address(uint160(word >> 96));
                if (key <= last) revert ListNotSorted(worker);
                last = key;
                if (uint8(word) != wave) {
                    _checkWave(round, uint8(word));
                    _closeWaves(listHashes, buffer, length, wave, uint8(word));
                    length = 32;
                    wave = uint8(word);
                }
                uint256 claim = uint8(word >> 8);
                bytes32 commitment;
                if (claim == Claims.LEADING && claims.length != 0) {
                    commitment = Draws.commitmentOf(worker, round.id, leading.root, leading.fuel, proof);
                    ++round.agreeing;
                } else {
                    commitment = _commitmentIn(round.id, claims, worker, claim, proof);
                    if (claim == Claims.BARE || claim == Claims.LOST) ++silent;
                }
                members.put(i, MemberWords.pack(worker, claim, wave, 0, 0));
                assembly ("memory-safe") {
                    let slot := add(add(buffer, 32), length)
                    mstore(slot, worker)
                    mstore(add(slot, 32), commitment)
                }
                length += 64;
            }
        }
        _closeWaves(listHashes, buffer, length, wave, wave + 1);
    }

    /// @dev Reverts unless the wave has begun.
    function _checkWave(Round memory round, uint256 wave) private view {
        uint256 begun = round.opened.waveAt(block.timestamp);
        if (wave > Lot.WAVE_MAX || wave > begun) revert WrongWave(wave, begun);
    }

    /// @dev Closes the list of `wave` (the first `length` bytes of the buffer, if any entry is in it) and hands its hash
    /// on to the waves before `next`, and to the buffer.
    function _closeWaves(bytes32[3] memory listHashes, bytes memory buffer, uint256 length, uint256 wave, uint256 next)
        private
        pure
    {
        bytes32 hash;
        assembly ("memory-safe") {
            switch eq(length, 32)
            case 1 { hash := mload(add(buffer, 32)) }
            default { hash := keccak256(add(buffer, 32), length) }
            mstore(add(buffer, 32), hash)
        }
        for (; wave < next; ++wave) {
            listHashes[wave] = hash;
        }
    }

    /// @dev The commitment of an entry: recomputed from its claim, or shown.
    function _commitmentIn(bytes32 roundId, Claim[] calldata claims, address worker, uint256 claim, bytes32 proof)
        private
        pure
        returns (bytes32)
    {
        if (claim < claims.length) {
            Claim calldata made = claims[claim];
            return Draws.commitmentOf(worker, roundId, made.root, made.fuel, proof);
        }
        if (claim == Claims.UNAVAILABLE) return 0;
        if (claim == Claims.BARE || claim == Claims.LOST) return proof;
        revert UnknownClaim(worker, claim);
    }

    /// @dev Checks every entry's signature: of its contribution, of a bare commitment, or of "unavailable". All who agree
    /// in a wave signed one digest.
    function _checkSignatures(
        bytes32 roundId,
        Claim[] calldata claims,
        Entry[] calldata entries,
        LogItem[] calldata log,
        bytes32[3] memory listHashes
    ) private view {
        uint256 cached = type(uint256).max;
        bytes32 digest;
        for (uint256 i; i < entries.length;) {
            (uint256 word, bytes32 proof) = entries.wordOf(i);
            address worker = address(uint160(word >> 96));
            uint256 claim = uint8(word >> 8);
            if (word & ON_CHAIN != 0) {
                if (claim >= claims.length || !_standsOnChain(log, worker, claims[claim], proof)) {
                    revert BadEntry(worker);
                }
            } else {
                // The low 16 bits are claim and wave: one claim of one wave is one message, but for bare commitments.
                if (uint16(word) != cached) {
                    digest = _digest(_messageOf(roundId, claims, claim, uint8(word), listHashes, proof));
                    cached = claim < claims.length ? uint16(word) : type(uint256).max;
                }
                (bytes32 r, bytes32 vs) = entries.signatureOf(i);
                if (!SignatureChecks.isSigned(worker, digest, r, vs)) revert BadEntry(worker);
            }
            unchecked {
                ++i;
            }
        }
    }

    /// @dev Struct hash of what an entry's worker signed.
    function _messageOf(
        bytes32 roundId,
        Claim[] calldata claims,
        uint256 claim,
        uint256 wave,
        bytes32[3] memory listHashes,
        bytes32 proof
    ) private pure returns (bytes32) {
        if (claim < claims.length) {
            return Messages.contribution(roundId, wave, claims[claim].root, claims[claim].fuel, listHashes[wave]);
        }
        if (claim == Claims.UNAVAILABLE) return Messages.unavailable(roundId, wave);
        return Messages.commitment(roundId, wave, proof);
    }

    /// @dev Whether a worker's reveal of this claim stands on chain. The log is checked by {_checkLog}.
    function _standsOnChain(LogItem[] calldata log, address worker, Claim calldata claim, bytes32 ownTraceRoot)
        private
        pure
        returns (bool)
    {
        uint256 index = _revealOf(log, worker);
        return index != log.length && log[index].a == claim.root && log[index].b == ownTraceRoot
            && _payloadOf(log[index].word) == claim.fuel;
    }

    /// @dev A commitment that stands on chain: its worker is in the list, or becomes a member.
    function _readLog(Claim[] calldata claims, Entry[] calldata entries, LogItem[] calldata log, uint256 index)
        private
        pure
        returns (MemberWord member, bool listed)
    {
        uint256 word = log[index].word;
        address worker = address(uint160(word >> 96));
        uint256 revealed = _revealOf(log, worker);
        for (uint256 i; i < entries.length; ++i) {
            if (address(uint160(entries[i].word >> 96)) != worker) continue;
            uint256 listedClaim = uint8(entries[i].word >> 8);
            // Who revealed on chain cannot be shown as silent.
            bool silent = listedClaim == Claims.BARE || listedClaim == Claims.LOST;
            if (silent && revealed != log.length && entries[i].proof == log[index].a) revert RevealedOnChain(worker);
            return (member, true);
        }
        uint256 claim = Claims.BARE;
        if (revealed != log.length) {
            claim = 0;
            while (
                claim < claims.length
                    && (claims[claim].root != log[revealed].a || claims[claim].fuel != _payloadOf(log[revealed].word))
            ) ++claim;
            if (claim == claims.length) revert UnknownClaim(worker, claim);
        }
        return (MemberWords.pack(worker, claim, uint8(word >> 8), 0, 0), false);
    }

    /// @dev Weighs the members: seats, distinct operators, odds, stake. Marks those that do not count.
    /// @param listed How many of the members are the list's: of these each must have its seat and stake, while one that
    /// stands on chain only is left out, so that it cannot stop the others.
    /// @param leading The claim that is to prevail.
    function _judge(
        Round memory round,
        Terms calldata terms,
        uint256 claimCount,
        uint256 leading,
        MemberWord[] memory members,
        WorkerWord[] memory words,
        uint256 listed
    ) internal pure returns (Verdict memory verdict) {
        uint256[] memory groups = new uint256[](claimCount);
        // Claims that some member makes, one bit each.
        uint256 made;
        verdict.group = Confidence.ONE;
        verdict.evidence = type(uint8).max;
        uint256 pool = terms.pool;
        for (uint256 i; i < members.length;) {
            MemberWord member = members.get(i);
            WorkerWord word = words.get(i);
            uint256 claim = member.claim();
            made |= 1 << claim;
            bool counts = _isNewOperator(words, members, i) && member.exposure() <= word.room();
            if (i < listed) {
                bool seated = round.hasSeat(pool, member.worker(), word, member.wave());
                if (!counts || seated == (claim == Claims.LOST)) _refuse(words, members, i, seated);
            }
            if (counts) {
                uint256 weight = _weightOf(round, terms, member, word);
                if (claim == leading) {
                    verdict.group = Confidence.times(verdict.group, weight);
                    verdict.evidence &= word.evidence();
                    unchecked {
                        // 255 members, who all bear the same.
                        ++verdict.agreeing;
                        verdict.exposure = member.exposure();
                    }
                } else if (claim < claimCount) {
                    groups[claim] = Confidence.times(groups[claim] == 0 ? Confidence.ONE : groups[claim], weight);
                } else {
                    verdict.opposing = Confidence.plus(verdict.opposing, weight);
                }
            } else {
                members.put(i, member.withClaim(claim == Claims.BARE ? Claims.IGNORED_BARE : Claims.IGNORED));
            }
            unchecked {
                ++i;
            }
        }
        for (uint256 claim; claim < claimCount; ++claim) {
            if (claim == leading) continue;
            // A claim that nobody makes has no place here; that of a member that was left out has, and no weight.
            if (made >> claim & 1 == 0) revert BadClaim(claim);
            verdict.opposing = Confidence.plus(verdict.opposing, groups[claim]);
        }
    }

    /// @dev Says why a listed member does not count: the whole list falls with it.
    function _refuse(WorkerWord[] memory words, MemberWord[] memory members, uint256 index, bool seated) private pure {
        MemberWord member = members.get(index);
        address worker = member.worker();
        if (!_isNewOperator(words, members, index)) revert SameOperator(worker);
        uint256 room = words.get(index).room();
        if (member.exposure() > room) revert ExposureTooHigh(worker, member.exposure(), room);
        if (seated) revert SeatNotLost(worker);
        revert NoSeat(worker);
    }

    /// @dev Reverts unless the odds and the operators of the verdict reach the policy.
    function _checkVerdict(Round memory round, PolicyWord policy, Verdict memory verdict)
        internal
        pure
        returns (uint256 odds)
    {
        if (verdict.agreeing < policy.replicasMin()) {
            revert TooFewOperators(verdict.agreeing, policy.replicasMin());
        }
        odds = Confidence.odds(verdict.group, verdict.opposing);
        if (odds < round.target) revert OddsTooLow(odds, round.target);
    }

    /// @dev {IWorkforce-settle} without the checks of an answer that our own contract gives.
    function _settle(MemberWord[] memory members) internal returns (WorkerWord[] memory words) {
        address target = address(workforce);
        bytes4 selector = IWorkforce.settle.selector;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(mload(members), 32)
            mstore(free, selector)
            mstore(add(free, 4), 32)
            mcopy(add(free, 36), members, add(size, 32))
            if iszero(call(gas(), target, 0, free, add(size, 68), 0, 0)) {
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
            // The answer is an offset and an array: length and words, as they lie in memory.
            words := free
            returndatacopy(words, 32, add(size, 32))
            mstore(0x40, add(words, add(size, 32)))
        }
    }

    /// @dev {IVault-pay} without the encoder's loop.
    function _payOut(uint256[] memory payments, uint256 pool, uint256 fees) internal {
        address target = address(vault);
        bytes4 selector = IVault.pay.selector;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(mload(payments), 32)
            mstore(free, selector)
            mstore(add(free, 4), 96)
            mstore(add(free, 36), pool)
            mstore(add(free, 68), fees)
            mcopy(add(free, 100), payments, add(size, 32))
            if iszero(call(gas(), target, 0, free, add(size, 132), 0, 0)) {
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
        }
    }

    /// @dev Whether no member before `index` that counts has its operator.
    function _isNewOperator(WorkerWord[] memory words, MemberWord[] memory members, uint256 index)
        private
        pure
        returns (bool)
    {
        uint256 operator = WorkerWord.unwrap(words.get(index));
        unchecked {
            for (uint256 i; i < index; ++i) {
                bool same = uint32(WorkerWord.unwrap(words.get(i)) ^ operator) == 0;
                if (same && !_ignored(members.get(i))) return false;
            }
        }
        return true;
    }

    /// @dev Whether a member was left out.
    function _ignored(MemberWord member) private pure returns (bool) {
        return member.claim() == Claims.IGNORED || member.claim() == Claims.IGNORED_BARE;
    }

    /// @dev A member's weight under the policy. In wave 0 and without reputation, as nearly everybody is, it is the same for all.
    function _weightOf(Round memory round, Terms calldata terms, MemberWord member, WorkerWord word)
        private
        pure
        returns (uint256)
    {
        uint256 wave = member.wave();
        uint256 reputation = word.reputation();
        if (reputation | wave == 0) return round.fresh;
        PolicyWord policy = terms.policy;
        if (member.claim() == Claims.LOST || !policy.countReputation()) reputation = 0;
        // An audit looks at one task: it tells less of a batch of many.
        uint256 step = round.opened.reputationStep() * round.tasks;
        return Confidence.weight(policy.faultyShareBps(), wave, reputation, step);
    }
}
