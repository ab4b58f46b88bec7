// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Settlement} from "./Settlement.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IDeliveryCallback} from "./interfaces/IDeliveryCallback.sol";
import {Parcels} from "./libraries/Parcels.sol";
import {ReceiptTree} from "./libraries/ReceiptTree.sol";
import {Parcel, Status} from "./types/Certificates.sol";

/// @title Deliveries
/// @notice The part of {ICertifier} that brings results to callbacks.
/// @dev The only place that calls foreign code: after all effects, with bounded gas, copying nothing back.
abstract contract Deliveries is Settlement {
    using Parcels for Parcel;

    /// @dev Tasks whose delivered bit lies in the batch's slot.
    uint256 private constant SLOT_TASKS = 32;
    /// @dev Gas that remains for this contract after a callback.
    uint256 private constant RESERVE_GAS = 10_000;

    mapping(bytes32 dealId => mapping(uint256 batch => mapping(uint256 word => uint256 bits))) private _deliveredBits;

    /// @inheritdoc ICertifier
    function deliver(Parcel calldata parcel, bytes32[] calldata proof, bytes calldata output) external {
        uint256 word = _batches[parcel.dealId][parcel.batch()];
        parcel.check(word);
        if (uint160(parcel.callback) == 0) revert NoCallback(parcel.dealId);
        bool isFinal = _checkDeliverable(parcel, word);
        uint256 index = parcel.index();
        bytes32 leaf = parcel.leafOf(_digestOf(output));
        if (!ReceiptTree.verify(parcel.root, leaf, index, parcel.tasks(), proof)) revert WrongReceipt(index);
        uint256 task;
        unchecked {
            // 32 bits each.
            task = parcel.batch() * parcel.batchSize() + index;
        }
        _mark(parcel, word, index, task);
        emit Delivered(parcel.dealId, task, parcel.attempt(), isFinal);
        _tip(parcel, task);
        _call(parcel, task, isFinal, output);
    }

    /// @inheritdoc ICertifier
    function delivered(bytes32 dealId, uint256 batch, uint256 index) external view returns (bool) {
        if (index >= SLOT_TASKS) return _deliveredBits[dealId][batch][index >> 8] >> (index & 255) & 1 != 0;
        uint256 word = _batches[dealId][batch];
        return uint8(word) != uint8(Status.Open) && word >> (8 + index) & 1 != 0;
    }

    /// @dev Sets a task's delivered bit, once.
    function _mark(Parcel calldata parcel, uint256 word, uint256 index, uint256 task) private {
        if (index < SLOT_TASKS) {
            uint256 bit = 1 << (8 + index);
            if (word & bit != 0) revert AlreadyDelivered(task);
            _batches[parcel.dealId][parcel.batch()] = word | bit;
        } else {
            mapping(uint256 => uint256) storage bits = _deliveredBits[parcel.dealId][parcel.batch()];
            uint256 bit = 1 << (index & 255);
            uint256 before = bits[index >> 8];
            if (before & bit != 0) revert AlreadyDelivered(task);
            bits[index >> 8] = before | bit;
        }
    }

    /// @dev Pays the tip to the deliverer, whole or not at all: nothing is locked for it, so a requester who has spent its balance
    /// stops no delivery.
    function _tip(Parcel calldata parcel, uint256 task) private {
        uint256 amount = parcel.deliveryTip();
        if (amount == 0) return;
        if (vault.tip(parcel.requester, msg.sender, amount)) {
            emit DeliveryTipped(parcel.dealId, task, msg.sender, amount);
        }
    }

    /// @dev Calls back with all the gas that was promised, or not at all.
    function _call(Parcel calldata parcel, uint256 task, bool isFinal, bytes calldata output) private {
        address callback = address(uint160(parcel.callback));
        uint256 callbackGas = uint32(parcel.callback >> 160);
        bytes memory data = _callOf(parcel, task, isFinal, output);
        // An EIP-150 call passes on 63 of 64 parts at most.
        uint256 needed;
        unchecked {
            // 32 bits, times 64.
            needed = (callbackGas + RESERVE_GAS) * 64 / 63;
        }
        if (gasleft() < needed) revert GasTooLow(needed);
        bool ok;
        assembly ("memory-safe") {
            ok := call(callbackGas, callback, 0, add(data, 32), mload(data), 0, 0)
        }
        // An account without code accepts everything: then nothing was delivered.
        if (!ok || callback.code.length == 0) revert CallbackFailed(callback);
    }

    /// @dev keccak256 of an output, in memory that stays free: the compiler would allocate a copy.
    function _digestOf(bytes calldata output) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, output.offset, output.length)
            digest := keccak256(free, output.length)
        }
    }

    /// @dev Whether the certificate is final; reverts where it may not be delivered.
    function _checkDeliverable(Parcel calldata parcel, uint256 word) private view returns (bool isFinal) {
        // Not converted to the enum: the certificate stands, so it is one of three.
        uint256 status = uint8(word);
        uint256 finalAt = parcel.finalAt();
        isFinal = status == uint256(Status.Final) || block.timestamp >= finalAt;
        if (
            status == uint256(Status.Disputed)
                && ICourt(court).frozen(parcel.dealId, uint32(parcel.batch()), parcel.index())
        ) {
            revert Frozen(parcel.index());
        }
        if (!isFinal && parcel.policy.finalOnly()) revert TooEarly(finalAt);
    }

    /// @dev `onDelivery` with what the callback is told: the words of {Delivery}, then the output. By hand, because the
    /// encoder's copies and checks of our own values cost a delivery 1,500 gas.
    function _callOf(Parcel calldata parcel, uint256 task, bool isFinal, bytes calldata output)
        private
        pure
        returns (bytes memory data)
    {
        bytes4 selector = IDeliveryCallback.onDelivery.selector;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(add(data, 32), selector)
            let at := add(data, 36)
            let facts := calldataload(add(parcel, 0x40))
            let backing := calldataload(add(parcel, 0x60))
            mstore(at, calldataload(parcel))
            mstore(add(at, 0x20), task)
            mstore(add(at, 0x40), and(shr(32, facts), 0xff))
            mstore(add(at, 0x60), and(shr(32, calldataload(add(parcel, 0x180))), 0xff))
            mstore(add(at, 0x80), isFinal)
            mstore(add(at, 0xa0), and(shr(40, facts), 0xff))
            mstore(add(at, 0xc0), and(shr(48, facts), 0xff))
            mstore(add(at, 0xe0), and(shr(56, facts), 0xff))
            mstore(add(at, 0x100), and(shr(192, calldataload(add(parcel, 0x140))), 0xffffffff))
            mstore(add(at, 0x120), and(backing, 0xffffffffffffffffffffffffffffffff))
            mstore(add(at, 0x140), shr(128, backing))
            // Requester, app, dataset, inputs.
            calldatacopy(add(at, 0x160), add(parcel, 0xc0), 0x80)
            mstore(add(at, 0x1e0), calldataload(add(parcel, 0x80)))
            mstore(add(at, 0x200), 0x220)
            mstore(add(at, 0x220), output.length)
            calldatacopy(add(at, 0x240), output.offset, output.length)
            let padded := and(add(output.length, 31), not(31))
            // Memory beyond the free pointer may be used: what fills the last word must be zero.
            mstore(add(add(at, 0x240), output.length), 0)
            mstore(data, add(0x244, padded))
            mstore(0x40, add(add(at, 0x260), padded))
        }
    }
}
