// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {GuildhallConsumer} from "../GuildhallConsumer.sol";
import {Delivery} from "../types/Certificates.sol";

/// @title Example: act on a certified reading
/// @notice A city's app reads its sensors and answers one word: the highest temperature in hundredths of a degree. This
/// contract keeps the last certified one and raises the alarm above a threshold.
contract TemperatureAlarm is GuildhallConsumer {
    /// @notice Emitted when a certified reading is above the threshold.
    event Alarm(bytes32 indexed dealId, int256 centidegrees);

    /// @notice Thrown when an output is not one ABI word.
    error BadOutput(uint256 length);

    /// @notice Whose deals count.
    address public immutable requester;
    /// @notice The app whose results count.
    uint256 public immutable app;
    /// @notice The pool whose workers count.
    uint32 public immutable pool;
    /// @notice Above this the alarm is raised, in hundredths of a degree.
    int256 public immutable threshold;

    /// @notice The last certified reading, in hundredths of a degree.
    int256 public centidegrees;

    constructor(address certifier_, address requester_, uint256 app_, uint32 pool_, int256 threshold_)
        GuildhallConsumer(certifier_)
    {
        requester = requester_;
        app = app_;
        pool = pool_;
        threshold = threshold_;
    }

    /// @inheritdoc GuildhallConsumer
    function _onResult(Delivery calldata delivery, bytes calldata output) internal override {
        if (output.length != 32) revert BadOutput(output.length);
        centidegrees = abi.decode(output, (int256));
        if (centidegrees > threshold) emit Alarm(delivery.dealId, centidegrees);
    }

    /// @inheritdoc GuildhallConsumer
    function _expectation() internal view override returns (Expectation memory expected) {
        // Field by field: a literal would be a second struct beside the one that is answered. What is not named is zero: no
        // dataset, any stake, any seed, final certificates only, and no odds that lean on reputation.
        expected.requester = requester;
        expected.app = app;
        expected.pool = pool;
        expected.confidence = 60;
        expected.seats = 3;
        expected.faultyShareBps = 2000;
    }
}
