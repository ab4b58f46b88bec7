// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Certificate, Claim, Entry, LogItem, Parcel, Status} from "../types/Certificates.sol";
import {Terms} from "../types/Terms.sol";
import {MemberWord} from "../types/Workers.sol";

/// @title Rounds, certificates, delivery
/// @notice Judges what workers contributed to a batch, pays, delivers. One slot serves a batch for its whole life.
interface ICertifier {
    /// @notice One batch of {certifyMany}: the arguments of {certify}.
    struct Submission {
        uint256 batch;
        Claim[] claims;
        Entry[] entries;
        LogItem[] log;
    }

    /// @notice Emitted when a batch is certified. Everything later needs these as calldata.
    /// @param trail Hash of what stood on chain for the round, and the block of the certificate: see {Certificates-trailOf}.
    /// @param members Every member of the round, see {MemberWord}: first the list, then what stood on chain only.
    /// @param rivals The claims 1.. of dissenting members, then for each bare or lost member, in order, its commitment (as
    /// a claim with fuel 0).
    event Certified(
        bytes32 indexed dealId,
        uint32 indexed batch,
        Certificate certificate,
        uint256 trail,
        MemberWord[] members,
        Claim[] rivals
    );
    /// @notice Emitted when stake is taken into escrow at {certify}; `units` of 1e15.
    event Slashed(bytes32 indexed dealId, uint32 indexed batch, address indexed worker, uint256 units);
    /// @notice Emitted when a round is void because its bytes were withheld: the payer is refunded.
    event RoundVoided(bytes32 indexed dealId, uint32 indexed batch, uint8 attempt);
    /// @notice Emitted when what a worker shows contradicts a certificate.
    event Contradicted(bytes32 indexed dealId, uint32 indexed batch, address indexed worker, bytes32 root, uint64 fuel);
    /// @notice Emitted when a commitment stands on chain.
    event Committed(
        bytes32 indexed dealId,
        uint32 indexed batch,
        address indexed worker,
        bytes32 roundId,
        uint8 wave,
        bytes32 commitment,
        LogItem item
    );
    /// @notice Emitted when a contribution stands on chain.
    event Revealed(
        bytes32 indexed dealId,
        uint32 indexed batch,
        address indexed worker,
        bytes32 roundId,
        bytes32 root,
        uint64 fuel,
        LogItem item
    );
    /// @notice Emitted when a batch gets another draw.
    event Reopened(bytes32 indexed dealId, uint32 indexed batch, uint8 attempt, uint256 opened);
    /// @notice Emitted when a batch expires.
    event BatchExpired(bytes32 indexed dealId, uint32 indexed batch, uint256 refund, uint256 paidToWorkers);
    /// @notice Emitted when a result reaches its callback; `task` counts in the deal.
    event Delivered(bytes32 indexed dealId, uint256 indexed task, uint8 attempt, bool isFinal);
    /// @notice Emitted when a delivery earns the requester's tip; `task` counts in the deal.
    event DeliveryTipped(bytes32 indexed dealId, uint256 indexed task, address indexed deliverer, uint256 tip);
    /// @notice Emitted when the Court moves a certificate.
    event StatusChanged(bytes32 indexed dealId, uint32 indexed batch, Status status);

    /// @notice Thrown when a caller is not who the function belongs to.
    error NotAllowed(address caller);
    /// @notice Thrown when terms are not those of the deal.
    error WrongTerms(bytes32 dealId);
    /// @notice Thrown when a batch is not the deal's.
    error NoSuchBatch(uint256 batch, uint256 batches);
    /// @notice Thrown when a batch is not in the state that the call needs.
    error WrongStatus(Status status);
    /// @notice Thrown when it is too late to certify, commit or reveal.
    error DeadlinePassed(uint256 deadline);
    /// @notice Thrown when it is too early.
    error TooEarly(uint256 notBefore);
    /// @notice Thrown when it is too late for a wave or a window.
    error TooLate(uint256 notAfter);
    /// @notice Thrown when a wave has not begun, or is above 2.
    error WrongWave(uint256 wave, uint256 begun);
    /// @notice Thrown when the seed cannot be had (yet, or any more).
    error SeedUnavailable(uint256 blockNumber);
    /// @notice Thrown when a worker has no seat: ticket, pool, runtime, bond, or a change since the opening block.
    error NoSeat(address worker);
    /// @notice Thrown when an entry says that a seat was lost and it was not.
    error SeatNotLost(address worker);
    /// @notice Thrown when two members have one operator.
    error SameOperator(address worker);
    /// @notice Thrown when the list is not sorted by wave and worker, each worker once.
    error ListNotSorted(address worker);
    /// @notice Thrown when an entry's signature is not its worker's: another claim, round, wave or list.
    error BadEntry(address worker);
    /// @notice Thrown when a claim index is outside the claims.
    error UnknownClaim(address worker, uint256 claim);
    /// @notice Thrown when two claims are the same, or a claim's fuel is over the limit.
    error BadClaim(uint256 claim);
    /// @notice Thrown when the log is not what stands on chain.
    error WrongLog(bytes32 expected, bytes32 given);
    /// @notice Thrown when a worker is listed as bare although its contribution stands on chain.
    error RevealedOnChain(address worker);
    /// @notice Thrown when a round has more members than 64, or a window more commitments than twice `replicasMax`.
    error TooMany(uint256 count, uint256 highest);
    /// @notice Thrown when the odds do not reach the target (both times 1e6).
    error OddsTooLow(uint256 odds, uint256 target);
    /// @notice Thrown when too few operators agree.
    error TooFewOperators(uint256 operators, uint256 needed);
    /// @notice Thrown when a member has not as much free stake as the certificate puts at risk.
    error ExposureTooHigh(address worker, uint256 units, uint256 room);
    /// @notice Thrown when the stake behind a certificate is below the policy's.
    error CollateralTooLow(uint256 stake, uint256 needed);
    /// @notice Thrown when something stands on chain, so that the round cannot be drawn anew.
    error StandsOnChain(bytes32 logHash);
    /// @notice Thrown when a batch was opened four times already.
    error TooManyAttempts();
    /// @notice Thrown when a commitment is not opened by what was shown.
    error WrongOpening(address worker);
    /// @notice Thrown when a receipt, with the digest of the output that came with it, is not under the root.
    error WrongReceipt(uint256 index);
    /// @notice Thrown when a task was delivered already.
    error AlreadyDelivered(uint256 task);
    /// @notice Thrown when a deal names no callback.
    error NoCallback(bytes32 dealId);
    /// @notice Thrown when a task is frozen by a dispute.
    error Frozen(uint256 task);
    /// @notice Thrown when the transaction's gas cannot give the callback what the request promised.
    error GasTooLow(uint256 needed);
    /// @notice Thrown when a callback fails; anybody may try again.
    error CallbackFailed(address callback);
    /// @notice Certifies a batch and pays.
    /// @param claims [0] is what becomes the certificate, the others are the dissenters'.
    /// @param entries The round's list, sorted by wave, then by worker: every member, silent and dissenting ones too.
    /// @param log All that stands on chain for the round, in its order.
    function certify(
        Terms calldata terms,
        uint256 batch,
        Claim[] calldata claims,
        Entry[] calldata entries,
        LogItem[] calldata log
    ) external;

