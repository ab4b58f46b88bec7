// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Certificate, CertifiedBatch, Claim, Status} from "../types/Certificates.sol";
import {CaseTermsWord} from "../types/Terms.sol";
import {MemberWord} from "../types/Workers.sol";

/// @title Certificates and the slots that hold them
/// @notice A certified batch's slot: status 8 (low) | delivered tasks 32 | hash of the certificate 216. An open batch's:
/// status 8 | attempt 8 | commitments in the window 8 | window 8 | 0 8 | hash of the log 216. One that expired keeps the hash.
library Certificates {
    /// @notice Thrown when a certificate, its members or rivals are not what the batch's slot holds.
    error WrongCertificate(bytes32 dealId, uint256 batch);

    /// @dev Upper 216 bits of a slot: a hash. Two preimages take 2^108 tries.
    uint256 internal constant HASH_MASK = ~uint256(type(uint40).max);

    /// @notice keccak256(abi.encode(certificate)): static, so its words in a row.
    function hashOf(Certificate memory certificate) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(certificate, 480)
        }
    }

    /// @notice The same of a certificate in calldata.
    function hashOfCalldata(Certificate calldata certificate) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, certificate, 480)
            result := keccak256(free, 480)
        }
    }

    /// @notice What came before a certificate: hash of the round's log 216, in the place where slots hold it | block in which
    /// the batch was certified 40 (low).
    /// @param word The slot of the open batch.
    function trailOf(uint256 word) internal view returns (uint256) {
        return (word & HASH_MASK) | block.number;
    }

    /// @notice keccak256 of the member words, then root and fuel of each rival, then the trail ({trailOf}).
    function rosterOf(MemberWord[] memory members, Claim[] memory rivals, uint256 trail)
        internal
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(mload(members), 32)
            mcopy(free, add(members, 32), size)
            let count := mload(rivals)
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                mcopy(add(free, size), mload(add(add(rivals, 32), mul(i, 32))), 64)
                size := add(size, 64)
            }
            mstore(add(free, size), trail)
            result := keccak256(free, add(size, 32))
        }
    }

    /// @notice keccak256 of roster ({rosterOf}) and case terms: what a certificate has as its `members`.
    function membersHash(bytes32 roster, CaseTermsWord caseTerms) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0, roster)
            mstore(32, caseTerms)
            result := keccak256(0, 64)
        }
    }

    /// @notice Reverts unless this is the certificate of the slot; an open batch has none. Answers the status.
    function check(Certificate calldata certificate, uint256 word) internal pure returns (Status status) {
        status = Status(uint8(word));
        if (!stands(word) || (uint256(hashOfCalldata(certificate)) ^ word) & HASH_MASK != 0) {
            revert WrongCertificate(certificate.dealId, certificate.batch);
        }
    }

    /// @notice Reverts unless the certificate covers this roster and these case terms.
    function checkMembers(Certificate calldata certificate, bytes32 roster, CaseTermsWord caseTerms) internal pure {
        if (membersHash(roster, caseTerms) != certificate.members) {
            revert WrongCertificate(certificate.dealId, certificate.batch);
        }
    }

    /// @notice {check}, and that members, rivals, trail and case terms are the certificate's.
    function checkWhole(CertifiedBatch calldata certified, uint256 word) internal pure returns (Status status) {
        Certificate calldata certificate = certified.certificate;
        status = check(certificate, word);
        checkMembers(certificate, rosterOf(certified.members, certified.rivals, certified.trail), certified.caseTerms);
    }

    /// @notice Whether a slot holds a certificate that is not void.
    function stands(uint256 word) internal pure returns (bool) {
        unchecked {
            // Provisional, Disputed and Final follow one another; Open, before them, wraps around.
            return uint256(uint8(word)) - uint256(Status.Provisional) < 3;
        }
    }

    /// @notice The slot of a certificate.
    /// @param low Status and delivered tasks.
    function slotOf(Certificate memory certificate, uint256 low) internal pure returns (uint256) {
        return (uint256(hashOf(certificate)) & HASH_MASK) | low;
    }
}
