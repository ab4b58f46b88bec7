// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Parcel} from "../types/Certificates.sol";
import {Certificates} from "./Certificates.sol";

/// @title Parcels
/// @notice Reads what a delivery brings. Layout: {Parcel}.
library Parcels {
    /// @dev Where the words of the terms lie in a parcel, and their length.
    uint256 private constant TERMS_AT = 6 * 32;
    uint256 private constant TERMS_BYTES = 6 * 32;

    /// @notice Reverts unless this is the certificate of the batch's slot, with the terms that it was made under.
    function check(Parcel calldata parcel, uint256 word) internal pure {
        if (!Certificates.stands(word) || (uint256(certificateHash(parcel)) ^ word) & Certificates.HASH_MASK != 0) {
            revert Certificates.WrongCertificate(parcel.dealId, batch(parcel));
        }
    }

    /// @notice {Certificates-hashOf} of the certificate that is packed here.
    function certificateHash(Parcel calldata parcel) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, add(parcel, TERMS_AT), TERMS_BYTES)
            let delivery := keccak256(free, TERMS_BYTES)
            let facts := calldataload(add(parcel, 0x40))
            let backing := calldataload(add(parcel, 0x60))
            mstore(free, calldataload(parcel))
            mstore(add(free, 0x20), and(facts, 0xffffffff))
            mstore(add(free, 0x40), and(shr(32, facts), 0xff))
            mstore(add(free, 0x60), calldataload(add(parcel, 0x20)))
            mstore(add(free, 0x80), and(shr(64, facts), 0xffffffffffffffff))
            mstore(add(free, 0xa0), and(backing, 0xffffffffffffffffffffffffffffffff))
            mstore(add(free, 0xc0), shr(128, backing))
            mstore(add(free, 0xe0), and(shr(40, facts), 0xff))
            mstore(add(free, 0x100), and(shr(48, facts), 0xff))
            mstore(add(free, 0x120), and(shr(56, facts), 0xff))
            mstore(add(free, 0x140), delivery)
            mstore(add(free, 0x160), calldataload(add(parcel, 0x80)))
            mstore(add(free, 0x180), and(shr(128, facts), 0xffffffffffffffff))
            mstore(add(free, 0x1a0), shr(192, facts))
            mstore(add(free, 0x1c0), calldataload(add(parcel, 0xa0)))
            result := keccak256(free, 480)
        }
    }

    /// @notice Leaf of the receipt in its batch's tree (`docs/encoding.md` section 4): index, exit, fuel, fuel of the tasks up to
    /// it, digest of what is delivered, digest of the trace.
    function leafOf(Parcel calldata parcel, bytes32 outputDigest) internal pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let run := calldataload(add(parcel, 0x180))
            mstore(free, and(run, 0xffffffff))
            mstore(add(free, 0x20), and(shr(32, run), 0xff))
            mstore(add(free, 0x40), and(shr(40, run), 0xffffffffffffffff))
            mstore(add(free, 0x60), and(shr(104, run), 0xffffffffffffffff))
            mstore(add(free, 0x80), outputDigest)
            mstore(add(free, 0xa0), calldataload(add(parcel, 0x1a0)))
            leaf := keccak256(free, 0xc0)
        }
    }

    /// @notice The batch.
    function batch(Parcel calldata parcel) internal pure returns (uint256) {
        return uint32(parcel.facts);
    }

    /// @notice Draw of the lot that led to the certificate.
    function attempt(Parcel calldata parcel) internal pure returns (uint8) {
        return uint8(parcel.facts >> 32);
    }

    /// @notice Unix time from which the certificate is final.
    function finalAt(Parcel calldata parcel) internal pure returns (uint256) {
        return parcel.facts >> 192;
    }

    /// @notice Index of the task in its batch.
    function index(Parcel calldata parcel) internal pure returns (uint256) {
        return uint32(parcel.run);
    }

    /// @notice Tasks of a full batch.
    function batchSize(Parcel calldata parcel) internal pure returns (uint256) {
        return uint32(parcel.sizes >> 32);
    }

    /// @notice What the requester offers for the delivery of a task.
    function deliveryTip(Parcel calldata parcel) internal pure returns (uint256) {
        // The certificate was checked: its terms have no more than 96 bits here.
        return parcel.sizes >> 64;
    }

    /// @notice Tasks of this batch; the last one of a deal may be shorter.
    function tasks(Parcel calldata parcel) internal pure returns (uint256) {
        uint256 size = batchSize(parcel);
        unchecked {
            // The certificate was checked: its deal has this batch.
            uint256 rest = uint32(parcel.sizes) - batch(parcel) * size;
            return rest < size ? rest : size;
        }
    }
}
