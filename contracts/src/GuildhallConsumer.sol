// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDeliveryCallback} from "./interfaces/IDeliveryCallback.sol";
import {Delivery} from "./types/Certificates.sol";

/// @title Base of contracts that act on certified results
/// @notice Safe by default: takes results from the Certifier only, of the requester, app and pool that it was built for, final,
/// of executions that ended normally, with odds that count no reputation, and with the odds, operators and stake that it asked
/// for. The requester of a deal chooses its policy, so a consumer that compares less believes whoever names it as a callback.
abstract contract GuildhallConsumer is IDeliveryCallback {
    /// @notice What a result must bring.
    /// @param requester Whose deals count; zero = anybody's.
    /// @param app Whose results count.
    /// @param dataset Which data they must rest on; 0 = none.
    /// @param pool Whose workers count; 0 = any pool, also one that the requester runs alone: give a pool.
    /// @param confidence Odds to one at least.
    /// @param seats Distinct operators at least.
    /// @param stake Stake behind the certificate at least.
    /// @param faultyShareBps Share of faulty stake that the odds must assume at least.
    /// @param provisional Whether certificates that may still be overturned count.
    /// @param seedKind Where the seed of the lot must come from, see {ISeed}; 0 = anywhere. A certificate names it because a
    /// seed that somebody can choose is a draw that somebody can choose.
    /// @param reputation Whether odds count that lean on the workers' reputation: against colluders who see all seats in their own hands
    /// only fresh weights promise anything.
    struct Expectation {
        address requester;
        uint256 app;
        uint256 dataset;
        uint32 pool;
        uint32 confidence;
        uint8 seats;
        uint96 stake;
        uint16 faultyShareBps;
        bool provisional;
        uint8 seedKind;
        bool reputation;
    }

    /// @notice Thrown when somebody else than the Certifier calls.
    error NotCertifier(address caller);
    /// @notice Thrown when a result is not what this contract asks for; names what is missing.
    error NotExpected(string what);

    /// @notice The only caller that is believed.
    address public immutable certifier;

    constructor(address certifier_) {
        certifier = certifier_;
    }

    /// @inheritdoc IDeliveryCallback
    function onDelivery(Delivery calldata delivery, bytes calldata output) external {
        if (msg.sender != certifier) revert NotCertifier(msg.sender);
        _check(delivery, _expectation());
        _onResult(delivery, output);
    }

    /// @dev What a result must bring. Called at every delivery.
    function _expectation() internal view virtual returns (Expectation memory);

    /// @dev Acts on a result that was checked. A revert leaves the task undelivered; anybody may try again.
    function _onResult(Delivery calldata delivery, bytes calldata output) internal virtual;

    /// @dev Reverts with the first thing that is missing.
    function _check(Delivery calldata delivery, Expectation memory expected) private pure {
        uint256 missing = _missing(delivery, expected);
        if (missing != 0) revert NotExpected(_nameOf(missing));
    }

    /// @dev What a result lacks: a bit for each name in {_nameOf}. All words are compared in one pass and as they lie, because a
    /// branch and a range check for each cost a delivery more than the comparisons. The Certifier alone gets here, and it
    /// writes every word in its type's range.
    function _missing(Delivery calldata delivery, Expectation memory expected) private pure returns (uint256 missing) {
        assembly ("memory-safe") {
            let asked := mload(expected)
            missing := and(iszero(iszero(asked)), iszero(eq(calldataload(add(delivery, 0x160)), asked)))
            asked := mload(add(expected, 0x20))
            missing := or(missing, shl(1, iszero(eq(calldataload(add(delivery, 0x180)), asked))))
            asked := mload(add(expected, 0x40))
            missing := or(missing, shl(2, iszero(eq(calldataload(add(delivery, 0x1a0)), asked))))
            asked := mload(add(expected, 0x60))
            let other := iszero(eq(calldataload(add(delivery, 0x100)), asked))
            missing := or(missing, shl(3, and(iszero(iszero(asked)), other)))
            asked := mload(add(expected, 0x100))
            missing := or(missing, shl(4, iszero(or(calldataload(add(delivery, 0x80)), asked))))
            missing := or(missing, shl(5, iszero(iszero(calldataload(add(delivery, 0x60))))))
            // Confidence in 32 bits: a million times that is far from overflowing.
            asked := mul(mload(add(expected, 0x80)), 1000000)
            missing := or(missing, shl(6, lt(calldataload(add(delivery, 0x120)), asked)))
            asked := mload(add(expected, 0xa0))
            missing := or(missing, shl(7, lt(calldataload(add(delivery, 0xa0)), asked)))
            asked := mload(add(expected, 0xc0))
            missing := or(missing, shl(8, lt(calldataload(add(delivery, 0x140)), asked)))
            asked := mload(add(expected, 0xe0))
            let policy := calldataload(add(delivery, 0x1e0))
            missing := or(missing, shl(9, lt(and(shr(32, policy), 0xffff), asked)))
            asked := mload(add(expected, 0x120))
            other := iszero(eq(calldataload(add(delivery, 0xe0)), asked))
            missing := or(missing, shl(10, and(iszero(iszero(asked)), other)))
            let leans := iszero(iszero(and(shr(160, policy), 0xff)))
            missing := or(missing, shl(11, and(iszero(mload(add(expected, 0x140))), leans)))
        }
    }

    /// @dev Name of the lowest bit.
    function _nameOf(uint256 missing) private pure returns (string memory) {
        if (missing & 1 != 0) return "requester";
        if (missing & 2 != 0) return "app";
        if (missing & 4 != 0) return "dataset";
        if (missing & 8 != 0) return "pool";
        if (missing & 16 != 0) return "finality";
        if (missing & 32 != 0) return "exit";
        if (missing & 64 != 0) return "confidence";
        if (missing & 128 != 0) return "seats";
        if (missing & 256 != 0) return "stake";
        if (missing & 512 != 0) return "faultyShare";
        if (missing & 1024 != 0) return "seedKind";
        return "reputation";
    }
}
