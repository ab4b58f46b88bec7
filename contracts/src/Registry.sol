// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC721} from "solady/tokens/ERC721.sol";

import {Owned} from "./Owned.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";

/// @title Registry
/// @notice Apps, datasets, runtimes: see {IRegistry}.
/// @dev solady's ERC-721, because it keeps 96 bits beside each owner: nonce 64 | runtime 8 | kind 8 come with the owner in
/// one read of a match.
contract Registry is IRegistry, ERC721, Owned {
    uint256 private constant APP = 1;
    uint256 private constant DATASET = 2;
    uint256 private constant NAME_BYTES_MAX = 128;

    /// @notice Assets registered so far; ids count from 1.
    uint256 public assets;
    /// @notice Runtimes registered so far; numbers count from 1.
    uint8 public runtimes;
    /// @inheritdoc IRegistry
    mapping(bytes32 runtimeId => uint8 number) public runtimeNumber;
    /// @inheritdoc IRegistry
    mapping(uint8 number => bytes32 runtimeId) public runtimeId;
    /// @dev Content id, and a dataset's key commitment.
    mapping(uint256 id => bytes32 content) private _content;
    mapping(uint256 id => bytes32 key) private _keys;

    constructor(address owner_) Owned(owner_) {}

    /// @inheritdoc IRegistry
    function registerApp(bytes32 codeId, bytes32 runtime, string calldata name_) external returns (uint256 id) {
        uint8 number = runtimeNumber[runtime];
        if (number == 0) revert UnknownRuntime(runtime);
        id = _register(codeId, name_, APP << 72 | uint256(number) << 64);
        emit AppRegistered(id, msg.sender, codeId, number, name_);
    }

    /// @inheritdoc IRegistry
    function registerDataset(bytes32 contentId, bytes32 keyCommitment, string calldata name_)
        external
        returns (uint256 id)
    {
        id = _register(contentId, name_, DATASET << 72);
        if (keyCommitment != 0) _keys[id] = keyCommitment;
        emit DatasetRegistered(id, msg.sender, contentId, keyCommitment, name_);
    }

    /// @inheritdoc IRegistry
    function registerRuntime(bytes32 runtime) external onlyOwner returns (uint8 number) {
        if (runtime == 0) revert EmptyContent();
        if (runtimeNumber[runtime] != 0) revert RuntimeKnown(runtime, runtimeNumber[runtime]);
        if (runtimes == type(uint8).max) revert TooManyRuntimes();
        number = ++runtimes;
        runtimeNumber[runtime] = number;
        runtimeId[number] = runtime;
        emit RuntimeRegistered(number, runtime);
    }

    /// @inheritdoc IRegistry
    function bumpNonce(uint256 id) external {
        if (ownerOf(id) != msg.sender) revert NotAssetOwner(id, msg.sender);
        _bump(id);
    }

    /// @inheritdoc IRegistry
    function owners(uint256 app, uint256 dataset) external view returns (Owners memory result) {
        uint256 data = _getExtraData(app);
        if (data >> 72 != APP) revert UnknownApp(app);
        result.appOwner = _ownerOf(app);
        result.appNonce = uint64(data);
        result.runtime = uint8(data >> 64);
        if (dataset != 0) {
            data = _getExtraData(dataset);
            if (data >> 72 != DATASET) revert UnknownDataset(dataset);
            result.datasetOwner = _ownerOf(dataset);
            result.datasetNonce = uint64(data);
        }
    }

    /// @inheritdoc IRegistry
    function appOf(uint256 id) external view returns (bytes32 codeId, uint8 runtime) {
        uint256 data = _getExtraData(id);
        if (data >> 72 != APP) revert UnknownApp(id);
        return (_content[id], uint8(data >> 64));
    }

    /// @inheritdoc IRegistry
    function datasetOf(uint256 id) external view returns (bytes32 contentId, bytes32 keyCommitment) {
        if (_getExtraData(id) >> 72 != DATASET) revert UnknownDataset(id);
        return (_content[id], _keys[id]);
    }

    /// @inheritdoc ERC721
    function ownerOf(uint256 id) public view override(ERC721, IRegistry) returns (address) {
        return ERC721.ownerOf(id);
    }

    /// @inheritdoc ERC721
    function name() public pure override returns (string memory) {
        return "Guildhall assets";
    }

    /// @inheritdoc ERC721
    function symbol() public pure override returns (string memory) {
        return "GUILD";
    }

    /// @inheritdoc ERC721
    /// @dev The content id itself: bytes are found by it, and a page that shows them can check them.
    function tokenURI(uint256 id) public view override returns (string memory) {
        if (!_exists(id)) revert TokenDoesNotExist();
        bytes16 digits = "0123456789abcdef";
        bytes32 content = _content[id];
        bytes memory uri = bytes.concat("blake3:", new bytes(64));
        for (uint256 i; i < 32; ++i) {
            uri[7 + 2 * i] = digits[uint8(content[i]) >> 4];
            uri[8 + 2 * i] = digits[uint8(content[i]) & 15];
        }
        return string(uri);
    }

    /// @dev Every transfer kills the orders of the former owner, also when he buys back.
    function _afterTokenTransfer(address from, address, uint256 id) internal override {
        if (from != address(0)) _bump(id);
    }

    /// @dev Registers an asset for the caller.
    function _register(bytes32 content, string calldata name_, uint256 extra) private returns (uint256 id) {
        if (content == 0) revert EmptyContent();
        if (bytes(name_).length > NAME_BYTES_MAX) revert NameTooLong(bytes(name_).length);
        id = ++assets;
        _content[id] = content;
        _mint(msg.sender, id);
        _setExtraData(id, uint96(extra));
    }

    /// @dev The next nonce, in the low 64 bits of the extra data.
    function _bump(uint256 id) private {
        uint96 data = _getExtraData(id) + 1;
        _setExtraData(id, data);
        emit NonceBumped(id, uint64(data));
    }
}
