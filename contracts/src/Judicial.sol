// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "./interfaces/ICases.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {ISeed} from "./interfaces/ISeed.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {Case} from "./types/Cases.sol";
import {Certificate, CertifiedBatch, Status} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";

/// @title What Court and jury have in common
/// @notice Whom they ask, and how they authenticate what calls bring back.
abstract contract Judicial is ICases {
    using TermsHash for Terms;
    using CaseWords for Case;

    /// @dev Upper 216 bits of a slot: a hash.
    uint256 internal constant HASH_MASK = Certificates.HASH_MASK;

    /// @notice Workers and bonds.
    IWorkforce public immutable workforce;
    /// @notice Deals.
    IMarket public immutable market;
    /// @notice Batches.
    ICertifier public immutable certifier;
    /// @notice Where seeds come from.
    ISeed public immutable seeds;

    constructor(address workforce_, address market_, address certifier_, address seeds_) {
        workforce = IWorkforce(workforce_);
        market = IMarket(market_);
        certifier = ICertifier(certifier_);
        seeds = ISeed(seeds_);
    }

    /// @dev Reverts unless this is the batch as the slot holds it; answers its status.
    function _authenticate(CertifiedBatch calldata certified) internal view returns (Status) {
        uint256 word = certifier.batchWord(certified.certificate.dealId, certified.certificate.batch);
        return Certificates.checkWhole(certified, word);
    }

    /// @dev Reverts unless these are the terms of the certificate's deal.
    function _checkTerms(Terms calldata terms, Certificate calldata certificate) internal view {
        bytes32 stored = market.termsHash(terms.dealId);
        if (terms.dealId != certificate.dealId || stored != terms.hash()) revert WrongTerms(terms.dealId);
    }

    /// @dev Reverts unless the case is about the certificate's batch.
    function _checkSubject(Case calldata record, Certificate calldata certificate) internal pure {
        if (record.dealId != certificate.dealId || record.facts.batch() != certificate.batch) {
            revert WrongCase(record.idOf());
        }
    }

    /// @dev Reverts unless the last of `count` records is the case that the first one appeals, if it appeals any.
    function _checkAppealed(uint256 count, Case calldata record, Case calldata last) internal pure {
        bytes32 id = last.idOf();
        if (record.before == 0 ? count != 1 : (count != 2 || id != record.before)) revert WrongCase(id);
    }

    /// @dev Number of a worker's operator.
    function _operatorOf(address worker) internal view returns (uint256) {
        return workforce.workerOf(worker).operator();
    }

    /// @dev Whether an operator is requester, payer or owner of what the deal is about.
    function _isParty(Terms calldata terms, address who) internal view returns (bool) {
        return who == terms.requester || who == terms.payer || who == terms.appOwner || who == terms.datasetOwner
            || who == workforce.poolOf(terms.pool).owner();
    }
}
