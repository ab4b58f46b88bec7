// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {WorkerWord} from "../types/Workers.sol";

/// @title A worker in one word
/// @notice Reads and changes {WorkerWord}; the rules on exposure and slashing live here and nowhere else.
/// @dev Exposure lies in two buckets, each as long as the longest time at risk ({RISK_PERIOD}): what was put at risk in
/// bucket b is over at the end of bucket b + 1 at the latest, so two are enough and nothing has to be freed one by one.
library WorkerWords {
    /// @dev One bond unit: a thousandth of an 18-decimal token. Rounded down for bonds, up for what is at risk.
    uint256 internal constant BOND_UNIT = 1e15;
    /// @dev Longest time that stake is at risk behind a certificate: dispute window plus two jury terms.
    uint256 internal constant RISK_PERIOD = 5 days;
    /// @dev Longest dispute window: {RISK_PERIOD} less two jury terms of a day.
    uint256 internal constant DISPUTE_WINDOW_MAX = 3 days;
    /// @dev From leaving to withdrawal: longer than {RISK_PERIOD}.
    uint256 internal constant UNBONDING = 7 days;

    /// @dev Marks in `activeFrom`, above every block number: no seat.
    uint256 internal constant EXPELLED = type(uint32).max - 2;
    uint256 internal constant LEAVING = type(uint32).max - 1;
    uint256 internal constant DORMANT = type(uint32).max;

    uint256 private constant REPUTATION_MASK = uint256(type(uint16).max) << 88;
    uint256 private constant PLACE_MASK = uint256(type(uint24).max) << 32 | uint256(type(uint8).max) << 248;
    uint256 private constant EXPOSURE_MASK = ((uint256(1) << 96) - 1) << 144;

    /// @notice Packs a worker without reputation, exposure or evidence.
    function pack(uint256 operator_, uint256 pool_, uint256 activeFrom_, uint256 bond_, uint256 runtime_)
        internal
        pure
        returns (WorkerWord)
    {
        return WorkerWord.wrap(operator_ | pool_ << 32 | activeFrom_ << 56 | bond_ << 104 | runtime_ << 248);
    }

    /// @notice The operator's number; 0 when nobody has registered the key.
    function operator(WorkerWord word) internal pure returns (uint256) {
        return uint32(WorkerWord.unwrap(word));
    }

    /// @notice The pool that the worker serves.
    function pool(WorkerWord word) internal pure returns (uint256) {
        return uint24(WorkerWord.unwrap(word) >> 32);
    }

    /// @notice Block of the last change that a seat must be older than, or a mark.
    function activeFrom(WorkerWord word) internal pure returns (uint256) {
        return uint32(WorkerWord.unwrap(word) >> 56);
    }

    /// @notice Points earned in audited certificates of this pool.
    function reputation(WorkerWord word) internal pure returns (uint256) {
        return uint16(WorkerWord.unwrap(word) >> 88);
    }

    /// @notice The worker's bond, in bond units.
    function bond(WorkerWord word) internal pure returns (uint256) {
        return uint40(WorkerWord.unwrap(word) >> 104);
    }

    /// @notice Evidence kinds that the key has proven (bitmap).
    function evidence(WorkerWord word) internal pure returns (uint256) {
        return uint8(WorkerWord.unwrap(word) >> 240);
    }

    /// @notice Number of the runtime that the worker executes.
    function runtime(WorkerWord word) internal pure returns (uint256) {
        return uint8(WorkerWord.unwrap(word) >> 248);
    }

    /// @notice Whether the worker is in this pool with this runtime.
    function serves(WorkerWord word, uint256 pool_, uint256 runtime_) internal pure returns (bool) {
        return (WorkerWord.unwrap(word) ^ (pool_ << 32 | runtime_ << 248)) & PLACE_MASK == 0;
    }

    /// @notice Whether the worker counts in its pool's bond.
    function active(WorkerWord word) internal pure returns (bool) {
        return activeFrom(word) < EXPELLED;
    }

    /// @notice Number of the exposure bucket that `time` falls into.
    function bucketAt(uint256 time) internal pure returns (uint256) {
        return uint16(time / RISK_PERIOD);
    }

    /// @notice Brings the two exposure buckets up to `bucket`. What follows is about rolled words.
    function roll(WorkerWord word, uint256 bucket) internal pure returns (WorkerWord) {
        uint256 raw = WorkerWord.unwrap(word);
        uint256 last = uint16(raw >> 224);
        if (last == bucket) return word;
        // Older than the previous bucket: both are over. The number wraps after 65,536 buckets, about 900 years.
        uint256 previous = uint16(last + 1) == bucket ? uint40(raw >> 144) : 0;
        return WorkerWord.wrap((raw & ~EXPOSURE_MASK) | previous << 184 | bucket << 224);
    }

    /// @notice Stake at risk behind certificates that may still be disputed, in bond units; of a rolled word.
    function exposure(WorkerWord word) internal pure returns (uint256) {
        unchecked {
            // Two numbers of 40 bits.
            return uint256(uint40(WorkerWord.unwrap(word) >> 144)) + uint40(WorkerWord.unwrap(word) >> 184);
        }
    }

    /// @notice What a slash can take: the bond less what stands behind certificates; nothing of a dormant worker, whom
    /// others put to sleep. Of a rolled word.
    function slashable(WorkerWord word) internal pure returns (uint256) {
        if (activeFrom(word) == DORMANT) return 0;
        uint256 bonded = bond(word);
        uint256 atRisk = exposure(word);
        unchecked {
            return bonded > atRisk ? bonded - atRisk : 0;
        }
    }

    /// @notice What may still be put at risk: half the bond less what is at risk already; of a rolled word.
    function room(WorkerWord word) internal pure returns (uint256) {
        uint256 half = bond(word) / 2;
        uint256 atRisk = exposure(word);
        unchecked {
            return half > atRisk ? half - atRisk : 0;
        }
    }

    /// @notice Adds exposure to the current bucket of a rolled word.
    function withExposure(WorkerWord word, uint256 amount) internal pure returns (WorkerWord) {
        uint256 raw = WorkerWord.unwrap(word);
        unchecked {
            // At most half a bond of 40 bits, see room: no carry into the next field.
            return WorkerWord.wrap(raw + (amount << 144));
        }
    }

    /// @notice Takes exposure off a rolled word, the older first: what stays is at risk for as long or longer.
    function withoutExposure(WorkerWord word, uint256 amount) internal pure returns (WorkerWord) {
        uint256 raw = WorkerWord.unwrap(word);
        uint256 older = uint40(raw >> 184);
        uint256 newer = uint40(raw >> 144);
        uint256 fromOlder = amount < older ? amount : older;
        unchecked {
            // Neither part is more than its field holds.
            uint256 rest = amount - fromOlder;
            uint256 fromNewer = rest < newer ? rest : newer;
            return WorkerWord.wrap(raw - (fromOlder << 184) - (fromNewer << 144));
        }
    }

    /// @notice The worker with another bond.
    function withBond(WorkerWord word, uint256 bond_) internal pure returns (WorkerWord) {
        return WorkerWord.wrap((WorkerWord.unwrap(word) & ~(uint256(type(uint40).max) << 104)) | bond_ << 104);
    }

    /// @notice The worker with another reputation.
    function withReputation(WorkerWord word, uint256 points) internal pure returns (WorkerWord) {
        return WorkerWord.wrap((WorkerWord.unwrap(word) & ~REPUTATION_MASK) | points << 88);
    }

    /// @notice The worker active from another block, or under a mark.
    function withActiveFrom(WorkerWord word, uint256 activeFrom_) internal pure returns (WorkerWord) {
        return WorkerWord.wrap((WorkerWord.unwrap(word) & ~(uint256(type(uint32).max) << 56)) | activeFrom_ << 56);
    }

    /// @notice The worker in another pool and runtime, without reputation, which does not travel.
    function withPlace(WorkerWord word, uint256 pool_, uint256 runtime_) internal pure returns (WorkerWord) {
        uint256 kept = WorkerWord.unwrap(word) & ~(uint256(type(uint24).max) << 32 | uint256(type(uint8).max) << 248);
        WorkerWord moved = WorkerWord.wrap(kept | pool_ << 32 | runtime_ << 248);
        return pool(word) == pool_ ? moved : withReputation(moved, 0);
    }
}
