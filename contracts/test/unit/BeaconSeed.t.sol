// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBeaconSeed} from "../../src/interfaces/IBeaconSeed.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {Bls} from "../../src/libraries/Bls.sol";
import {CertifiedBatch} from "../../src/types/Certificates.sol";
import {LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Beacons} from "../support/Beacons.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";

/// @title Seeds from a public beacon, and deals that are drawn with them
contract BeaconSeedTest is Plays {
    uint256 private constant EPOCH = 30;
    uint256 private constant MARGIN = 15;
    uint256 private constant SECRET = 0x5ec7e7;

    IBeaconSeed private _seed;
    IBeaconSeed private _quicknet;

    function _deploySeeds() internal override returns (ISeed deployed, uint8 kind) {
        _seed = _beacon(Beacons.keyOf(SECRET), GENESIS - 1000, 3, EPOCH, MARGIN);
        return (ISeed(address(_seed)), 3);
    }

    function _beacon(bytes memory key, uint256 genesis, uint256 period, uint256 epoch, uint256 margin)
        private
        returns (IBeaconSeed)
    {
        return IBeaconSeed(_deploy("BeaconSeed.sol:BeaconSeed", abi.encode(key, genesis, period, epoch, margin)));
    }

    function setUp() public {
        _buildCity(5);
        _quicknet = _beacon(Beacons.QUICKNET_KEY, Beacons.QUICKNET_GENESIS, Beacons.QUICKNET_PERIOD, 3, 0);
    }

    /// @dev The epoch of `_quicknet` that uses a round.
    function _epochWith(uint256 round) private pure returns (uint256) {
        return (Beacons.QUICKNET_GENESIS + (round - 1) * Beacons.QUICKNET_PERIOD) / 3 - 1;
    }

    function test_pin_takesPublishedRoundsAndGivesTheirPublishedRandomness() public {
        uint256 epoch = _epochWith(123);
        vm.assertEq(_quicknet.roundOf(epoch), 123);
        vm.expectEmit(address(_quicknet));
        emit IBeaconSeed.EpochPinned(epoch, 123, Beacons.RANDOMNESS_123);
        vm.assertEq(_quicknet.pin(epoch, Beacons.SIGNATURE_123), Beacons.RANDOMNESS_123);
        vm.assertEq(_quicknet.pin(_epochWith(657_413), Beacons.SIGNATURE_657413), Beacons.RANDOMNESS_657413);
        (bytes32 seed, uint8 kind) = _quicknet.seedOf(77, epoch * 3 + 2);
        vm.assertEq(seed, Beacons.RANDOMNESS_123);
        vm.assertEq(kind, 3);
    }

    function test_pin_changesNothingTheSecondTime() public {
        uint256 epoch = _epochWith(123);
        _quicknet.pin(epoch, Beacons.SIGNATURE_123);
        vm.assertEq(_quicknet.pin(epoch, "whatever"), Beacons.RANDOMNESS_123);
    }

    function test_pin_hashesThePointWithTheMarkOfItsY() public {
        uint256 first = _seed.epochOf(block.timestamp);
        vm.warp(block.timestamp + 1000);
        bool[2] memory met;
        for (uint256 i; i < 12; ++i) {
            bytes memory point = Beacons.sign(SECRET, _seed.roundOf(first + i));
            (bytes32 hash, bool larger) = _compressed(point);
            met[larger ? 1 : 0] = true;
            vm.assertEq(_seed.pin(first + i, point), hash);
        }
        vm.assertTrue(met[0] && met[1]);
    }

    /// @dev Hash of a point as beacons publish it: x, marked as compressed, and as having the larger y of the two.
    function _compressed(bytes memory point) private pure returns (bytes32 hash, bool larger) {
        (uint256 xHigh, uint256 xLow, uint256 yHigh, uint256 yLow) =
            abi.decode(point, (uint256, uint256, uint256, uint256));
        (,, uint256 otherHigh, uint256 otherLow) = abi.decode(_negated(point), (uint256, uint256, uint256, uint256));
        larger = yHigh > otherHigh || (yHigh == otherHigh && yLow > otherLow);
        bytes memory compressed = abi.encodePacked(uint128(xHigh), xLow);
        compressed[0] |= larger ? bytes1(0xa0) : bytes1(0x80);
        hash = sha256(compressed);
    }

    function test_pin_refusesWhatIsNotTheBeaconsSignatureOfThatRound() public {
        uint256 epoch = _epochWith(123);
        bytes memory moved = bytes.concat(Beacons.SIGNATURE_123);
        moved[127] ^= 0x01;
        bytes memory padded = bytes.concat(Beacons.SIGNATURE_123);
        padded[0] = 0x01;
        bytes[8] memory wrong = [
            Beacons.SIGNATURE_657413,
            Beacons.sign(SECRET, 123),
            _negated(Beacons.SIGNATURE_123),
            new bytes(128),
            moved,
            padded,
            Beacons.OUTSIDE_G1,
            bytes.concat(Beacons.SIGNATURE_123, bytes1(0))
        ];
        for (uint256 i; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.BadSignature.selector, epoch, 123));
            // A precompile that refuses its input takes all the gas that it was given.
            _quicknet.pin{gas: 1_000_000}(epoch, wrong[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.BadSignature.selector, epoch + 1, 124));
        _quicknet.pin{gas: 1_000_000}(epoch + 1, Beacons.SIGNATURE_123);
    }

    /// @dev The same x with the other y.
    function _negated(bytes memory point) private pure returns (bytes memory) {
        (uint256 xHigh, uint256 xLow, uint256 high, uint256 low) =
            abi.decode(point, (uint256, uint256, uint256, uint256));
        uint256 pHigh = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
        uint256 pLow = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
        unchecked {
            return abi.encode(xHigh, xLow, pHigh - high - (low > pLow ? 1 : 0), pLow - low);
        }
    }

    function test_pin_refusesAnEpochInWhichDealsCanStillOpen() public {
        uint256 epoch = _seed.epochOf(block.timestamp);
        uint256 end = (epoch + 1) * EPOCH;
        bytes memory signature = Beacons.sign(SECRET, _seed.roundOf(epoch));
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.EpochNotOver.selector, epoch));
        _seed.pin(epoch, signature);
        vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.EpochNotOver.selector, type(uint256).max));
        _seed.pin(type(uint256).max, signature);
        vm.warp(end);
        _seed.pin(epoch, signature);
    }

    function test_pin_refusesAnEpochBeforeTheBeacon() public {
        vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.EpochBeforeBeacon.selector, 0));
        _seed.pin(0, Beacons.SIGNATURE_123);
    }

    function test_roundOf_beginsWithTheBeacon() public {
        // Epoch 9 ends at 300.
        IBeaconSeed young = _beacon(Beacons.QUICKNET_KEY, 300 + MARGIN, 3, EPOCH, MARGIN);
        vm.assertEq(young.roundOf(9), 1);
        vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.EpochBeforeBeacon.selector, 8));
        young.roundOf(8);
    }

    function testFuzz_roundOf_isTheFirstThatIsEmittedAfterTheMargin(uint256 time) public view {
        time = GENESIS + time % 1e9;
        uint256 epoch = _seed.epochOf(time);
        uint256 emitted = GENESIS - 1000 + (_seed.roundOf(epoch) - 1) * 3;
        uint256 earliest = (epoch + 1) * EPOCH + MARGIN;
        vm.assertLt(time, (epoch + 1) * EPOCH);
        vm.assertGe(emitted, earliest);
        vm.assertLt(emitted, earliest + 3);
    }

    function test_constructor_refusesKeysThatAreNoPointsOfTheSubgroup() public {
        bytes memory moved = bytes.concat(Beacons.QUICKNET_KEY);
        moved[255] ^= 0x01;
        bytes[4] memory wrong = [moved, Beacons.OUTSIDE_G2, new bytes(256), new bytes(255)];
        // The precompile takes all the gas that it is given where a point is none.
        vm.pauseGasMetering();
        for (uint256 i; i < wrong.length; ++i) {
            vm.expectRevert(IBeaconSeed.BadKey.selector);
            _beacon(wrong[i], 1, 3, 30, 15);
        }
    }

    function test_constructor_refusesTimesThatMakeNoSense() public {
        uint256[4][5] memory wrong = [
            [block.timestamp + 1, 3, 30, 15],
            [uint256(1), 0, 30, 15],
            [uint256(1), 31, 30, 15],
            [uint256(1), 3, 3601, 15],
            [uint256(1), 3, 30, 3601]
        ];
        for (uint256 i; i < wrong.length; ++i) {
            uint256[4] memory w = wrong[i];
            vm.expectRevert(abi.encodeWithSelector(IBeaconSeed.BadTimes.selector, w[0], w[1], w[2], w[3]));
            _beacon(Beacons.QUICKNET_KEY, w[0], w[1], w[2], w[3]);
        }
    }

    function test_publicKey_isWhatItWasDeployedWith() public view {
        vm.assertEq(keccak256(_quicknet.publicKey()), keccak256(Beacons.QUICKNET_KEY));
    }

    /// @dev RFC 9380, appendix J.9.1.
    function test_hashToG1_agreesWithTheVectorsOfRfc9380() public view {
        _checkHash(
            "",
            hex"052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1",
            hex"08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265"
        );
        _checkHash(
            "abc",
            hex"03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903",
            hex"0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d"
        );
        _checkHash(
            "abcdef0123456789",
            hex"11e0b079dea29a68f0383ee94fed1b940995272407e3bb916bbf268c263ddd57a6a27200a784cbc248e84f357ce82d98",
            hex"03a87ae2caf14e8ee52e51fa2ed8eefe80f02457004ba4d486d6aa1f517c0889501dc7413753f9599b099ebcbbd2d709"
        );
        _checkHash(
            _repeat("q128_", "q", 128),
            hex"15f68eaa693b95ccb85215dc65fa81038d69629f70aeee0d0f677cf22285e7bf58d7cb86eefe8f2e9bc3f8cb84fac488",
            hex"1807a1d50c29f430b8cafc4f8638dfeeadf51211e1602a5f184443076715f91bb90a48ba1e370edce6ae1062f5e6dd38"
        );
        _checkHash(
            _repeat("a512_", "a", 512),
            hex"082aabae8b7dedb0e78aeb619ad3bfd9277a2f77ba7fad20ef6aabdc6c31d19ba5a6d12283553294c1825c4b3ca2dcfe",
            hex"05b84ae5a942248eea39e1d91030458c40153f3b654ab7872d779ad1e942856a20c438e8d99bc8abfbf74729ce1f7ac8"
        );
    }

    function _checkHash(bytes memory message, bytes memory x, bytes memory y) private view {
        bytes memory point = Bls.hashToG1(message, "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_");
        vm.assertEq(keccak256(point), keccak256(bytes.concat(bytes16(0), x, bytes16(0), y)));
    }

    function _repeat(bytes memory text, bytes1 letter, uint256 times) private pure returns (bytes memory) {
        for (uint256 i; i < times; ++i) {
            text = bytes.concat(text, letter);
        }
        return text;
    }

    function test_hole_05_aDealIsDrawnWithARandomValueThatNoSequencerMade() public {
        Terms memory terms = _openHere(_sign(_offer()));
        (uint256 opened, uint256 time) = (terms.opened.blockNumber(), terms.opened.time());
        uint256 epoch = _seed.epochOf(time);
        vm.roll(opened + 1);
        vm.warp((epoch + 1) * EPOCH);
        vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, opened));
        certifier.commit(terms, 0, new LogItem[](0), _worker(0), "x", "");
        _seed.pin(epoch, Beacons.sign(SECRET, _seed.roundOf(epoch)));
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        vm.assertEq(done.certificate.seedKind, 3);
    }
}
