// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Apps, datasets and runtimes
/// @notice An asset is an ERC-721 token. Content ids are BLAKE3 of the exact bytes, which are fetched from anywhere and
/// always verified. A transfer bumps the asset's order nonce, so that orders of a former owner are dead.
interface IRegistry {
    /// @notice Owners and order nonces of an app and a dataset, and the app's runtime.
    struct Owners {
        address appOwner;
        uint64 appNonce;
        uint8 runtime;
        address datasetOwner;
        uint64 datasetNonce;
    }

    /// @notice Emitted when an app is registered.
    event AppRegistered(uint256 indexed id, address indexed owner, bytes32 codeId, uint8 runtime, string name);
    /// @notice Emitted when a dataset is registered.
    event DatasetRegistered(
        uint256 indexed id, address indexed owner, bytes32 contentId, bytes32 keyCommitment, string name
    );
    /// @notice Emitted when a runtime gets its number.
    event RuntimeRegistered(uint8 indexed number, bytes32 runtimeId);
    /// @notice Emitted when an asset's orders die, by transfer or by its owner's will.
    event NonceBumped(uint256 indexed id, uint64 nonce);

    /// @notice Thrown when there is no such app.
    error UnknownApp(uint256 id);
    /// @notice Thrown when there is no such dataset.
    error UnknownDataset(uint256 id);
    /// @notice Thrown when a runtime has no number yet. Remedy: the owner registers it.
    error UnknownRuntime(bytes32 runtimeId);
    /// @notice Thrown when a runtime has its number already.
    error RuntimeKnown(bytes32 runtimeId, uint8 number);
    /// @notice Thrown when all 255 numbers are taken.
    error TooManyRuntimes();
    /// @notice Thrown when a content id is zero.
    error EmptyContent();
    /// @notice Thrown when a name is longer than 128 bytes.
    error NameTooLong(uint256 length);
    /// @notice Thrown when somebody else than the asset's owner calls.
    error NotAssetOwner(uint256 id, address caller);

    /// @notice Registers an app: a WebAssembly module for a registered runtime.
    /// @param codeId BLAKE3 of the module.
    /// @param runtime Id of the runtime that its receipts are defined for.
    function registerApp(bytes32 codeId, bytes32 runtime, string calldata name) external returns (uint256 id);

    /// @notice Registers a dataset (data or a trained model).
    /// @param keyCommitment Commitment to its key when the bytes are encrypted, else zero.
    function registerDataset(bytes32 contentId, bytes32 keyCommitment, string calldata name)
        external
        returns (uint256 id);

    /// @notice Owner: gives a runtime the next number. Append-only.
    function registerRuntime(bytes32 runtime) external returns (uint8 number);

    /// @notice Kills every order that was signed for this asset.
    function bumpNonce(uint256 id) external;

    /// @notice What a match needs of both assets, in one call.
    /// @param dataset 0 = none.
    function owners(uint256 app, uint256 dataset) external view returns (Owners memory);

    /// @notice An app's code and runtime.
    function appOf(uint256 id) external view returns (bytes32 codeId, uint8 runtime);

    /// @notice A dataset's content and key commitment.
    function datasetOf(uint256 id) external view returns (bytes32 contentId, bytes32 keyCommitment);

    /// @notice Number of a runtime; 0 = none.
    function runtimeNumber(bytes32 runtime) external view returns (uint8);

    /// @notice Runtime with a number.
    function runtimeId(uint8 number) external view returns (bytes32);

    /// @notice Owner of an asset.
    function ownerOf(uint256 id) external view returns (address);
}
