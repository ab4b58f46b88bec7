// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Case, CaseState, Hearing, Leaf} from "../types/Cases.sol";
import {Certificate, CertifiedBatch} from "../types/Certificates.sol";
import {CaseTermsWord, Terms} from "../types/Terms.sol";
import {WorkerWord} from "../types/Workers.sol";
import {ICases} from "./ICases.sol";

/// @title Disputes, audits, appeals
/// @notice Judges one task of one certified batch at a time, by what {IJury} finds. A case has windows in chain time
/// (`docs/contracts.md` section 9): jurors commit, reveal, then anybody calls for the verdict, anybody may appeal it once,
/// anybody has the money paid. The other contracts know its address from their deployment; it may be zero or have no code:
/// then nothing is disputed.
interface ICourt is ICases {
    /// @notice Emitted when a case opens; everything later needs the record as calldata.
    event CaseOpened(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, Case record);
    /// @notice Emitted at a verdict.
    /// @param finding What prevailed; zero when nothing did.
    /// @param odds Odds to one that it is right, times 1e6.
    event Decided(bytes32 indexed caseId, CaseState verdict, bytes32 finding, uint256 odds);
    /// @notice Emitted when a case is closed and its money paid.
    /// @param verdict Void also where another case voided the batch first.
    event CaseClosed(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, CaseState verdict);
    /// @notice Emitted when a certificate falls by proof, without a jury.
    event Disproved(bytes32 indexed dealId, uint32 indexed batch, uint256 path, address indexed by);

    /// @notice Thrown when a worker may not open without a bond: it had no seat in the round, or its claim has no second
    /// member. Remedy: open with a bond.
    error NotEntitled(address worker);
    /// @notice Thrown when leaves contradict neither each other nor the certificate.
    error NoFault();
    /// @notice Thrown when the seed does not ask for an audit of this certificate.
    error NotDrawn(bytes32 draw);
    /// @notice Thrown when the certificate was audited already.
    error Audited(uint256 index);

    /// @notice Disputes a task of a certificate whose window is open. The caller's balance in the ledger pays the bond.
    /// @param roster With `caseTerms` what the certificate's `members` hash covers, see {Certificate}.
    /// @param index Task of the batch.
    /// @param seal See {Case}.
    function openDispute(
        Certificate calldata certificate,
        bytes32 roster,
        CaseTermsWord caseTerms,
        uint256 index,
        bytes32 seal
    ) external;

    /// @notice The same without a bond, by a worker or its operator: one that had a seat in wave 0 and is no member, or a
    /// member whose rival claim at least one other makes too. A dissenter's slash of its stake is put at risk instead.
    function openDisputeAsWorker(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        uint256 index,
        bytes32 seal,
        address worker
    ) external;

    /// @notice Opens the audit that the seed asks for, while the window is open. Its jury is paid from what the protocol
    /// earned in the deal's pool, as far as that goes.
    function openAudit(CertifiedBatch calldata certified) external;

    /// @notice Appeals a first verdict: another jury, four times the odds, twice the bond. Anybody may.
    /// @param before The case that was decided.
    /// @param finding What prevailed there.
    /// @param worker Whose stake answers as in {openDisputeAsWorker}; zero = a bond.
    function appeal(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case calldata before,
        bytes32 finding,
        bytes32 seal,
        address worker
    ) external;

    /// @notice The verdict, by anybody, after the reveal window.
    function decide(Certificate calldata certificate, Hearing calldata hearing) external;

    /// @notice Moves the batch by the verdict and pays, by anybody, once nobody can appeal any more.
    /// @param hearings The last case, then, where it was an appeal, the first.
    /// @param finding What prevailed.
    function finalize(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Hearing[] calldata hearings,
        bytes32 finding
    ) external;

    /// @notice Ends a case whose batch another one voided: openings come back.
    /// @param records The last case, then, where it was an appeal, the first.
    /// @param finding What prevailed in the last; unused while it has no verdict.
    function dismiss(Case[] calldata records, bytes32 finding) external;

    /// @notice Overturns a certificate by its own leaves, while its window is open: a receipt whose index is not its place; one that
    /// took more fuel than the limit; a first or last cumulative fuel, or two neighbouring ones, that do not add up.
    /// @param leaves One leaf, or two neighbours.
    function disprove(Terms calldata terms, CertifiedBatch calldata certified, Leaf[] calldata leaves) external;

    /// @notice Whether a case freezes this task of a disputed batch; `index` counts in the batch.
    function frozen(bytes32 dealId, uint256 batch, uint256 index) external view returns (bool);

    /// @notice A task's slot: state 8 (low) | audited 8 | 0 24 | hash of the case 216.
    function caseWord(bytes32 dealId, uint256 batch, uint256 index) external view returns (uint256);

    /// @notice Jury: puts stake of a juror at risk; answers the worker's word as it was.
    /// @param caller Who asks: the worker or its operator.
    function reserve(address worker, uint256 units, address caller) external returns (WorkerWord word);
}
