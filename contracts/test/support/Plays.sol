// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {Certificate, CertifiedBatch, Claim, Entry, LogItem, Parcel} from "../../src/types/Certificates.sol";
import {CaseTermsWord, OpenedWord, Terms} from "../../src/types/Terms.sol";
import {MemberWord} from "../../src/types/Workers.sol";
import {Deals} from "./Deals.sol";
import {Receipt, Receipts} from "./Receipts.sol";
import {Vm, vm} from "./Vm.sol";

/// @title Rounds as their workers and coordinator play them
/// @notice Builds commitments, lists, contributions and logs by the rules of `docs/encoding.md`, not by the contracts'
/// own libraries.
abstract contract Plays is Deals {
    uint8 internal constant BARE = 255;
    uint8 internal constant UNAVAILABLE = 254;
    uint8 internal constant LOST = 253;

    uint8 internal constant OPEN = 0;
    uint8 internal constant PROVISIONAL = 1;
    uint8 internal constant DISPUTED = 2;
    uint8 internal constant FINAL = 3;
    uint8 internal constant VOID = 5;
    uint8 internal constant EXPIRED = 6;

    bytes32 internal constant COMMITMENT_TYPE = keccak256("Commitment(bytes32 roundId,uint8 wave,bytes32 commitment)");
    bytes32 internal constant CONTRIBUTION_TYPE =
        keccak256("Contribution(bytes32 roundId,uint8 wave,bytes32 root,uint64 fuel,bytes32 listHash)");
    bytes32 internal constant UNAVAILABLE_TYPE = keccak256("Unavailable(bytes32 roundId,uint8 wave)");
    bytes32 internal constant LIST_TYPE = keccak256("RoundList(bytes32 roundId,uint8 wave,bytes32 listHash)");

    bytes32 internal constant RIGHT = keccak256("the right root");
    bytes32 internal constant WRONG = keccak256("a wrong root");
    uint64 internal constant FUEL = 4_000_000;

    /// @notice What one worker does in a round.
    /// @param who Number of the worker in the city.
    /// @param claim Index into the claims, or BARE, UNAVAILABLE, LOST: a bare worker committed to claim `hidden`.
    /// @param onChain Its contribution stands on chain.
    struct Play {
        uint256 who;
        uint8 claim;
        uint8 wave;
        uint8 hidden;
        bool onChain;
    }

    /// @notice A round ready to post.
    struct Draft {
        Terms terms;
        uint256 batch;
        Claim[] claims;
        Entry[] entries;
        LogItem[] log;
    }

    /// @dev What a delivery of one task brings.
    function _parcel(Terms memory terms, CertifiedBatch memory done, Receipt memory receipt)
        internal
        pure
        returns (Parcel memory)
    {
        return Receipts.parcelOf(terms, done.certificate, receipt);
    }

    /// @dev Which draw a batch is in, and its opening.
    function _openingOf(Terms memory terms, uint256 batch) internal view returns (uint256 attempt, OpenedWord opened) {
        attempt = uint8(certifier.batchWord(terms.dealId, batch) >> 8);
        opened = attempt == 0 ? terms.opened : OpenedWord.wrap(certifier.reopenedAt(terms.dealId, batch));
    }

    /// @dev The round that a batch is in.
    function _roundId(Terms memory terms, uint256 batch) internal view returns (bytes32) {
        (uint256 attempt, OpenedWord opened) = _openingOf(terms, batch);
        return _roundIdAt(terms, batch, attempt, opened);
    }

    /// @dev The id of a draw.
    function _roundIdAt(Terms memory terms, uint256 batch, uint256 attempt, OpenedWord opened)
        internal
        view
        returns (bytes32)
    {
        (bytes32 seed,) = seeds.seedOf(opened.blockNumber(), opened.time());
        return keccak256(abi.encode(terms.dealId, batch, attempt, seed));
    }

    /// @dev Length of a wave.
    function _patience(Terms memory terms) internal pure returns (uint256) {
        uint256 tasks = terms.batchSize < terms.taskCount ? terms.batchSize : terms.taskCount;
        return 60 + (uint256(terms.fuelLimit) * tasks + 1e8 - 1) / 1e8;
    }

    /// @dev A worker's own trace root in a round.
    function _ownTrace(uint256 who, bytes32 roundId) internal pure virtual returns (bytes32) {
        return keccak256(abi.encode("own trace", who, roundId));
    }

    /// @dev A worker's commitment to a claim.
    function _commitment(uint256 who, bytes32 roundId, Claim memory claim) internal view returns (bytes32) {
        return keccak256(abi.encode(_worker(who), roundId, claim.root, uint256(claim.fuel), _ownTrace(who, roundId)));
    }

    /// @dev Two claims: the right one and a wrong one.
    function _claims() internal pure returns (Claim[] memory claims) {
        claims = new Claim[](2);
        claims[0] = Claim(RIGHT, FUEL);
        claims[1] = Claim(WRONG, FUEL);
    }

    /// @dev The first `count` of these claims.
    function _first(Claim[] memory claims, uint256 count) internal pure returns (Claim[] memory some) {
        some = new Claim[](count);
        for (uint256 i; i < count; ++i) {
            some[i] = claims[i];
        }
    }

    /// @dev Workers `from` to `from + count - 1` do the same thing in wave 0.
    function _all(uint256 from, uint256 count, uint8 claim) internal pure returns (Play[] memory plays) {
        plays = new Play[](count);
        for (uint256 i; i < count; ++i) {
            plays[i].who = from + i;
            plays[i].claim = claim;
        }
    }

    /// @dev Two groups of plays as one.
    function _both(Play[] memory a, Play[] memory b) internal pure returns (Play[] memory plays) {
        plays = new Play[](a.length + b.length);
        for (uint256 i; i < plays.length; ++i) {
            plays[i] = i < a.length ? a[i] : b[i - a.length];
        }
    }

    /// @dev The plays in the order of a list: by wave, then by worker.
    function _sorted(Play[] memory plays) internal view returns (Play[] memory) {
        for (uint256 i = 1; i < plays.length; ++i) {
            for (uint256 j = i; j > 0 && _key(plays[j]) < _key(plays[j - 1]); --j) {
                (plays[j], plays[j - 1]) = (plays[j - 1], plays[j]);
            }
        }
        return plays;
    }

    function _key(Play memory play) private view returns (uint256) {
        return uint256(play.wave) << 160 | uint160(_worker(play.who));
    }

    /// @dev A round of these plays: the claims that somebody makes, the list, every signature.
    function _draft(Terms memory terms, uint256 batch, Play[] memory plays) internal view returns (Draft memory draft) {
        return _draftOf(terms, batch, _claims(), plays);
    }

    /// @dev The same with any claims; those above the highest that is made are left out.
    function _draftOf(Terms memory terms, uint256 batch, Claim[] memory claims, Play[] memory plays)
        internal
        view
        returns (Draft memory draft)
    {
        draft.terms = terms;
        draft.batch = batch;
        uint256 highest;
        for (uint256 i; i < plays.length; ++i) {
            if (plays[i].claim < claims.length && plays[i].claim + 1 > highest) highest = plays[i].claim + 1;
        }
        draft.claims = _first(claims, highest);
        draft.log = new LogItem[](0);
        draft.entries = _entries(_roundId(terms, batch), claims, plays);
    }

    /// @dev The list of a round, signed.
    function _entries(bytes32 roundId, Claim[] memory claims, Play[] memory plays)
        internal
        view
        returns (Entry[] memory entries)
    {
        plays = _sorted(plays);
        entries = new Entry[](plays.length);
        address[] memory workers = new address[](plays.length);
        bytes32[] memory commitments = new bytes32[](plays.length);
        for (uint256 i; i < plays.length; ++i) {
            workers[i] = _worker(plays[i].who);
            commitments[i] = _listed(roundId, claims, plays[i]);
        }
        bytes32 listHash;
        uint256 start;
        while (start < plays.length) {
            uint256 end = start;
            while (end < plays.length && plays[end].wave == plays[start].wave) ++end;
            listHash = _listHash(listHash, workers, commitments, start, end);
            for (uint256 i = start; i < end; ++i) {
                entries[i] = _entry(roundId, claims, plays[i], listHash);
            }
            start = end;
        }
    }

    /// @dev Hash of the list of one wave: its lines are those from `start` to before `end`.
    function _listHash(
        bytes32 before,
        address[] memory workers,
        bytes32[] memory commitments,
        uint256 start,
        uint256 end
    ) internal pure returns (bytes32) {
        bytes memory list = abi.encodePacked(before);
        for (uint256 i = start; i < end; ++i) {
            list = abi.encodePacked(list, uint256(uint160(workers[i])), commitments[i]);
        }
        return keccak256(list);
    }

    /// @dev First word of an entry.
    function _entryWord(address worker, uint8 claim, uint8 wave, bool onChain) internal pure returns (uint256) {
        return uint256(uint160(worker)) << 96 | (onChain ? 1 << 16 : 0) | uint256(claim) << 8 | wave;
    }

    /// @dev The commitment that the list shows for a play.
    function _listed(bytes32 roundId, Claim[] memory claims, Play memory play) private view returns (bytes32) {
        if (play.claim == UNAVAILABLE) return 0;
        return _commitment(play.who, roundId, claims[play.claim < claims.length ? play.claim : play.hidden]);
    }

    /// @dev One entry with its signature.
    function _entry(bytes32 roundId, Claim[] memory claims, Play memory play, bytes32 listHash)
        private
        view
        returns (Entry memory entry)
    {
        entry.word = _entryWord(_worker(play.who), play.claim, play.wave, play.onChain);
        bytes32 structHash;
        if (play.claim < claims.length) {
            entry.proof = _ownTrace(play.who, roundId);
            structHash = _contributionHash(roundId, play.wave, claims[play.claim], listHash);
        } else if (play.claim == UNAVAILABLE) {
            structHash = keccak256(abi.encode(UNAVAILABLE_TYPE, roundId, uint256(play.wave)));
        } else {
            entry.proof = _commitment(play.who, roundId, claims[play.hidden]);
            structHash = _commitmentHash(roundId, play.wave, entry.proof);
        }
        if (!play.onChain) (entry.r, entry.vs) = _signMessage(_workerKey(play.who), structHash);
    }

    function _contributionHash(bytes32 roundId, uint256 wave, Claim memory claim, bytes32 listHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CONTRIBUTION_TYPE, roundId, wave, claim.root, uint256(claim.fuel), listHash));
    }

    function _commitmentHash(bytes32 roundId, uint256 wave, bytes32 commitment) internal pure returns (bytes32) {
        return keccak256(abi.encode(COMMITMENT_TYPE, roundId, wave, commitment));
    }

    function _listStructHash(bytes32 roundId, uint256 wave, bytes32 listHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(LIST_TYPE, roundId, wave, listHash));
    }

    /// @dev EIP-2098 signature of a message to the Certifier.
    function _signMessage(uint256 key, bytes32 structHash) internal view returns (bytes32 r, bytes32 vs) {
        return vm.signCompact(key, _digestOf(_domainOf("Guildhall Certifier", address(certifier)), structHash));
    }

    /// @dev Posts a round.
    function _post(Draft memory draft) internal {
        certifier.certify(draft.terms, draft.batch, draft.claims, draft.entries, draft.log);
    }

    /// @dev Posts a round that says "unavailable".
    function _postVoid(Draft memory draft) internal {
        certifier.voidRound(draft.terms, draft.batch, draft.claims, draft.entries, draft.log);
    }

    /// @dev Posts a round and reads the certificate from the event, which names the deal and the batch.
    function _certify(Draft memory draft) internal returns (CertifiedBatch memory result) {
        vm.recordLogs();
        vm.prank(poster);
        _post(draft);
        Vm.Log memory log = _logOf(ICertifier.Certified.selector);
        vm.assertEq(log.topics[1], draft.terms.dealId);
        vm.assertEq(uint256(log.topics[2]), draft.batch);
        (result.certificate, result.trail, result.members, result.rivals) =
            abi.decode(log.data, (Certificate, uint256, MemberWord[], Claim[]));
        result.caseTerms = _caseTerms(draft.terms, draft.batch);
    }

    /// @dev What cases about a batch need of the terms.
    function _caseTerms(Terms memory terms, uint256 batch) internal pure returns (CaseTermsWord) {
        uint256 fee = (uint256(terms.fuelLimit) * terms.feePerMfuel + 999_999) / 1e6;
        uint256 rest = terms.taskCount - batch * terms.batchSize;
        uint256 tasks = rest < terms.batchSize ? rest : terms.batchSize;
        uint256 opened = OpenedWord.unwrap(terms.opened);
        uint256 round = uint8(opened >> 160) | opened >> 216 << 8;
        return CaseTermsWord.wrap(fee | tasks << 96 | round << 128 | uint256(terms.pool) << 176);
    }

    /// @dev Hash of a certificate's members, rivals and trail.
    function _roster(CertifiedBatch memory done) internal pure returns (bytes32) {
        bytes memory packed;
        for (uint256 i; i < done.members.length; ++i) {
            packed = abi.encodePacked(packed, MemberWord.unwrap(done.members[i]));
        }
        for (uint256 i; i < done.rivals.length; ++i) {
            packed = abi.encodePacked(packed, done.rivals[i].root, uint256(done.rivals[i].fuel));
        }
        return keccak256(abi.encodePacked(packed, done.trail));
    }

    /// @dev Disputes a task of a certificate, by whoever is pranked.
    function _openDispute(CertifiedBatch memory done, uint256 index, bytes32 seal) internal {
        court.openDispute(done.certificate, _roster(done), done.caseTerms, index, seal);
    }

    /// @dev Workers 0 to `count - 1` certify the right root.
    function _certifyBy(Terms memory terms, uint256 batch, uint256 count) internal returns (CertifiedBatch memory) {
        return _certify(_draft(terms, batch, _all(0, count, 0)));
    }

    /// @dev A worker commits on chain to a claim; answers the log with its item.
    function _commitOnChain(Terms memory terms, uint256 batch, LogItem[] memory log, uint256 who, Claim memory claim)
        internal
        returns (LogItem[] memory)
    {
        bytes32 roundId = _roundId(terms, batch);
        bytes32 commitment = _commitment(who, roundId, claim);
        vm.recordLogs();
        vm.prank(_worker(who));
        certifier.commit(terms, batch, log, _worker(who), commitment, "");
        (,,, LogItem memory item) =
            abi.decode(_dataOf(ICertifier.Committed.selector), (bytes32, uint8, bytes32, LogItem));
        return _with(log, item);
    }

    /// @dev A worker opens the commitment at `index` of the log.
    function _revealOnChain(
        Terms memory terms,
        uint256 batch,
        LogItem[] memory log,
        uint256 index,
        uint256 who,
        Claim memory claim
    ) internal returns (LogItem[] memory) {
        bytes32 roundId = _roundId(terms, batch);
        vm.recordLogs();
        certifier.reveal(terms.dealId, batch, roundId, log, index, claim.root, claim.fuel, _ownTrace(who, roundId));
        (,,, LogItem memory item) =
            abi.decode(_dataOf(ICertifier.Revealed.selector), (bytes32, bytes32, uint64, LogItem));
        return _with(log, item);
    }

    /// @dev The log with one item more.
    function _with(LogItem[] memory log, LogItem memory item) internal pure returns (LogItem[] memory more) {
        more = new LogItem[](log.length + 1);
        for (uint256 i; i < log.length; ++i) {
            more[i] = log[i];
        }
        more[log.length] = item;
    }

    /// @dev Status in a batch's slot.
    function _status(Terms memory terms, uint256 batch) internal view returns (uint8) {
        return uint8(certifier.batchWord(terms.dealId, batch));
    }

    /// @dev Pays escrow out.
    function _release(Terms memory terms, CertifiedBatch memory done) internal {
        recourse.release(terms, done);
    }

    /// @dev A worker shows what it had committed to.
    function _show(Terms memory terms, CertifiedBatch memory done, uint256 index, uint256 who, Claim memory claim)
        internal
    {
        bytes32 roundId = _roundIdAt(terms, done.certificate.batch, done.certificate.attempt, terms.opened);
        recourse.show(terms, done, index, claim.root, claim.fuel, _ownTrace(who, roundId));
    }

    /// @dev Where a worker stands in a certificate.
    function _indexOf(CertifiedBatch memory done, uint256 who) internal view returns (uint256) {
        for (uint256 i; i < done.members.length; ++i) {
            if (done.members[i].worker() == _worker(who)) return i;
        }
        revert("no such member");
    }

    /// @dev Seats that a round aims at, reckoned by the rule.
    function _want(Terms memory terms, uint256 attempt) internal pure returns (uint256) {
        uint256 weight = 1e10 / terms.policy.faultyShareBps() - 1e6;
        uint256 target = terms.policy.confidence() * 4 ** attempt * 1e6;
        uint256 group = 1e6;
        uint256 seats;
        while (seats < terms.policy.replicasMax() && (seats < terms.policy.replicasMin() || group < target)) {
            group = group * weight / 1e6;
            ++seats;
        }
        uint256 against = seats * 5000 / (5000 - terms.policy.faultyShareBps());
        uint256 least = (3 * seats + 1) / 2;
        uint256 want = against > least ? against : least;
        return want > 64 ? 64 : want;
    }

    /// @dev Whether a worker of the pool has a seat in a wave of the first draw, reckoned by the rule.
    function _hasSeat(Terms memory terms, uint256 batch, uint256 who, uint256 wave) internal view returns (bool) {
        (uint256 attempt, OpenedWord opened) = _openingOf(terms, batch);
        (bytes32 seed,) = seeds.seedOf(opened.blockNumber(), opened.time());
        bytes32 roundId = keccak256(abi.encode(terms.dealId, batch, attempt, seed));
        uint256 ticket = uint256(keccak256(abi.encode(seed, roundId, _worker(who)))) >> 64;
        uint256 threshold = (_want(terms, attempt) * _word(who).bond() << (192 + wave)) / opened.poolBond();
        return ticket < threshold;
    }

    /// @dev The first workers of `workers` that have a seat in wave 0.
    function _seated(Terms memory terms, uint256 workers) internal view returns (uint256[] memory seated) {
        seated = new uint256[](workers);
        uint256 count;
        for (uint256 i; i < workers; ++i) {
            if (_hasSeat(terms, 0, i, 0)) seated[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(seated, count)
        }
    }

    /// @dev Opens deals until the lot gives seats to `count` of the city's `workers` in wave 0.
    function _openWithSeats(Offer memory offer, uint256 workers, uint256 count)
        internal
        returns (Terms memory terms, uint256[] memory seated)
    {
        for (uint256 i; i < 200; ++i) {
            offer.request.salt = keccak256(abi.encode(offer.request.salt));
            terms = _open(offer);
            seated = _seated(terms, workers);
            if (seated.length >= count) return (terms, seated);
        }
        revert("the lot is not so kind");
    }

    /// @dev What some workers do in wave 0, all alike: those at `from` to `from + count - 1` of `who`.
    function _some(uint256[] memory who, uint256 from, uint256 count, uint8 claim)
        internal
        pure
        returns (Play[] memory plays)
    {
        plays = new Play[](count);
        for (uint256 i; i < count; ++i) {
            plays[i].who = who[from + i];
            plays[i].claim = claim;
        }
    }

    /// @dev A list without one of its entries.
    function _without(Entry[] memory entries, uint256 index) internal pure returns (Entry[] memory fewer) {
        fewer = new Entry[](entries.length - 1);
        for (uint256 i; i < fewer.length; ++i) {
            fewer[i] = entries[i < index ? i : i + 1];
        }
    }

    /// @dev Expects a revert with one address.
    function _expect(bytes4 selector, address who) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, who));
    }
}
