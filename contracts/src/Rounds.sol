// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "./interfaces/ICertifier.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {ISeed} from "./interfaces/ISeed.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Draws, Round} from "./libraries/Draws.sol";
import {Logs} from "./libraries/Logs.sol";
import {Lot} from "./libraries/Lot.sol";
import {Claims, MemberWords} from "./libraries/MemberWords.sol";
import {Messages} from "./libraries/Messages.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {Domain, SignatureChecks} from "./libraries/SignatureChecks.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {LogItem, Status} from "./types/Certificates.sol";
import {OpenedWord, Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Rounds
/// @notice The part of {ICertifier} that comes before a certificate: what a round is, and what stands on chain for it.
/// @dev The slot of an open batch: see {Certificates}; the hash of a log: {Logs}.
abstract contract Rounds is ICertifier, Domain {
    using TermsHash for Terms;
    using Draws for Round;

    /// @dev Upper 216 bits of a slot: a hash.
    uint256 internal constant HASH_MASK = Certificates.HASH_MASK;
    /// @dev Kinds of log items.
    uint256 internal constant COMMITTED = Logs.COMMITTED;
    uint256 internal constant REVEALED = Logs.REVEALED;
    /// @dev Kind of seeds that are block hashes.
    uint8 private constant BLOCK_HASH = 1;
    /// @dev Draws of the lot of a batch at most, less one.
    uint256 private constant ATTEMPT_MAX = 3;

    /// @notice The ledger.
    IVault public immutable vault;
    /// @notice Workers and bonds.
    IWorkforce public immutable workforce;
    /// @notice Deals.
    IMarket public immutable market;
    /// @notice Where seeds come from.
    ISeed public immutable seeds;
    /// @notice Kind of the seeds, see {ISeed-seedOf}.
    uint8 public immutable seedKind;
    /// @notice What comes after a certificate: see {IRecourse}.
    address public immutable recourse;
    /// @notice Disputes; zero = none.
    address public immutable court;

    mapping(bytes32 dealId => mapping(uint256 batch => uint256 word)) internal _batches;
    mapping(bytes32 dealId => mapping(uint256 batch => OpenedWord opened)) internal _reopened;

    constructor(
        address vault_,
        address workforce_,
        address market_,
        address seeds_,
        uint8 seedKind_,
        address recourse_,
        address court_
    ) {
        vault = IVault(vault_);
        workforce = IWorkforce(workforce_);
        market = IMarket(market_);
        seeds = ISeed(seeds_);
        seedKind = seedKind_;
        recourse = recourse_;
        court = court_;
    }

    /// @inheritdoc ICertifier
    function commit(
        Terms calldata terms,
        uint256 batch,
        LogItem[] calldata log,
        address worker,
        bytes32 commitment,
        bytes calldata signature
    ) external {
        Round memory round = _draw(terms, batch);
        if (block.timestamp > terms.deadline) revert DeadlinePassed(terms.deadline);
        uint256 wave = round.opened.waveAt(block.timestamp);
        if (wave > Lot.WAVE_MAX) revert TooLate(round.opened.windowsEnd());
        if (msg.sender != worker) {
            bytes32 digest = _digest(Messages.commitment(round.id, wave, commitment));
            if (!SignatureChecks.isValid(worker, digest, signature)) revert BadEntry(worker);
        }
        uint256 operator = _reserve(round, terms, worker, wave);
        for (uint256 i; i < log.length; ++i) {
            if (_kindOf(log[i].word) == COMMITTED && _payloadOf(log[i].word) == operator) revert SameOperator(worker);
        }
        _checkLog(round.word, round.id, log);
        uint256 item = uint256(uint160(worker)) << 96 | operator << 16 | wave << 8 | COMMITTED;
        uint256 counts = _countIn(round.word, wave, 2 * terms.policy.replicasMax());
        _append(
            terms.dealId,
            batch,
            counts,
            log.length == 0 ? round.id : bytes32(round.word & HASH_MASK),
            item,
            commitment,
            0
        );
        emit Committed(
            terms.dealId, uint32(batch), worker, round.id, uint8(wave), commitment, LogItem(item, commitment, 0)
        );
    }

    /// @inheritdoc ICertifier
    function reveal(
        bytes32 dealId,
        uint256 batch,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        bytes32 root,
        uint64 fuel,
        bytes32 ownTraceRoot
    ) external {
        uint256 word = _openWord(dealId, batch);
        _checkLog(word, roundId, log);
        uint256 committed = log[index].word;
        address worker = address(uint160(committed >> 96));
        bytes32 opening = Draws.commitmentOf(worker, roundId, root, fuel, ownTraceRoot);
        if (_kindOf(committed) != COMMITTED || opening != log[index].a) revert WrongOpening(worker);
        if (_revealOf(log, worker) != log.length) revert RevealedOnChain(worker);
        uint256 item = uint256(uint160(worker)) << 96 | uint256(fuel) << 16 | REVEALED;
        _append(dealId, batch, word & ~HASH_MASK, bytes32(word & HASH_MASK), item, root, ownTraceRoot);
        emit Revealed(dealId, uint32(batch), worker, roundId, root, fuel, LogItem(item, root, ownTraceRoot));
    }

    /// @inheritdoc ICertifier
    function reopen(Terms calldata terms, uint256 batch) external {
        _checkTerms(terms);
        Round memory round = _load(terms, batch);
        if (round.word & HASH_MASK != 0) revert StandsOnChain(bytes32(round.word & HASH_MASK));
        if (round.attempt == ATTEMPT_MAX) revert TooManyAttempts();
        uint256 closed = round.opened.windowsEnd();
        if (block.timestamp < closed) revert TooEarly(closed);
        if (block.timestamp + round.opened.patience() > terms.deadline) revert DeadlinePassed(terms.deadline);
        uint256 bond = workforce.poolOf(terms.pool).bond();
        OpenedWord opened = terms.opened.reopened(block.number, block.timestamp, bond);
        _reopened[terms.dealId][batch] = opened;
        _batches[terms.dealId][batch] = (round.attempt + 1) << 8;
        emit Reopened(terms.dealId, uint32(batch), uint8(round.attempt + 1), OpenedWord.unwrap(opened));
    }

    /// @inheritdoc ICertifier
    function batchWord(bytes32 dealId, uint256 batch) external view returns (uint256) {
        return _batches[dealId][batch];
    }

    /// @inheritdoc ICertifier
    function reopenedAt(bytes32 dealId, uint256 batch) external view returns (uint256) {
        return OpenedWord.unwrap(_reopened[dealId][batch]);
    }

    /// @inheritdoc ICertifier
    function domainSeparator() external view returns (bytes32) {
        return _domain();
    }

    /// @dev Reserves a committer's slash and checks its seat; answers its operator.
    function _reserve(Round memory round, Terms calldata terms, address worker, uint256 wave)
        private
        returns (uint256 operator)
    {
        uint256 gross = terms.fuelLimit * round.tasks * terms.feePerMfuel / 1e6;
        uint256 units = Payouts.slashUnits(gross);
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWords.pack(worker, Claims.BARE, wave, 0, units);
        WorkerWord word = workforce.settle(members)[0];
        if (!round.hasSeat(terms.pool, worker, word, wave)) revert NoSeat(worker);
        uint256 room = word.room();
        if (room < units) revert ExposureTooHigh(worker, units, room);
        return word.operator();
    }

    /// @dev Adds an item to a round's log.
    function _append(bytes32 dealId, uint256 batch, uint256 low, bytes32 hash, uint256 item, bytes32 a, bytes32 b)
        private
    {
        _batches[dealId][batch] = (uint256(keccak256(abi.encode(hash, item, a, b))) & HASH_MASK) | low;
    }

    /// @dev What the terms say of a batch, which is open; the caller authenticates the terms.
    function _load(Terms calldata terms, uint256 batch) internal view returns (Round memory round) {
        round.batch = batch;
        uint256 batches = terms.batches();
        if (batch >= batches) revert NoSuchBatch(batch, batches);
        round.word = _openWord(terms.dealId, batch);
        round.attempt = uint8(round.word >> 8);
        round.opened = round.attempt == 0 ? terms.opened : _reopened[terms.dealId][batch];
        round.tasks = terms.tasksOf(batch);
    }

    /// @dev {_load}, then the seed and what follows from it.
    function _draw(Terms calldata terms, uint256 batch) internal view returns (Round memory round) {
        _checkTerms(terms);
        round = _load(terms, batch);
        round.seed = _seedOf(round.opened);
        round.id = Lot.roundId(terms.dealId, batch, round.attempt, round.seed);
        round.aim(terms);
    }

    /// @dev The seed of rounds that opened there and then. A recent block's hash needs no call.
    function _seedOf(OpenedWord opened) private view returns (bytes32 seed) {
        uint256 blockNumber = opened.blockNumber();
        if (seedKind == BLOCK_HASH) seed = blockhash(blockNumber);
        if (seed == 0) (seed,) = seeds.seedOf(blockNumber, opened.time());
    }

    /// @dev Reverts unless these are the deal's terms.
    function _checkTerms(Terms calldata terms) internal view {
        address target = address(market);
        bytes4 selector = IMarket.termsHash.selector;
        bytes32 dealId = terms.dealId;
        bytes32 stored;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, dealId)
            // The arguments are evaluated from the last to the first: the size is that of this call's answer.
            if and(eq(returndatasize(), 32), staticcall(gas(), target, 0, 36, 0, 32)) { stored := mload(0) }
        }
        if (stored != terms.hash()) revert WrongTerms(dealId);
    }

    /// @dev The word of a batch that is open.
    function _openWord(bytes32 dealId, uint256 batch) internal view returns (uint256 word) {
        word = _batches[dealId][batch];
        if (uint8(word) != uint8(Status.Open)) revert WrongStatus(Status(uint8(word)));
    }

    /// @dev Reverts unless `log` is all that stands on chain for the round.
    function _checkLog(uint256 word, bytes32 roundId, LogItem[] calldata log) internal pure {
        bytes32 hash = Logs.hashOf(roundId, log);
        if (bytes32(word & HASH_MASK) != hash) revert WrongLog(bytes32(word & HASH_MASK), hash);
    }

    /// @dev Index of a worker's reveal in the log, or the log's length.
    function _revealOf(LogItem[] calldata log, address worker) internal pure returns (uint256 index) {
        for (; index < log.length; ++index) {
            uint256 word = log[index].word;
            if (_kindOf(word) == REVEALED && address(uint160(word >> 96)) == worker) return index;
        }
    }

    /// @dev EIP-712 digest of a worker's or coordinator's message.
    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return SignatureChecks.digestOf(_domain(), structHash);
    }

    function _kindOf(uint256 word) internal pure returns (uint256) {
        return Logs.kindOf(word);
    }

    function _payloadOf(uint256 word) internal pure returns (uint256) {
        return uint64(word >> 16);
    }

    /// @dev Counts one more commitment in the window of `wave`; the low 40 bits of the slot.
    function _countIn(uint256 word, uint256 wave, uint256 most) private pure returns (uint256 low) {
        uint256 count = uint8(word >> 24) == wave ? uint8(word >> 16) : 0;
        if (count == most) revert TooMany(count, most);
        return (word & 0xffff) | (count + 1) << 16 | wave << 24;
    }

    /// @inheritdoc Domain
    function _domainName() internal pure override returns (string memory) {
        return "Guildhall Certifier";
    }
}
