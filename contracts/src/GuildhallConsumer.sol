// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDeliveryCallback} from "./interfaces/IDeliveryCallback.sol";
import {Delivery} from "./types/Certificates.sol";

/// @title Base of contracts that act on certified results
/// @notice Safe by default: takes results from the Certifier only, of the requester, app and pool that it was built for, final,
/// of executions that ended normally, and with odds, operators and stake that it asked for. The requester of a deal chooses
/// its policy, so a consumer that compares less believes whoever names it as a callback.
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

    /// @dev Compares; reverts with what is missing.
    function _check(Delivery calldata delivery, Expectation memory expected) private pure {
        if (expected.requester != address(0) && delivery.requester != expected.requester) {
            revert NotExpected("requester");
        }
        if (delivery.app != expected.app) revert NotExpected("app");
        if (delivery.dataset != expected.dataset) revert NotExpected("dataset");
        if (expected.pool != 0 && delivery.pool != expected.pool) revert NotExpected("pool");
        if (!delivery.isFinal && !expected.provisional) revert NotExpected("finality");
        if (delivery.exit != 0) revert NotExpected("exit");
        if (delivery.odds < uint256(expected.confidence) * 1e6) revert NotExpected("confidence");
        if (delivery.seats < expected.seats) revert NotExpected("seats");
        if (delivery.stake < expected.stake) revert NotExpected("stake");
        if (delivery.policy.faultyShareBps() < expected.faultyShareBps) revert NotExpected("faultyShare");
    }
}
