// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISeed} from "./ISeed.sol";

/// @title A public beacon's randomness as seeds
/// @notice For rollups, whose sequencer makes block hashes and prevrandao: the seed comes from a threshold of parties outside
/// of the chain (drand, scheme bls-unchained-g1-rfc9380). Certificates say so by `seedKind` 3.
///
/// Opening times are cut into epochs. The seed of all deals that open in an epoch is the randomness of the first beacon round
/// that is emitted `marginSecs` or more after the epoch's end. The margin is how far the chain's clock may lag behind the
/// world's: a sequencer that lags further could know the beacon and still open deals.
interface IBeaconSeed is ISeed {
    /// @notice Emitted when an epoch's seed is written down.
    event EpochPinned(uint256 indexed epoch, uint256 beaconRound, bytes32 seed);

    /// @notice Thrown when the beacon's public key is not a point of G2's subgroup, or the chain lacks EIP-2537.
    error BadKey();
    /// @notice Thrown when the beacon's times make no sense: period, epoch or margin in seconds, genesis in Unix seconds.
    error BadTimes(uint256 genesis, uint256 periodSecs, uint256 epochSecs, uint256 marginSecs);
    /// @notice Thrown when an epoch is not over by the chain's clock.
    error EpochNotOver(uint256 epoch);
    /// @notice Thrown when an epoch was over before the beacon began.
    error EpochBeforeBeacon(uint256 epoch);
    /// @notice Thrown when a signature is not the beacon's for the round that the epoch uses.
    error BadSignature(uint256 epoch, uint256 beaconRound);

    /// @notice Writes an epoch's seed down. Anybody may; nothing happens where that is done already.
    /// @param epoch Which, see {epochOf}.
    /// @param signature The beacon's for round {roundOf}, 128 bytes: the point in the form of EIP-2537.
    /// @return seed SHA-256 of the signature in its 48 bytes: what the beacon publishes as the round's randomness.
    function pin(uint256 epoch, bytes calldata signature) external returns (bytes32 seed);

    /// @notice Seeds that were written down, by epoch.
    function pinned(uint256 epoch) external view returns (bytes32 seed);

    /// @notice When the beacon's round 1 was emitted, Unix seconds.
    function genesis() external view returns (uint256);

    /// @notice Seconds between rounds of the beacon.
    function periodSecs() external view returns (uint256);

    /// @notice Length of an epoch, in seconds.
    function epochSecs() external view returns (uint256);

    /// @notice Seconds between an epoch's end and the beacon round that it uses, at least.
    function marginSecs() external view returns (uint256);

    /// @notice Epoch of deals that open at `time`, Unix seconds.
    function epochOf(uint256 time) external view returns (uint256);

    /// @notice The beacon round that an epoch uses: the first that is emitted `marginSecs` or more after its end.
    function roundOf(uint256 epoch) external view returns (uint256);

    /// @notice The beacon's public key, 256 bytes in the form of EIP-2537.
    function publicKey() external view returns (bytes memory);
}
