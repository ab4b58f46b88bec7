// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Case, Juror} from "../types/Cases.sol";
import {ICases} from "./ICases.sol";

/// @title Jurors
/// @notice What jurors do alike, whether a certificate is judged ({IJury}) or what none judges ({IInquest}).
interface IJurors is ICases {
    /// @notice Emitted when a juror commits.
    event JurorCommitted(bytes32 indexed caseId, address indexed worker, Juror juror);
    /// @notice Emitted when a juror reveals.
    /// @param juror Its word and finding as the verdict needs them.
    event JurorRevealed(bytes32 indexed caseId, address indexed worker, Juror juror, bytes32 ownTrace);

    /// @notice Thrown when a worker has no seat on the jury: ticket, runtime, bond, or a change since the opening block.
    error NoSeat(address worker);
    /// @notice Thrown when a worker is a party to the case, or sat on the jury before.
    error Excluded(address worker);
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

    /// @notice Opens a juror's commitment in the reveal window. Anybody may: only its maker knows the opening.
    /// @param finding keccak256(abi(index, exit, fuel, outputDigest, traceDigest)); of an accusation the accused's own trace.
    /// @param ownTrace The juror's own trace of the task, for others to compare.
    function reveal(Case calldata record, Juror calldata juror, bytes32 finding, bytes32 ownTrace) external;

    /// @notice What stands on chain of an operator's juror; zero = none.
    function jurorOf(bytes32 caseId, uint256 operator) external view returns (bytes32);

    /// @notice How many committed in a case.
    function jurorsOf(bytes32 caseId) external view returns (uint256);

    /// @notice Reverts unless these are all jurors of the case, sorted by operator.
    function check(bytes32 caseId, Juror[] calldata jurors) external view;
}
