// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The cheat codes that the tests use
/// @notice A part of what forge answers at its well-known address.
interface Vm {
    /// @notice A log that {recordLogs} kept.
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function expectCall(address callee, bytes calldata data) external;
    function expectEmit() external;
    function expectEmit(address emitter) external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function expectPartialRevert(bytes4 selector) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
    function getNonce(address account) external view returns (uint64);
    function getRecordedLogs() external returns (Log[] memory);
    function label(address account, string calldata name) external;
    function load(address account, bytes32 slot) external view returns (bytes32);
    function pauseGasMetering() external;
    function prank(address caller) external;
    function prevrandao(bytes32 value) external;
    function recordLogs() external;
    function roll(uint256 blockNumber) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function signCompact(uint256 key, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);
    function snapshotState() external returns (uint256 id);
    function resumeGasMetering() external;
    function revertToState(uint256 id) external returns (bool);
    function startPrank(address caller) external;
    function setBlockhash(uint256 blockNumber, bytes32 blockHash) external;
    function stopPrank() external;
    function store(address account, bytes32 slot, bytes32 value) external;
    function warp(uint256 time) external;

    function assertEq(uint256 a, uint256 b) external pure;
    function assertEq(uint256 a, uint256 b, string calldata what) external pure;
    function assertEq(bytes32 a, bytes32 b) external pure;
    function assertEq(bytes32 a, bytes32 b, string calldata what) external pure;
    function assertEq(address a, address b) external pure;
    function assertEq(bool a, bool b) external pure;
    function assertEq(string calldata a, string calldata b) external pure;
    function assertEq(string calldata a, string calldata b, string calldata what) external pure;
    function assertNotEq(bytes32 a, bytes32 b) external pure;
    function assertNotEq(uint256 a, uint256 b) external pure;
    function assertTrue(bool yes) external pure;
    function assertTrue(bool yes, string calldata what) external pure;
    function assertFalse(bool yes) external pure;
    function assertFalse(bool yes, string calldata what) external pure;
    function assertLe(uint256 a, uint256 b) external pure;
    function assertLe(uint256 a, uint256 b, string calldata what) external pure;
    function assertLt(uint256 a, uint256 b) external pure;
    function assertGe(uint256 a, uint256 b) external pure;
    function assertGt(uint256 a, uint256 b) external pure;
    function assertGt(uint256 a, uint256 b, string calldata what) external pure;
}

/// @dev Where forge answers.
Vm constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

/// @dev Brings a random value into a range, both ends included.
function bound(uint256 value, uint256 lowest, uint256 highest) pure returns (uint256) {
    uint256 span = highest - lowest;
    return span == type(uint256).max ? value : lowest + value % (span + 1);
}

/// @title Marks a contract as a test for forge
abstract contract Test {
    /// @notice A handler and the calls of it that an invariant run makes.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev forge looks for it.
    bool public constant IS_TEST = true;

    /// @dev Deploys the artifact `File.sol:Contract` with ABI-encoded constructor arguments: the tests compile without the
    /// contracts, so that a change of either rebuilds that half only.
    function _deploy(string memory artifact, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        require(deployed != address(0), artifact);
    }
}
