// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Delivery} from "../types/Certificates.sol";

/// @title What a request's callback implements
/// @notice Start from {GuildhallConsumer}, which checks what must be checked.
interface IDeliveryCallback {
    /// @notice Called by the Certifier with a certified result. A revert leaves the task undelivered.
    function onDelivery(Delivery calldata delivery, bytes calldata output) external;
}