    /// @notice {certify} for several batches of a deal, all or none.
    function certifyMany(Terms calldata terms, Submission[] calldata submissions) external;

    /// @notice Voids a round in which "the bytes were withheld" prevails with the odds of a certificate: the payer is
    /// refunded, nobody is paid, nobody slashed.
    function voidRound(
        Terms calldata terms,
        uint256 batch,
        Claim[] calldata claims,
        Entry[] calldata entries,
        LogItem[] calldata log
    ) external;

    /// @notice A worker's commitment without a coordinator, inside the window of its wave. Reserves its slash.
    /// @param log What stands on chain so far.
    /// @param signature The worker's `Commitment` when somebody else calls; else empty.
    function commit(
        Terms calldata terms,
        uint256 batch,
        LogItem[] calldata log,
        address worker,
        bytes32 commitment,
        bytes calldata signature
    ) external;

    /// @notice Opens a commitment that stands on chain. Anybody may: only its maker can know the opening first.
    /// @param index Which item of the log is the commitment.
    function reveal(
        bytes32 dealId,
        uint256 batch,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        bytes32 root,
        uint64 fuel,
        bytes32 ownTraceRoot
    ) external;

    /// @notice Draws a round anew when all its windows have closed and nothing stands on chain: attempt + 1, new seed,
    /// target odds times 4, three times at most.
    function reopen(Terms calldata terms, uint256 batch) external;

    /// @notice Ends a batch that was not certified in time and refunds the payer, less the pool's minimum; agreeing
    /// contributions that stand on chain are paid.
    /// @param roundId The round that the log belongs to; unused when nothing stands on chain.
    function expire(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log) external;

    /// @notice Brings one task's result to the deal's callback. The caller's balance gets the deal's tip out of the requester's,
    /// when that has as much; if not, the delivery happens without one. Simulate the call to see what it gets.
    /// @param parcel The certificate, the terms and the receipt, as far as they are needed.
    /// @param proof Position-bound proof that the receipt is under the certificate's root.
    function deliver(Parcel calldata parcel, bytes32[] calldata proof, bytes calldata output) external;

    /// @notice Court: moves a certificate between provisional, disputed, final and void; answers where it stood. A disputed one
    /// may be disputed again: another of its tasks.
    function setStatus(Certificate calldata certificate, Status to) external returns (Status from);

    /// @notice Recourse: rewrites the slot of a certified batch.
    function rewrite(bytes32 dealId, uint256 batch, uint256 word) external;

    /// @notice A batch's word: its slot, see {Certificates}.
    function batchWord(bytes32 dealId, uint256 batch) external view returns (uint256);

    /// @notice Where a certified batch stands; a provisional certificate is final once its window is over.
    function statusOf(Certificate calldata certificate) external view returns (Status);

    /// @notice Opening of a batch that was re-opened; 0 = it was not.
    function reopenedAt(bytes32 dealId, uint256 batch) external view returns (uint256);

    /// @notice Whether a task was delivered; `index` counts in the batch.
    function delivered(bytes32 dealId, uint256 batch, uint256 index) external view returns (bool);

    /// @notice Hash that fills a batch's slot.
    function hashCertificate(Certificate calldata certificate) external pure returns (bytes32);

    /// @notice Domain separator of the workers' messages.
    function domainSeparator() external view returns (bytes32);
}
