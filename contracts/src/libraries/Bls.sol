// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title BLS signatures on BLS12-381, signatures in G1 and keys in G2
/// @notice Hashes to the curve as RFC 9380 says (suite BLS12381G1_XMD:SHA-256_SSWU_RO_) and verifies with the precompiles of
/// EIP-2537. Points are in that EIP's form: 64 bytes for each element of the field, 128 for G1, 256 for G2.
/// @dev The precompiles refuse elements that are not below the modulus, points that are not on the curve and, in pairings,
/// points outside the subgroup: that is all the checking that points need.
library Bls {
    /// @dev EIP-2537.
    address private constant G1_ADD = address(0x0b);
    address private constant PAIRING_CHECK = address(0x0f);
    address private constant MAP_FP_TO_G1 = address(0x10);
    /// @dev EIP-198, EIP-7883.
    address private constant MODEXP = address(0x05);

    /// @dev The field's modulus in 64 bytes, upper and lower half.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    /// @dev Half of the modulus less one: elements above it are the larger ones of their pair.
    uint256 private constant HALF_HIGH = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LOW = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// @dev Generator of G1.
    bytes private constant G1_GENERATOR = hex"0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
        hex"0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";
    /// @dev Generator of G2, negated.
    bytes private constant G2_NEGATED = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa"
        hex"0000000000000000000000000000000013fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed";

    /// @notice Thrown when a precompile that cannot refuse its input is not there: the chain lacks EIP-2537.
    error PrecompileMissing(address precompile);

    /// @notice Whether `key` is a public key: a point of G2's subgroup other than infinity.
    function isKey(bytes memory key) internal view returns (bool) {
        if (key.length != 256) return false;
        // One pair alone gives one only where a side is infinity; the call fails for what is no point of the subgroup.
        (bool ok, bytes memory answer) = PAIRING_CHECK.staticcall(bytes.concat(G1_GENERATOR, key));
        return ok && answer.length == 32 && uint256(bytes32(answer)) == 0;
    }

    /// @notice Whether `signature` (G1) is that of `message` by the holder of `key` (G2, see {isKey}).
    function verify(bytes memory key, bytes memory message, bytes memory dst, bytes memory signature)
        internal
        view
        returns (bool)
    {
        if (signature.length != 128) return false;
        bytes memory pairs = bytes.concat(signature, G2_NEGATED, hashToG1(message, dst), key);
        (bool ok, bytes memory answer) = PAIRING_CHECK.staticcall(pairs);
        return ok && answer.length == 32 && uint256(bytes32(answer)) == 1;
    }

    /// @notice A point of G1 other than infinity in 48 bytes: x, with flags in the upper bits (compressed; y is the larger).
    /// @dev For points that a precompile has accepted.
    function compress(bytes memory point) internal pure returns (bytes memory) {
        (uint256 xHigh, uint256 xLow, uint256 yHigh, uint256 yLow) =
            abi.decode(point, (uint256, uint256, uint256, uint256));
        bool larger = yHigh > HALF_HIGH || (yHigh == HALF_HIGH && yLow > HALF_LOW);
        uint256 flags = larger ? 0xa0 : 0x80;
        return abi.encodePacked(uint128(xHigh | flags << 120), xLow);
    }

    /// @notice hash_to_curve of RFC 9380 section 3, in the domain `dst` (at most 255 bytes).
    function hashToG1(bytes memory message, bytes memory dst) internal view returns (bytes memory) {
        bytes32[4] memory uniform = _expand(message, dst);
        bytes memory first = _mapToG1(_reduce(uniform[0], uniform[1]));
        bytes memory second = _mapToG1(_reduce(uniform[2], uniform[3]));
        // The map clears the cofactor of each, which adds up to clearing that of the sum.
        return _call(G1_ADD, bytes.concat(first, second), 128);
    }

    /// @dev expand_message_xmd of RFC 9380 section 5.3.1 with SHA-256, 128 bytes long.
    function _expand(bytes memory message, bytes memory dst) private pure returns (bytes32[4] memory uniform) {
        bytes memory suffix = abi.encodePacked(dst, uint8(dst.length));
        bytes32 zeroth = sha256(abi.encodePacked(bytes32(0), bytes32(0), message, uint16(128), uint8(0), suffix));
        bytes32 last;
        for (uint256 i; i < 4; ++i) {
            last = sha256(abi.encodePacked(zeroth ^ last, uint8(i + 1), suffix));
            uniform[i] = last;
        }
    }

    /// @dev 64 bytes modulo p, in 64 bytes.
    function _reduce(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory input = abi.encodePacked(uint256(64), uint256(1), uint256(64), high, low, uint8(1), P_HIGH, P_LOW);
        return _call(MODEXP, input, 64);
    }

    function _mapToG1(bytes memory element) private view returns (bytes memory) {
        return _call(MAP_FP_TO_G1, element, 128);
    }

    /// @dev Asks a precompile that cannot refuse this input.
    function _call(address precompile, bytes memory input, uint256 size) private view returns (bytes memory answer) {
        bool ok;
        (ok, answer) = precompile.staticcall(input);
        if (!ok || answer.length != size) revert PrecompileMissing(precompile);
    }
}
