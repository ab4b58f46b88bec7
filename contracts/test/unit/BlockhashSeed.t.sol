// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBlockhashSeed} from "../../src/interfaces/IBlockhashSeed.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {Test, vm} from "../support/Vm.sol";

/// @title Seeds that are block hashes, of blocks that BLOCKHASH knows and of older ones
contract BlockhashSeedTest is Test {
    /// @dev EIP-2935's contract: where it stands, and its code.
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    bytes private constant HISTORY_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";
    uint256 private constant NOW = 20_000;
    uint256 private constant OLD = 12_000;
    bytes32 private constant HASH = keccak256("hash");

    IBlockhashSeed private _seed;

    function setUp() public {
        _seed = IBlockhashSeed(_deploy("BlockhashSeed.sol:BlockhashSeed", ""));
        vm.etch(HISTORY, HISTORY_CODE);
        vm.store(HISTORY, bytes32(OLD % 8191), HASH);
        vm.roll(NOW);
    }

    function _refuses(uint256 blockNumber) private {
        vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, blockNumber));
        _seed.seedOf(blockNumber, 0);
        vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, blockNumber));
        _seed.pinSeed(blockNumber);
    }

    function _is(uint256 blockNumber, bytes32 hash) private view {
        (bytes32 seed, uint8 kind) = _seed.seedOf(blockNumber, 0);
        vm.assertEq(seed, hash);
        vm.assertEq(kind, 1);
    }

    function test_seedOf_isTheHashOfARecentBlock() public {
        vm.setBlockhash(NOW - 256, HASH);
        vm.setBlockhash(NOW - 1, keccak256("another"));
        _is(NOW - 256, HASH);
        _is(NOW - 1, keccak256("another"));
    }

    function test_seedOf_asksTheHistoryForAnOlderBlock() public view {
        _is(OLD, HASH);
    }

    function test_seedOf_refusesABlockThatIsNotThereYetOrTooOld() public {
        _refuses(NOW);
        _refuses(NOW + 1);
        _refuses(NOW - 8192);
        vm.roll(OLD + 8191);
        _is(OLD, HASH);
        vm.roll(OLD + 8192);
        _refuses(OLD);
    }

    /// @dev What nobody answers is no seed: least of all the number that was asked for.
    function test_seedOf_givenNoHistory_itRefusesAnOlderBlock() public {
        vm.etch(HISTORY, "");
        _refuses(OLD);
    }

    function test_pinSeed_outlivesTheHistory() public {
        vm.expectEmit(address(_seed));
        emit IBlockhashSeed.SeedPinned(OLD, HASH);
        vm.assertEq(_seed.pinSeed(OLD), HASH);
        vm.assertEq(_seed.pinned(OLD), HASH);
        vm.roll(NOW + 1_000_000);
        _is(OLD, HASH);
        vm.recordLogs();
        vm.assertEq(_seed.pinSeed(OLD), HASH);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }
}
