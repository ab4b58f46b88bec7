// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A group that orders may be restricted to
interface IGroup {
    /// @notice Whether `account` belongs to the group. Called with bounded gas.
    function isMember(address account) external view returns (bool);
}
