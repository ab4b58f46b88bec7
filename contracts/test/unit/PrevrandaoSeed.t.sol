// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPrevrandaoSeed} from "../../src/interfaces/IPrevrandaoSeed.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {CertifiedBatch, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

/// @title Seeds that are the prevrandao of the next block, and deals that are drawn with them
contract PrevrandaoSeedTest is Plays {
    bytes32 private constant RANDAO = keccak256("randao");
    IPrevrandaoSeed private _seed;

    function _deploySeeds() internal override returns (ISeed deployed, uint8 kind) {
        _seed = IPrevrandaoSeed(_deploy("PrevrandaoSeed.sol:PrevrandaoSeed", ""));
        return (ISeed(address(_seed)), 2);
    }

    function setUp() public {
        _buildCity(5);
    }

    /// @dev A header with the fields that the proof reads, and as many others as blocks have.
    function _header(uint256 number, bytes32 randao) private pure returns (bytes memory) {
        bytes[] memory fields = new bytes[](21);
        for (uint256 i; i < fields.length; ++i) {
            fields[i] = RLP.encode(keccak256(abi.encode(i)));
        }
        fields[8] = RLP.encode(number);
        fields[13] = RLP.encode(randao);
        return RLP.encode(fields);
    }

    function test_proveSeed_takesTheHeaderOfTheNextBlock() public {
        vm.roll(2000);
        bytes memory header = _header(1901, RANDAO);
        vm.setBlockhash(1901, keccak256(header));
        vm.expectEmit(address(_seed));
        emit IPrevrandaoSeed.SeedPinned(1900, RANDAO);
        (uint256 blockNumber, bytes32 seed) = _seed.proveSeed(header);
        vm.assertEq(blockNumber, 1900);
        vm.assertEq(seed, RANDAO);
        uint8 kind;
        (seed, kind) = _seed.seedOf(1900, 0);
        vm.assertEq(seed, RANDAO);
        vm.assertEq(kind, 2);
    }

    function test_proveSeed_changesNothingTheSecondTime() public {
        vm.roll(2000);
        bytes memory header = _header(1901, RANDAO);
        vm.setBlockhash(1901, keccak256(header));
        _seed.proveSeed(header);
        vm.recordLogs();
        (, bytes32 seed) = _seed.proveSeed(header);
        vm.assertEq(seed, RANDAO);
        vm.assertEq(_seed.pinSeed(1900), RANDAO);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_proveSeed_refusesAHeaderOfNoBlock() public {
        vm.roll(2000);
        bytes memory header = _header(1901, RANDAO);
        vm.setBlockhash(1901, keccak256(header));
        bytes memory forged = _header(1901, keccak256("better for me"));
        vm.expectRevert(abi.encodeWithSelector(IPrevrandaoSeed.HeaderUnknown.selector, keccak256(forged)));
        _seed.proveSeed(forged);
        bytes memory moved = _header(1902, RANDAO);
        vm.expectRevert(abi.encodeWithSelector(IPrevrandaoSeed.HeaderUnknown.selector, keccak256(moved)));
        _seed.proveSeed(moved);
    }

    function test_proveSeed_refusesABlockThatIsTooOldOrNotThereYet() public {
        bytes memory header = _header(1901, RANDAO);
        bytes memory unknown = abi.encodeWithSelector(IPrevrandaoSeed.HeaderUnknown.selector, keccak256(header));
        vm.roll(1901);
        vm.expectRevert(unknown);
        _seed.proveSeed(header);
        vm.roll(1901 + 8192);
        vm.expectRevert(unknown);
        _seed.proveSeed(header);
    }

    function test_proveSeed_refusesAChainWithoutRandomness() public {
        vm.roll(2000);
        bytes memory header = _header(1901, 0);
        vm.setBlockhash(1901, keccak256(header));
        vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, 1900));
        _seed.proveSeed(header);
    }

    function test_pinSeed_takesItsOwnBlocksValueForTheBlockBefore() public {
        vm.roll(2000);
        vm.prevrandao(RANDAO);
        vm.assertEq(_seed.pinSeed(1999), RANDAO);
        vm.roll(2001);
        vm.prevrandao(keccak256("another"));
        vm.assertEq(_seed.pinSeed(1999), RANDAO, "written once");
    }

    function test_pinSeed_refusesOtherBlocks() public {
        vm.roll(2000);
        vm.prevrandao(RANDAO);
        for (uint256 number = 1998; number < 2002; ++number) {
            if (number == 1999) continue;
            vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, number));
            _seed.pinSeed(number);
        }
    }

    function test_hole_05_aDealIsDrawnWithARandomValueThatNobodyKnewAtItsOpening() public {
        Terms memory terms = _openHere(_sign(_offer()));
        uint256 opened = terms.opened.blockNumber();
        vm.roll(opened + 1);
        vm.warp(block.timestamp + 12);
        vm.prevrandao(RANDAO);
        vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, opened));
        certifier.commit(terms, 0, new LogItem[](0), _worker(0), "x", "");
        _seed.pinSeed(opened);
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        vm.assertEq(done.certificate.seedKind, 2);
    }
}
