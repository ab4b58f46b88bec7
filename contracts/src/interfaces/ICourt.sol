// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Case, CaseState, Hearing, Juror, Leaf, Receipt} from "../types/Cases.sol";
import {Certificate, CertifiedBatch} from "../types/Certificates.sol";
import {Terms} from "../types/Terms.sol";

/// @title Disputes, audits and juries
/// @notice Judges one task of one certified batch at a time. A case has windows in chain time (`docs/contracts.md` section 9):
/// jurors commit, reveal, then anybody calls for the verdict, anybody may appeal it once, anybody has the money paid. The
/// other contracts know its address from their deployment; it may be zero or have no code: then nothing is disputed.
interface ICourt {
    /// @notice Emitted when a case opens; everything later needs the record as calldata.
    event CaseOpened(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, Case record);
    /// @notice Emitted when a juror commits.
    event JurorCommitted(bytes32 indexed caseId, address indexed worker, Juror juror);
    /// @notice Emitted when a juror reveals.
    /// @param juror Its word and finding as {decide} needs them.
    event JurorRevealed(bytes32 indexed caseId, address indexed worker, Juror juror, bytes32 ownTrace);
    /// @notice Emitted when an opener shows what it had sealed.
    event SealOpened(bytes32 indexed caseId, bytes32 finding);
    /// @notice Emitted when the certified receipt of a disputed task is shown.
    event ReceiptShown(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, Receipt receipt);
    /// @notice Emitted at a verdict.
    /// @param finding What prevailed; zero when nothing did.
    /// @param odds Odds to one that it is right, times 1e6.
    event Decided(bytes32 indexed caseId, CaseState verdict, bytes32 finding, uint256 odds);
    /// @notice Emitted when a case is closed and its money paid.
    /// @param verdict Void also where another case voided the batch first.
    event CaseClosed(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, CaseState verdict);
    /// @notice Emitted when stake is taken by a verdict or a proof; `units` of 1e15.
    event Punished(bytes32 indexed dealId, uint32 indexed batch, address indexed worker, uint256 units);
    /// @notice Emitted when a certificate falls by proof, without a jury.
    event Disproved(bytes32 indexed dealId, uint32 indexed batch, uint256 path, address indexed by);

    /// @notice Thrown when terms are not those of the certificate's deal.
    error WrongTerms(bytes32 dealId);
    /// @notice Thrown when a batch has no such task.
    error NoSuchTask(uint256 index, uint256 tasks);
    /// @notice Thrown when the task's case is not in the state that the call needs.
    error WrongState(CaseState state);
    /// @notice Thrown when a record, with its finding if there is a verdict, is not what the task's slot holds.
    error WrongCase(bytes32 caseId);
    /// @notice Thrown when it is too early. Remedy: wait until then.
    error TooEarly(uint256 notBefore);
    /// @notice Thrown when it is too late.
    error TooLate(uint256 notAfter);
    /// @notice Thrown when a caller is neither the worker nor its operator.
    error NotAllowed(address caller);
    /// @notice Thrown when a worker may not open without a bond: it had no seat in the round, or its claim has no second
    /// member. Remedy: open with a bond.
    error NotEntitled(address worker);
    /// @notice Thrown when a worker has no seat on the jury: ticket, runtime, bond, or a change since the opening block.
    error NoSeat(address worker);
    /// @notice Thrown when a worker is a party to the case, or sat on the jury before.
    error Excluded(address worker);
    /// @notice Thrown when a worker has less free stake than it must put at risk.
    error ExposureTooHigh(address worker, uint256 units, uint256 room);
    /// @notice Thrown when the operator sits on this jury already.
    error SameOperator(address worker);
    /// @notice Thrown when a jury is full.
    error TooMany(uint256 count, uint256 highest);
    /// @notice Thrown when a commitment or seal is not opened by what was shown.
    error WrongOpening(address maker);
    /// @notice Thrown when a juror's word and finding are not what stands on chain.
    error WrongJuror(address worker);
    /// @notice Thrown when the jury is not whole, or not sorted by operator.
    error WrongJury(uint256 given, uint256 committed);
    /// @notice Thrown when a receipt is not under the certificate's root.
    error WrongReceipt(uint256 index);
    /// @notice Thrown when leaves contradict neither each other nor the certificate.
    error NoFault();
    /// @notice Thrown when the seed does not ask for an audit of this certificate.
    error NotDrawn(bytes32 draw);
    /// @notice Thrown when the certificate was audited already.
    error Audited(uint256 index);

    /// @notice Disputes a task of a certificate whose window is open. The caller's balance in the ledger pays the bond.
    /// @param index Task of the batch.
    /// @param seal See {Case}.
    function openDispute(Terms calldata terms, Certificate calldata certificate, uint256 index, bytes32 seal) external;

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
    function openAudit(Terms calldata terms, CertifiedBatch calldata certified) external;

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

    /// @notice A drawn worker's blind finding; by the worker or its operator, in the commit windows. Puts a slash at risk.
    /// @param commitment keccak256(abi(worker, case id, finding, own trace)).
    function juryCommit(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case calldata record,
        address worker,
        bytes32 commitment
    ) external;

    /// @notice Opens a juror's commitment in the reveal window. Anybody may: only its maker knows the opening.
    /// @param finding keccak256(abi(index, exit, fuel, outputDigest, traceDigest)).
    /// @param ownTrace The juror's own trace of the task, for others to compare.
    function juryReveal(Case calldata record, Juror calldata juror, bytes32 finding, bytes32 ownTrace) external;

    /// @notice Shows what the opener sealed, in the reveal window.
    function openSeal(Case calldata record, bytes32 finding, bytes32 salt) external;

    /// @notice Shows the certified receipt of the task, in the reveal window of a case: the certificate's defence. Anybody
    /// may; contributors have the duty, because a certificate that nobody defends cannot be upheld.
    function showReceipt(
        Terms calldata terms,
        Certificate calldata certificate,
        Case calldata record,
        Receipt calldata receipt,
        bytes32[] calldata proof
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

    /// @notice A task's slot: state 8 (low) | jurors that committed 8 | audited 8 | 0 16 | hash of the case 216.
    function caseWord(bytes32 dealId, uint256 batch, uint256 index) external view returns (uint256);

    /// @notice What stands on chain of an operator's juror; zero = none.
    function jurorOf(bytes32 caseId, uint256 operator) external view returns (bytes32);

    /// @notice What the certificate says of a task, once shown; zero = nobody showed it.
    function receiptShown(bytes32 dealId, uint256 batch, uint256 index) external view returns (bytes32 finding);

    /// @notice What the opener of a case had sealed, once shown.
    function sealOpened(bytes32 caseId) external view returns (bytes32 finding);
}
