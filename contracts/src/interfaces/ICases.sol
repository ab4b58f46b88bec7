// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseState} from "../types/Cases.sol";

/// @title What Court, Jury and Inquest refuse alike
interface ICases {
    /// @notice Emitted when stake is taken by a verdict or a proof; `units` of 1e15.
    event Punished(bytes32 indexed dealId, uint32 indexed batch, address indexed worker, uint256 units);

    /// @notice Thrown when terms are not those of the certificate's deal.
    error WrongTerms(bytes32 dealId);
    /// @notice Thrown when the task's case is not in the state that the call needs.
    error WrongState(CaseState state);
    /// @notice Thrown when a record, with its finding if there is a verdict, is not what the task's slot holds.
    error WrongCase(bytes32 caseId);
    /// @notice Thrown when it is too early. Remedy: wait until then.
    error TooEarly(uint256 notBefore);
    /// @notice Thrown when it is too late.
    error TooLate(uint256 notAfter);
    /// @notice Thrown when a batch has no such task.
    error NoSuchTask(uint256 index, uint256 tasks);
    /// @notice Thrown when a caller is neither the worker nor its operator.
    error NotAllowed(address caller);
    /// @notice Thrown when a worker has less free stake than it must put at risk.
    error ExposureTooHigh(address worker, uint256 units, uint256 room);
    /// @notice Thrown when a receipt is not under the certificate's root.
    error WrongReceipt(uint256 index);
}
