// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBeaconSeed} from "./interfaces/IBeaconSeed.sol";
import {ISeed} from "./interfaces/ISeed.sol";
import {Bls} from "./libraries/Bls.sol";

/// @title BeaconSeed
/// @notice A public beacon's randomness as seeds: see {IBeaconSeed}.
/// @dev The seed is the published randomness as it is, so that everybody can compare: an epoch is no shorter than the beacon's
/// period, so no two epochs share a round, and the id of a Guildhall round already binds chain, deal, batch and attempt.
/// Needs EIP-2537.
contract BeaconSeed is IBeaconSeed {
    /// @dev Kind of these seeds in certificates.
    uint8 private constant KIND = 3;
    /// @dev Domain of the beacon's signatures (the DST of RFC 9380).
    bytes private constant DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
    /// @dev Longest epoch and margin: no wave is longer, so a longer wait would leave no time to work.
    uint256 private constant WAIT_MAX_SECS = 1 hours;

    /// @inheritdoc IBeaconSeed
    uint256 public immutable genesis;
    /// @inheritdoc IBeaconSeed
    uint256 public immutable periodSecs;
    /// @inheritdoc IBeaconSeed
    uint256 public immutable epochSecs;
    /// @inheritdoc IBeaconSeed
    uint256 public immutable marginSecs;
    /// @dev The beacon's public key, see {publicKey}.
    bytes32 private immutable _key0;
    bytes32 private immutable _key1;
    bytes32 private immutable _key2;
    bytes32 private immutable _key3;
    bytes32 private immutable _key4;
    bytes32 private immutable _key5;
    bytes32 private immutable _key6;
    bytes32 private immutable _key7;

    /// @inheritdoc IBeaconSeed
    mapping(uint256 epoch => bytes32 seed) public pinned;

    /// @param publicKey_ The beacon's public key, 256 bytes in the form of EIP-2537.
    /// @param genesis_ When the beacon's round 1 was emitted, Unix seconds, in the past.
    /// @param periodSecs_ Seconds between its rounds, from 1.
    /// @param epochSecs_ Length of an epoch, from the period to an hour.
    /// @param marginSecs_ How far the chain's clock may lag, to an hour.
    constructor(
        bytes memory publicKey_,
        uint256 genesis_,
        uint256 periodSecs_,
        uint256 epochSecs_,
        uint256 marginSecs_
    ) {
        if (
            genesis_ > block.timestamp || periodSecs_ == 0 || epochSecs_ < periodSecs_ || epochSecs_ > WAIT_MAX_SECS
                || marginSecs_ > WAIT_MAX_SECS
        ) revert BadTimes(genesis_, periodSecs_, epochSecs_, marginSecs_);
        if (!Bls.isKey(publicKey_)) revert BadKey();
        genesis = genesis_;
        periodSecs = periodSecs_;
        epochSecs = epochSecs_;
        marginSecs = marginSecs_;
        (_key0, _key1, _key2, _key3, _key4, _key5, _key6, _key7) =
            abi.decode(publicKey_, (bytes32, bytes32, bytes32, bytes32, bytes32, bytes32, bytes32, bytes32));
    }

    /// @inheritdoc IBeaconSeed
    function pin(uint256 epoch, bytes calldata signature) external returns (bytes32 seed) {
        seed = pinned[epoch];
        if (seed != 0) return seed;
        // Deals can still open in it: their lot must not be known.
        if (epoch >= epochOf(block.timestamp)) revert EpochNotOver(epoch);
        uint256 beaconRound = roundOf(epoch);
        bytes memory message = abi.encodePacked(sha256(abi.encodePacked(uint64(beaconRound))));
        bytes memory point = signature;
        if (!Bls.verify(publicKey(), message, DST, point)) revert BadSignature(epoch, beaconRound);
        seed = sha256(Bls.compress(point));
        pinned[epoch] = seed;
        emit EpochPinned(epoch, beaconRound, seed);
    }

    /// @inheritdoc ISeed
    function seedOf(uint256 blockNumber, uint256 time) external view returns (bytes32 seed, uint8 kind) {
        seed = pinned[epochOf(time)];
        if (seed == 0) revert SeedUnavailable(blockNumber);
        return (seed, KIND);
    }

    /// @inheritdoc IBeaconSeed
    function epochOf(uint256 time) public view returns (uint256) {
        return time / epochSecs;
    }

    /// @inheritdoc IBeaconSeed
    function roundOf(uint256 epoch) public view returns (uint256) {
        uint256 earliest = (epoch + 1) * epochSecs + marginSecs;
        if (earliest < genesis) revert EpochBeforeBeacon(epoch);
        return (earliest - genesis + periodSecs - 1) / periodSecs + 1;
    }

    /// @inheritdoc IBeaconSeed
    function publicKey() public view returns (bytes memory) {
        return abi.encode(_key0, _key1, _key2, _key3, _key4, _key5, _key6, _key7);
    }
}
