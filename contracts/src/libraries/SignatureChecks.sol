// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Signature checks
/// @notice ecrecover first, a contract's opinion (ERC-1271) only where it does not match: asking an account's code size
/// first would cost 2,600 gas for every cold signer.
/// @dev Nothing in the protocol is keyed by a signature's bytes, so a second form of one signature changes nothing.
library SignatureChecks {
    bytes4 private constant MAGIC = 0x1626ba7e;

    /// @notice Whether `signature` (65 bytes, or 64 by EIP-2098, or whatever a contract wants) is `signer`'s.
    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0)) return false;
        bytes32 r;
        bytes32 vs;
        assembly ("memory-safe") {
            r := calldataload(signature.offset)
            vs := calldataload(add(signature.offset, 32))
            // 65 bytes: v (27 or 28) is the last one; its lowest bit is the complement of the parity.
            if eq(signature.length, 65) {
                let v := byte(0, calldataload(add(signature.offset, 64)))
                vs := or(vs, shl(255, iszero(and(v, 1))))
            }
        }
        bool isKeys = signature.length == 64 || signature.length == 65;
        if (isKeys && isSigned(signer, digest, r, vs)) return true;
        return signer.code.length != 0 && _isValid1271(signer, digest, signature);
    }

    /// @notice Whether an EIP-2098 signature is `signer`'s: a key's, never a contract's.
    function isSigned(address signer, bytes32 digest, bytes32 r, bytes32 vs) internal view returns (bool ok) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, digest)
            mstore(add(free, 32), add(27, shr(255, vs)))
            mstore(add(free, 64), r)
            mstore(add(free, 96), shr(1, shl(1, vs)))
            // A failed recovery leaves no word behind, so that the zero address signs nothing.
            mstore(0, 0)
            pop(staticcall(gas(), 1, free, 128, 0, 32))
            ok := and(eq(mload(0), signer), iszero(iszero(signer)))
        }
    }

    /// @notice EIP-712 digest of a struct under a domain.
    function digestOf(bytes32 domain, bytes32 structHash) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hex"1901")
            mstore(add(free, 2), domain)
            mstore(add(free, 34), structHash)
            digest := keccak256(free, 66)
        }
    }

    /// @notice EIP-712 domain separator of this contract on this chain.
    function domainOf(string memory name) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
    }

    /// @dev Asks a contract; copies one word back at most.
    function _isValid1271(address signer, bytes32 digest, bytes calldata signature) private view returns (bool ok) {
        bytes memory call_ = abi.encodeWithSelector(MAGIC, digest, signature);
        bytes4 magic = MAGIC;
        assembly ("memory-safe") {
            let success := staticcall(gas(), signer, add(call_, 32), mload(call_), 0, 32)
            ok := and(success, and(gt(returndatasize(), 31), eq(mload(0), magic)))
        }
    }
}

/// @title A domain that follows the chain
/// @notice Keeps the domain separator, and computes it anew should the chain split and change its id.
abstract contract Domain {
    bytes32 private immutable _cached;
    uint256 private immutable _chainId;

    constructor() {
        _cached = SignatureChecks.domainOf(_domainName());
        _chainId = block.chainid;
    }

    /// @dev The EIP-712 domain separator.
    function _domain() internal view returns (bytes32) {
        return block.chainid == _chainId ? _cached : SignatureChecks.domainOf(_domainName());
    }

    /// @dev The EIP-712 domain's name.
    function _domainName() internal pure virtual returns (string memory);
}
