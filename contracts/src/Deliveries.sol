// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Settlement} from "./Settlement.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IDeliveryCallback} from "./interfaces/IDeliveryCallback.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {ReceiptTree} from "./libraries/ReceiptTree.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {Certificate, Delivery, Receipt, Status} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";

/// @title Deliveries
/// @notice The part of {ICertifier} that brings results to callbacks.
/// @dev The only place that calls foreign code: after all effects, with bounded gas, copying nothing back.
abstract contract Deliveries is Settlement {
    using TermsHash for Terms;

    /// @dev Tasks whose delivered bit lies in the batch's slot.
    uint256 private constant SLOT_TASKS = 32;
    /// @dev Gas that remains for this contract after a callback.
    uint256 private constant RESERVE_GAS = 10_000;

    mapping(bytes32 dealId => mapping(uint256 batch => mapping(uint256 word => uint256 bits))) private _deliveredBits;

    /// @inheritdoc ICertifier
    function deliver(
        Terms calldata terms,
        Certificate calldata certificate,
        Receipt calldata receipt,
        bytes32[] calldata proof,
        bytes calldata output
    ) external {
        uint256 word = _batches[certificate.dealId][certificate.batch];
        Certificates.check(certificate, word);
        if (terms.dealId != certificate.dealId) revert WrongTerms(terms.dealId);
        _checkTerms(terms);
        if (terms.callback == address(0)) revert NoCallback(terms.dealId);
        bool isFinal = _checkDeliverable(certificate, word, receipt.index);
        uint256 tasks = terms.tasksOf(certificate.batch);
        if (!ReceiptTree.verify(certificate.root, ReceiptTree.leafOf(receipt), receipt.index, tasks, proof)) {
            revert WrongReceipt(receipt.index);
        }
        if (keccak256(output) != receipt.outputDigest) revert WrongOutput(receipt.outputDigest, keccak256(output));
        uint256 task = uint256(certificate.batch) * terms.batchSize + receipt.index;
        _mark(certificate, word, receipt.index, task);
        emit Delivered(terms.dealId, task, certificate.attempt, isFinal);
        _call(
            terms.callback,
            terms.callbackGas,
            abi.encodeCall(
                IDeliveryCallback.onDelivery, (_deliveryOf(terms, certificate, receipt.exit, task, isFinal), output)
            )
        );
    }

    /// @inheritdoc ICertifier
    function delivered(bytes32 dealId, uint256 batch, uint256 index) external view returns (bool) {
        if (index >= SLOT_TASKS) return _deliveredBits[dealId][batch][index >> 8] >> (index & 255) & 1 != 0;
        uint256 word = _batches[dealId][batch];
        return uint8(word) != uint8(Status.Open) && word >> (8 + index) & 1 != 0;
    }

    /// @dev Sets a task's delivered bit, once.
    function _mark(Certificate calldata certificate, uint256 word, uint256 index, uint256 task) private {
        if (index < SLOT_TASKS) {
            uint256 bit = 1 << (8 + index);
            if (word & bit != 0) revert AlreadyDelivered(task);
            _batches[certificate.dealId][certificate.batch] = word | bit;
        } else {
            mapping(uint256 => uint256) storage bits = _deliveredBits[certificate.dealId][certificate.batch];
            uint256 bit = 1 << (index & 255);
            if (bits[index >> 8] & bit != 0) revert AlreadyDelivered(task);
            bits[index >> 8] |= bit;
        }
    }

    /// @dev Calls back with all the gas that was promised, or not at all.
    function _call(address callback, uint256 callbackGas, bytes memory data) private {
        // An EIP-150 call passes on 63 of 64 parts at most.
        uint256 needed = (callbackGas + RESERVE_GAS) * 64 / 63;
        if (gasleft() < needed) revert GasTooLow(needed);
        bool ok;
        assembly ("memory-safe") {
            ok := call(callbackGas, callback, 0, add(data, 32), mload(data), 0, 0)
        }
        // An account without code accepts everything: then nothing was delivered.
        if (!ok || callback.code.length == 0) revert CallbackFailed(callback);
    }

    /// @dev Whether the certificate is final; reverts where it may not be delivered.
    function _checkDeliverable(Certificate calldata certificate, uint256 word, uint256 index)
        private
        view
        returns (bool isFinal)
    {
        Status status = Status(uint8(word));
        isFinal = status == Status.Final || block.timestamp >= certificate.finalAt;
        if (status == Status.Disputed && ICourt(court).frozen(certificate.dealId, certificate.batch, index)) {
            revert Frozen(index);
        }
        if (!isFinal && certificate.policy.finalOnly()) revert TooEarly(certificate.finalAt);
    }

    /// @dev What the callback is told.
    function _deliveryOf(Terms calldata terms, Certificate calldata certificate, uint8 exit, uint256 task, bool isFinal)
        private
        pure
        returns (Delivery memory)
    {
        return Delivery({
            dealId: terms.dealId,
            task: task,
            attempt: certificate.attempt,
            exit: exit,
            isFinal: isFinal,
            seats: certificate.seats,
            evidence: certificate.evidence,
            seedKind: certificate.seedKind,
            pool: certificate.pool,
            odds: certificate.odds,
            stake: certificate.stake,
            requester: terms.requester,
            app: terms.app,
            dataset: terms.dataset,
            inputs: terms.inputs,
            policy: certificate.policy
        });
    }
}
