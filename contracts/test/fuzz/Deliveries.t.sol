// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {GuildhallConsumer} from "../../src/GuildhallConsumer.sol";
import {ReceiptTree} from "../../src/libraries/ReceiptTree.sol";
import {Delivery} from "../../src/types/Certificates.sol";
import {PolicyWord} from "../../src/types/Terms.sol";
import {Consumer} from "../support/Doubles.sol";
import {Test, bound, vm} from "../support/Vm.sol";

/// @title What a consumer refuses, against a reference that compares field by field
contract ConsumerFuzz is Test {
    address private constant CERTIFIER = address(0xce);

    function _reference(Delivery memory d, GuildhallConsumer.Expectation memory e)
        private
        pure
        returns (string memory)
    {
        if (e.requester != address(0) && d.requester != e.requester) return "requester";
        if (d.app != e.app) return "app";
        if (d.dataset != e.dataset) return "dataset";
        if (e.pool != 0 && d.pool != e.pool) return "pool";
        if (!d.isFinal && !e.provisional) return "finality";
        if (d.exit != 0) return "exit";
        if (d.odds < uint256(e.confidence) * 1e6) return "confidence";
        if (d.seats < e.seats) return "seats";
        if (d.stake < e.stake) return "stake";
        if (uint16(PolicyWord.unwrap(d.policy) >> 32) < e.faultyShareBps) return "faultyShare";
        if (e.seedKind != 0 && d.seedKind != e.seedKind) return "seedKind";
        if (d.policy.countReputation() && !e.reputation) return "reputation";
        return "";
    }

    /// @dev Delivers, and compares with the reference.
    function _compare(Delivery memory d, GuildhallConsumer.Expectation memory e) private {
        Consumer consumer = new Consumer(CERTIFIER, e);
        string memory lacks = _reference(d, e);
        bool taken = bytes(lacks).length == 0;
        if (!taken) vm.expectRevert(abi.encodeWithSelector(GuildhallConsumer.NotExpected.selector, lacks));
        vm.prank(CERTIFIER);
        consumer.onDelivery(d, "output");
        vm.assertEq(consumer.results(), taken ? 1 : 0);
    }

    /// @dev A delivery that is just good enough.
    function _fitting(Delivery memory d, GuildhallConsumer.Expectation memory e) private pure {
        (d.requester, d.app, d.dataset, d.pool) = (e.requester, e.app, e.dataset, e.pool);
        (d.isFinal, d.exit, d.odds) = (!e.provisional, 0, uint128(uint256(e.confidence) * 1e6));
        (d.seats, d.stake, d.seedKind) = (e.seats, e.stake, e.seedKind);
        uint256 others = PolicyWord.unwrap(d.policy) & ~(uint256(type(uint16).max) << 32);
        if (!e.reputation) others &= ~(uint256(type(uint8).max) << 160);
        d.policy = PolicyWord.wrap(others | uint256(e.faultyShareBps) << 32);
    }

    function testFuzz_onDelivery_givenAnything_itRefusesWhatTheReferenceRefuses(
        Delivery memory d,
        GuildhallConsumer.Expectation memory e
    ) public {
        _compare(d, e);
    }

    function testFuzz_onDelivery_givenJustEnough_itTakesIt(Delivery memory d, GuildhallConsumer.Expectation memory e)
        public
    {
        _fitting(d, e);
        vm.assertEq(bytes(_reference(d, e)).length, 0);
        _compare(d, e);
    }

    /// @dev What is bounded from below, by one too little.
    function testFuzz_onDelivery_givenOneLess_itSaysWhat(Delivery memory d, GuildhallConsumer.Expectation memory e)
        public
    {
        (e.confidence, e.seats) = (e.confidence | 1, e.seats | 1);
        (e.stake, e.faultyShareBps) = (e.stake | 1, e.faultyShareBps | 1);
        _fitting(d, e);
        d.odds -= 1;
        _compare(d, e);
        d.odds += 1;
        d.seats -= 1;
        _compare(d, e);
        d.seats += 1;
        d.stake -= 1;
        _compare(d, e);
        d.stake += 1;
        d.policy = PolicyWord.wrap(PolicyWord.unwrap(d.policy) - (1 << 32));
        _compare(d, e);
    }

    /// @dev Two fields are another's, so that the order of the names counts, too.
    function testFuzz_onDelivery_givenFieldsOfAnother_itRefusesWhatTheReferenceRefuses(
        Delivery memory d,
        Delivery memory other,
        GuildhallConsumer.Expectation memory e,
        uint256 first,
        uint256 second
    ) public {
        _fitting(d, e);
        _take(d, other, first % 11);
        _take(d, other, second % 11);
        _compare(d, e);
    }

    function _take(Delivery memory d, Delivery memory other, uint256 field) private pure {
        if (field == 0) d.requester = other.requester;
        else if (field == 1) d.app = other.app;
        else if (field == 2) d.dataset = other.dataset;
        else if (field == 3) d.pool = other.pool;
        else if (field == 4) d.isFinal = other.isFinal;
        else if (field == 5) d.exit = other.exit;
        else if (field == 6) d.odds = other.odds;
        else if (field == 7) d.seats = other.seats;
        else if (field == 8) d.stake = other.stake;
        else if (field == 9) d.seedKind = other.seedKind;
        else d.policy = other.policy;
    }
}

