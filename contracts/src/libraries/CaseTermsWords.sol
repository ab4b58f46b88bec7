// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseTermsWord} from "../types/Terms.sol";

/// @title What a case needs of the terms
/// @notice Packs and reads {CaseTermsWord}.
library CaseTermsWords {
    /// @notice Packs the word of one batch. The Market lets nobody lock more than 96 bits, so a fee has no more.
    function pack(uint256 fee_, uint256 tasks_, uint256 runtime_, uint256 patience_, uint256 pool_)
        internal
        pure
        returns (CaseTermsWord)
    {
        return CaseTermsWord.wrap(fee_ | tasks_ << 96 | runtime_ << 128 | patience_ << 136 | pool_ << 176);
    }

    /// @notice Fee of one execution of one task at the limit, rounded up, in the token's smallest unit: what a juror earns.
    function fee(CaseTermsWord word) internal pure returns (uint256) {
        return uint96(CaseTermsWord.unwrap(word));
    }

    /// @notice Tasks of the batch.
    function tasks(CaseTermsWord word) internal pure returns (uint256) {
        return uint32(CaseTermsWord.unwrap(word) >> 96);
    }

    /// @notice Number of the runtime that a juror needs.
    function runtime(CaseTermsWord word) internal pure returns (uint256) {
        return uint8(CaseTermsWord.unwrap(word) >> 128);
    }

    /// @notice Length of a wave of the batch's round, in seconds.
    function patience(CaseTermsWord word) internal pure returns (uint256) {
        return uint40(CaseTermsWord.unwrap(word) >> 136);
    }

    /// @notice Pool of the deal.
    function pool(CaseTermsWord word) internal pure returns (uint256) {
        return uint32(CaseTermsWord.unwrap(word) >> 176);
    }
}
