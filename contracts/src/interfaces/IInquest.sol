// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Accusation, Case, CaseState, Docket, Hearing, Leaf} from "../types/Cases.sol";
import {CertifiedBatch, LogItem, Status} from "../types/Certificates.sol";
import {Terms} from "../types/Terms.sol";
import {IJurors} from "./IJurors.sol";

/// @title Inquests
/// @notice Cases over what no certificate answers for: contradicting reveals of a batch that expired, and the own trace of
/// one worker. They move no batch. Windows are those of {ICourt}: three to commit, one to reveal and show; then the verdict and
/// the money in one call, by anybody. There is one jury and no appeal, so it needs the odds of a second jury.
/// The other contracts know its address from their deployment; it may be zero or have no code: then there are none.
interface IInquest is IJurors {
    /// @notice Emitted when an inquest opens; everything later needs record and docket as calldata.
    event InquestOpened(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, Case record, Docket docket);
    /// @notice Emitted when the stake behind contradicting reveals is put at risk anew before the batch has expired.
    event Held(bytes32 indexed dealId, uint32 indexed batch);
    /// @notice Emitted when what a claim says of the task is shown; of an accusation the accused's own trace.
    event ClaimShown(bytes32 indexed caseId, uint256 indexed claim, bytes32 finding);
    /// @notice Emitted when an inquest ends and its money is paid.
    /// @param found Whether anything prevailed; if not, nobody loses anything.
    /// @param finding What prevailed.
    /// @param odds Odds to one that it is right, times 1e6.
    event InquestClosed(bytes32 indexed caseId, bool found, bytes32 finding, uint256 odds);

    /// @notice Thrown when a batch is not in the status that the call needs.
    error WrongStatus(Status status);
    /// @notice Thrown when a log is not what stands on chain for the round.
    error WrongLog(bytes32 stands, bytes32 given);
    /// @notice Thrown when those that are not slashed yet make one claim or none.
    error NoContradiction();
    /// @notice Thrown when a docket is not the case's.
    error WrongDocket(bytes32 caseId);
    /// @notice Thrown when a worker is no member that made the certified claim, or nothing binds it to the own trace root.
    error NotBound(address worker);

    /// @notice Puts a task of an expired batch whose reveals contradict before a jury. The caller's balance pays the bond. Puts what
    /// the revealers had reserved at risk anew, as far as they have the room.
    /// @param roundId The batch's last round; the log proves it.
    /// @param log All that stood on chain for it.
    /// @param index Task of the batch in which the claims differ: where they all turn out right the bond is lost.
    function openExpired(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log, uint256 index)
        external;

    /// @notice Puts what contradicting revealers had reserved at risk anew while the batch is open, so that nobody can leave before it
    /// expires. Anybody, from four days after the deal's opening on, every four days at most.
    function hold(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log) external;

    /// @notice Says that a member did not execute a task of a certificate whose window is open: its own trace is false. The
    /// caller's balance pays the bond.
    function accuse(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        uint256 index,
        Accusation calldata accusation
    ) external;

    /// @notice A drawn worker's blind finding; by the worker or its operator, in the commit windows. Puts a slash at risk.
    /// @param commitment keccak256(abi(worker, case id, finding, own trace)).
    function commit(
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        address worker,
        bytes32 commitment
    ) external;

    /// @notice Shows what a claim says of the task, in the reveal window; over an expired batch. Anybody may, its makers have the
    /// duty: a claim that nobody shows is wrong.
    /// @param claim Index into the docket's claims.
    /// @param leaves The task's leaf, after that of the task before it, if there is one: their cumulative fuels must add up,
    /// the last task's to the claim's fuel.
    function showReceipt(
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        uint256 claim,
        Leaf[] calldata leaves
    ) external;

    /// @notice Shows the accused's own trace of the task, in the reveal window. Anybody may, the accused has the duty: a trace that
    /// nobody shows is false. In a batch of one task the root is the trace, and stands without being shown.
    function showTrace(
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        bytes32 trace,
        bytes32[] calldata proof
    ) external;

    /// @notice The verdict and its money, by anybody, after the reveal window.
    function finalize(Terms calldata terms, Docket calldata docket, Hearing calldata hearing) external;

    /// @notice Where a case stands: None, Open or Closed.
    function stateOf(bytes32 caseId) external view returns (CaseState);

    /// @notice What a claim says of the task, once shown; zero = nobody showed it.
    function claimShown(bytes32 caseId, uint256 claim) external view returns (bytes32 finding);

    /// @notice What is known of an expired batch: committers that lost their slash, one bit each in the log's order 192 (low) |
    /// when their stake was last held 40 | whether a case is open 1.
    function expiryOf(bytes32 dealId, uint256 batch) external view returns (uint256);
}
