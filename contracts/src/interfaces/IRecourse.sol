// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CertifiedBatch, Claim, LogItem, Status} from "../types/Certificates.sol";
import {Terms} from "../types/Terms.sol";
import {MemberWord} from "../types/Workers.sol";

/// @title What comes after a certificate
/// @notice Escrow after the window, contributions that are shown late, and faults that two signatures prove: all that
/// needs no judgement. What needs one is the Court's.
interface IRecourse {
    /// @notice A signed message of {proveWorkerFault}.
    struct SignedClaim {
        uint8 wave;
        bytes32 root;
        uint64 fuel;
        bytes32 listHash;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice A signed message of {proveCommitmentFault}.
    struct SignedCommitment {
        uint8 wave;
        bytes32 commitment;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice A seat that a worker missed: the round's terms and certificate, which does not name it.
    struct MissedSeat {
        Terms terms;
        CertifiedBatch certified;
    }

    /// @notice Emitted when escrow is paid out after the window.
    event Released(bytes32 indexed dealId, uint32 indexed batch, uint256 burnt, uint256 toPayer, uint256 toWorkers);
    /// @notice Emitted when a member that was certified as bare shows its contribution in time.
    /// @param members The new member words; the certificate's `members` hash changes with them.
    event Shown(
        bytes32 indexed dealId,
        uint32 indexed batch,
        address indexed worker,
        bytes32 root,
        uint64 fuel,
        MemberWord[] members,
        Claim[] rivals
    );
    /// @notice Emitted when what a worker shows contradicts a certificate.
    event Contradicted(bytes32 indexed dealId, uint32 indexed batch, address indexed worker, bytes32 root, uint64 fuel);

    /// @notice Thrown when terms are not those of the certificate's deal.
    error WrongTerms(bytes32 dealId);
    /// @notice Thrown when a batch is not provisional, or for {show} disputed.
    error WrongStatus(Status status);
    /// @notice Thrown when the dispute window is not over.
    error TooEarly(uint256 notBefore);
    /// @notice Thrown when the dispute window is over.
    error TooLate(uint256 notAfter);
    /// @notice Thrown when a member was not bare, or its commitment is not opened by what was shown.
    error WrongOpening(address worker);
    /// @notice Thrown when a signature is not the worker's or coordinator's.
    error BadSignature(address signer);
    /// @notice Thrown when a worker had no seat in the round that it is said to have missed.
    error NoSeat(address worker);
    /// @notice Thrown when a report brings another number of missed seats than eight.
    error TooFewSeats(uint256 seats, uint256 needed);
    /// @notice Thrown when a log is not what stands on chain, or stood when the batch expired.
    error WrongLog(bytes32 expected, bytes32 given);
    /// @notice Thrown when two signed messages prove no fault.
    error NoFault();

    /// @notice Pays escrow out after the dispute window: a fifth burnt, then extra executions, then the right ones.
    function release(Terms calldata terms, CertifiedBatch calldata certified) external;

    /// @notice Shows the contribution of a member that was certified as bare, before the window ends: an agreeing one
    /// gets its slash back, a contradicting one is recorded for the Court. Anybody may: only its maker knows the opening.
    /// @param index Which member it is.
    function show(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        uint256 index,
        bytes32 root,
        uint64 fuel,
        bytes32 ownTraceRoot
    ) external;

    /// @notice Proves that a worker signed two different contributions for one round: full slash. They differ if anything that
    /// they say differs, wave and list included.
    function proveWorkerFault(address worker, bytes32 roundId, SignedClaim calldata a, SignedClaim calldata b) external;

    /// @notice Proves that a worker signed two different commitments for one round: full slash.
    function proveDoubleCommitment(
        address worker,
        bytes32 roundId,
        uint8[2] calldata waves,
        bytes32[2] calldata commitments,
        bytes32[2] calldata rs,
        bytes32[2] calldata vss
    ) external;

    /// @notice Proves that a worker signed another commitment than the one that stands on chain for it: full slash. While the
    /// batch is open, or after it expired; see {proveCertifiedCommitmentFault} for later.
    /// @param index Which item of the log is the worker's commitment.
    function proveCommitmentFault(
        bytes32 dealId,
        uint256 batch,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        SignedCommitment calldata signed
    ) external;

    /// @notice {proveCommitmentFault} once the batch is certified: the certificate's trail holds the log's hash.
    function proveCertifiedCommitmentFault(
        CertifiedBatch calldata certified,
        bytes32 roundId,
        LogItem[] calldata log,
        uint256 index,
        SignedCommitment calldata signed
    ) external;

    /// @notice Proves that a coordinator signed two different lists for one wave: its pool's deposit is slashed.
    function proveCoordinatorFault(
        address coordinator,
        bytes32 roundId,
        uint8 wave,
        bytes32[2] calldata listHashes,
        bytes32[2] calldata rs,
        bytes32[2] calldata vss
    ) external;

    /// @notice Puts a worker to sleep that missed eight seats and contributed to nothing for a whole risk period.
    function reportDormant(address worker, MissedSeat[] calldata seats) external;
}
