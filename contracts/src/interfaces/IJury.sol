// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Case, CaseState, Hearing, Receipt} from "../types/Cases.sol";
import {Certificate, CertifiedBatch} from "../types/Certificates.sol";
import {Terms} from "../types/Terms.sol";
import {IJurors} from "./IJurors.sol";

/// @title The juries of the Court
/// @notice Who sits on the jury of a case, what each of them finds, and what it weighs. Moves no money and no batch.
interface IJury is IJurors {
    /// @notice Emitted when an opener shows what it had sealed.
    event SealOpened(bytes32 indexed caseId, bytes32 finding);
    /// @notice Emitted when the certified receipt of a disputed task is shown.
    event ReceiptShown(bytes32 indexed dealId, uint32 indexed batch, uint32 indexed index, Receipt receipt);

    /// @notice A drawn worker's blind finding; by the worker or its operator, in the commit windows. Puts a slash at risk.
    /// @param records The case, then, where it is an appeal, the first.
    /// @param commitment keccak256(abi(worker, case id, finding, own trace)).
    function commit(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case[] calldata records,
        address worker,
        bytes32 commitment
    ) external;

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

    /// @notice What the certificate says of a task, once shown; zero = nobody showed it.
    function receiptShown(bytes32 dealId, uint256 batch, uint256 index) external view returns (bytes32 finding);

    /// @notice What the opener of a case had sealed, once shown.
    function sealOpened(bytes32 caseId) external view returns (bytes32 finding);

    /// @notice What a whole jury comes to: the verdict, what prevailed (zero when nothing did) and its odds, times 1e6.
    /// @param certificate The one that the case is about; the caller has checked it.
    function weigh(Certificate calldata certificate, Hearing calldata hearing)
        external
        view
        returns (CaseState verdict, bytes32 finding, uint256 odds);
}
