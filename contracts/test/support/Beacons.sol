// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bls} from "../../src/libraries/Bls.sol";

/// @title drand's quicknet, as published, and beacons that tests run themselves
library Beacons {
    bytes internal constant DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

    /// @dev Quicknet's public key, uncompressed.
    bytes internal constant QUICKNET_KEY = hex"000000000000000000000000000000000d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        hex"0000000000000000000000000000000003cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        hex"000000000000000000000000000000000e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273"
        hex"0000000000000000000000000000000001a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b";
    uint256 internal constant QUICKNET_GENESIS = 1_692_803_367;
    uint256 internal constant QUICKNET_PERIOD = 3;

    /// @dev Quicknet's rounds 123 and 657413: signature, uncompressed, and randomness.
    bytes internal constant SIGNATURE_123 = hex"00000000000000000000000000000000175c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92"
        hex"000000000000000000000000000000000f3894d8ccd4bb5edc3fca0f1f67f658559b86a360dd0128c3b64c12141372bb22276f0a00720b51125a9996b722b23f";
    bytes32 internal constant RANDOMNESS_123 = 0xfb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc;
    bytes internal constant SIGNATURE_657413 = hex"000000000000000000000000000000001713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
        hex"00000000000000000000000000000000116c5214fdfb7ba78de63a90904f73c935e28a89e5c815c43a49dfc8058ed0d2b7de6f98eae4a917bb868989bd0302b7";
    bytes32 internal constant RANDOMNESS_657413 = 0xfc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587;

    /// @dev On the curves, outside the subgroups.
    bytes internal constant OUTSIDE_G1 = hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004"
        hex"000000000000000000000000000000000a989badd40d6212b33cffc3f3763e9bc760f988c9926b26da9dd85e928483446346b8ed00e1de5d5ea93e354abe706c";
    bytes internal constant OUTSIDE_G2 = hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002"
        hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        hex"0000000000000000000000000000000018c6b864ae17dc9da64203ffefb966306425a7bc6aeb7c75247438372716284a4173830420cd476ba1a365b95bfcec38"
        hex"00000000000000000000000000000000172e93db764a8400a7d5071b6b6f5de0da2f0f4a063119abca014006b7c40a2cfe291a1924e65db0d6d0fcfbf3bf3d5c";

    /// @dev Generator of G2.
    bytes internal constant G2_GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
        hex"000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be";

    /// @notice Public key of a secret one.
    function keyOf(uint256 secret) internal view returns (bytes memory key) {
        bool ok;
        (ok, key) = address(0x0e).staticcall(bytes.concat(G2_GENERATOR, bytes32(secret)));
        require(ok, "G2MSM");
    }

    /// @notice A beacon's signature of a round.
    function sign(uint256 secret, uint256 round) internal view returns (bytes memory signature) {
        bytes memory point = Bls.hashToG1(bytes.concat(sha256(abi.encodePacked(uint64(round)))), DST);
        bool ok;
        (ok, signature) = address(0x0c).staticcall(bytes.concat(point, bytes32(secret)));
        require(ok, "G1MSM");
    }
}