/// @title Proofs, against a reference that goes level by level
contract ReceiptTreeFuzz is Test {
    /// @dev `docs/encoding.md` section 4, word for word.
    function _reference(bytes32 root, bytes32 leaf, uint256 index, uint256 tasks, bytes32[] memory proof)
        private
        pure
        returns (bool)
    {
        uint256 depth;
        while (uint256(1) << depth < tasks) ++depth;
        if (index >= tasks || proof.length != depth) return false;
        return _rootOf(leaf, index, proof) == root;
    }

    function _rootOf(bytes32 leaf, uint256 index, bytes32[] memory proof) private pure returns (bytes32) {
        for (uint256 level; level < proof.length; ++level) {
            bytes32 sibling = proof[level];
            leaf = index >> level & 1 == 0
                ? keccak256(bytes.concat(leaf, sibling))
                : keccak256(bytes.concat(sibling, leaf));
        }
        return leaf;
    }

    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 tasks, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return ReceiptTree.verify(root, leaf, index, tasks, proof);
    }

    /// @dev The root is what the proof leads to, so that only number, size and depth decide; `spoiled` changes one word.
    function testFuzz_verify_isTheReference(bytes32 leaf, uint256 index, uint256 tasks, uint256 levels, uint256 spoiled)
        public
        view
    {
        tasks = bound(tasks, 0, 70);
        index = bound(index, 0, 80);
        bytes32[] memory proof = new bytes32[](bound(levels, 0, 9));
        for (uint256 i; i < proof.length; ++i) {
            proof[i] = keccak256(abi.encode(leaf, i));
        }
        bytes32 root = _rootOf(leaf, index, proof);
        vm.assertEq(this.verify(root, leaf, index, tasks, proof), _reference(root, leaf, index, tasks, proof));
        if (proof.length != 0) proof[spoiled % proof.length] ^= bytes32(uint256(1));
        vm.assertEq(this.verify(root, leaf, index, tasks, proof), _reference(root, leaf, index, tasks, proof));
    }

    function test_verify_ofEverySize_takesItsOwnDepthOnly() public view {
        for (uint256 tasks; tasks <= 33; ++tasks) {
            for (uint256 levels; levels <= 7; ++levels) {
                bytes32[] memory proof = new bytes32[](levels);
                bytes32 root = _rootOf(bytes32(tasks), 0, proof);
                bool expected = _reference(root, bytes32(tasks), 0, tasks, proof);
                vm.assertTrue(this.verify(root, bytes32(tasks), 0, tasks, proof) == expected);
            }
        }
    }

    /// @dev Far beyond any batch: the width leaves its word.
    function test_verify_givenAProofOf256Levels_refuses() public view {
        bytes32[] memory proof = new bytes32[](256);
        vm.assertTrue(!this.verify(_rootOf(0, 0, proof), 0, 0, 1, proof));
        vm.assertTrue(!this.verify(_rootOf(0, 0, proof), 0, 0, type(uint32).max, proof));
    }
}
