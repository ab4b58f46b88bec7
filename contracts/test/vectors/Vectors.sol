// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "../support/Vm.sol";

/// @title The cheat codes that read files
interface Files {
    function readFile(string calldata path) external view returns (string memory);
    function parseJson(string calldata json, string calldata key) external pure returns (bytes memory);
}

/// @title Reads the cases that Rust wrote
/// @notice A section is an array of flat objects with their keys in alphabetical order, so it decodes into an array of
/// structs whose fields stand in that order. Numbers and flags are words of 32 bytes.
abstract contract Vectors is Test {
    Files private constant FILES = Files(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    string private _path;

    /// @dev Chooses `../vectors/<name>.json`.
    function _open(string memory name) internal {
        _path = string.concat("../vectors/", name, ".json");
    }

    /// @dev A section's cases, to be decoded. The second word is the array's length: no section is empty.
    function _section(string memory name) internal view returns (bytes memory cases) {
        cases = FILES.parseJson(FILES.readFile(_path), string.concat(".", name));
        require(_wordAt(cases, 1) != 0, name);
    }

    /// @dev A word from an `abi.encode`d static struct.
    function _wordAt(bytes memory encoded, uint256 index) internal pure returns (bytes32 word) {
        require(encoded.length >= 32 * (index + 1), "encoded too short");
        assembly ("memory-safe") {
            word := mload(add(add(encoded, 32), mul(index, 32)))
        }
    }
}
