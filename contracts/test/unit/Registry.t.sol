// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Owned} from "../../src/Owned.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {City, IErc721} from "../support/City.sol";
import {vm} from "../support/Vm.sol";

contract RegistryTest is City {
    function setUp() public {
        _buildCity(0);
    }

    function test_registerApp_givenAKnownRuntime_itMintsToTheCaller() public {
        vm.expectEmit(address(registry));
        emit IRegistry.AppRegistered(3, stranger, keccak256("code"), 1, "another");
        vm.prank(stranger);
        uint256 id = registry.registerApp(keccak256("code"), RUNTIME, "another");
        (bytes32 codeId, uint8 runtime) = registry.appOf(id);
        vm.assertEq(codeId, keccak256("code"));
        vm.assertEq(runtime, 1);
        vm.assertEq(registry.ownerOf(id), stranger);
        vm.assertEq(IErc721(address(registry)).balanceOf(stranger), 1);
    }

    function test_registerApp_givenAnUnknownRuntime_itReverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownRuntime.selector, bytes32("none")));
        registry.registerApp(keccak256("code"), "none", "app");
    }

    function test_register_whenTheContentIsEmpty_itReverts() public {
        vm.expectRevert(IRegistry.EmptyContent.selector);
        registry.registerApp(0, RUNTIME, "app");
        vm.expectRevert(IRegistry.EmptyContent.selector);
        registry.registerDataset(0, 0, "dataset");
    }

    function test_register_whenTheNameIsTooLong_itReverts() public {
        string memory long = string(new bytes(129));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NameTooLong.selector, 129));
        registry.registerDataset(keccak256("content"), 0, long);
        registry.registerDataset(keccak256("content"), 0, string(new bytes(128)));
    }

    function test_registerDataset_itKeepsContentAndKeyCommitment() public {
        vm.expectEmit(address(registry));
        emit IRegistry.DatasetRegistered(3, address(this), keccak256("content"), keccak256("key"), "secret");
        uint256 id = registry.registerDataset(keccak256("content"), keccak256("key"), "secret");
        (bytes32 content, bytes32 key) = registry.datasetOf(id);
        vm.assertEq(content, keccak256("content"));
        vm.assertEq(key, keccak256("key"));
    }

    function test_registerRuntime_whenOthersCall_itReverts() public {
        _expect(stranger);
        registry.registerRuntime("another");
    }

    function _expect(address caller) private {
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(Owned.NotOwner.selector, caller));
    }

    function test_registerRuntime_itIsAppendOnly() public {
        vm.startPrank(protocolOwner);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RuntimeKnown.selector, RUNTIME, 1));
        registry.registerRuntime(RUNTIME);
        vm.expectRevert(IRegistry.EmptyContent.selector);
        registry.registerRuntime(0);
        vm.expectEmit(address(registry));
        emit IRegistry.RuntimeRegistered(2, "two");
        vm.assertEq(registry.registerRuntime("two"), 2);
        vm.assertEq(registry.runtimeNumber("two"), 2);
        vm.assertEq(registry.runtimeId(2), "two");
        vm.assertEq(registry.runtimeId(1), RUNTIME);
    }

    function test_registerRuntime_givenAll255_itReverts() public {
        vm.startPrank(protocolOwner);
        for (uint256 i = 2; i < 256; ++i) {
            registry.registerRuntime(bytes32(i));
        }
        vm.expectRevert(IRegistry.TooManyRuntimes.selector);
        registry.registerRuntime("one more");
    }

    function test_owners_givenAppAndDataset_itAnswersBoth() public view {
        IRegistry.Owners memory owners = registry.owners(app, dataset);
        vm.assertEq(owners.appOwner, appOwner);
        vm.assertEq(owners.datasetOwner, datasetOwner);
        vm.assertEq(owners.runtime, 1);
    }

    function test_owners_givenTheWrongKind_itReverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownApp.selector, dataset));
        registry.owners(dataset, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownDataset.selector, app));
        registry.owners(app, app);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownApp.selector, 99));
        registry.appOf(99);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownDataset.selector, 99));
        registry.datasetOf(99);
    }

    function test_transfer_itBumpsTheNonceAndKeepsTheRest() public {
        vm.expectEmit(address(registry));
        emit IRegistry.NonceBumped(app, 1);
        vm.prank(appOwner);
        IErc721(address(registry)).transferFrom(appOwner, stranger, app);
        IRegistry.Owners memory owners = registry.owners(app, 0);
        vm.assertEq(owners.appOwner, stranger);
        vm.assertEq(owners.appNonce, 1);
        vm.assertEq(owners.runtime, 1);
    }

    function test_bumpNonce_whenOthersCall_itReverts() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAssetOwner.selector, app, stranger));
        registry.bumpNonce(app);
    }

    function test_bumpNonce_givenApprovalOnly_itReverts() public {
        vm.prank(appOwner);
        IErc721(address(registry)).approve(stranger, app);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAssetOwner.selector, app, stranger));
        registry.bumpNonce(app);
    }

    function test_tokenUri_isTheContentId() public {
        uint256 id = registry.registerDataset(bytes32(uint256(0xab)), 0, "d");
        vm.assertEq(
            IErc721(address(registry)).tokenURI(id),
            "blake3:00000000000000000000000000000000000000000000000000000000000000ab"
        );
        vm.expectRevert(bytes4(keccak256("TokenDoesNotExist()")));
        IErc721(address(registry)).tokenURI(99);
    }

    function test_ownership_beginsWithTheDeployment() public {
        vm.expectEmit();
        emit Owned.OwnershipMoved(address(0), stranger);
        address deployed = _deploy("Registry.sol:Registry", abi.encode(stranger));
        vm.assertEq(Owned(deployed).owner(), stranger);
    }

    function test_ownership_movesInTwoSteps() public {
        Owned owned = Owned(address(registry));
        _expect(stranger);
        owned.offerOwnership(stranger);
        vm.expectEmit(address(registry));
        emit Owned.OwnershipOffered(protocolOwner, stranger);
        vm.prank(protocolOwner);
        owned.offerOwnership(stranger);
        vm.assertEq(owned.owner(), protocolOwner);
        _expect(requester);
        owned.acceptOwnership();
        vm.expectEmit(address(registry));
        emit Owned.OwnershipMoved(protocolOwner, stranger);
        vm.prank(stranger);
        owned.acceptOwnership();
        vm.assertEq(owned.owner(), stranger);
        vm.assertEq(owned.pendingOwner(), address(0));
        _expect(protocolOwner);
        registry.registerRuntime("late");
    }

    function test_ownership_givenUp_isNobodysForEver() public {
        Owned owned = Owned(address(registry));
        _expect(stranger);
        owned.renounceOwnership();
        vm.startPrank(protocolOwner);
        owned.offerOwnership(stranger);
        vm.expectEmit(address(registry));
        emit Owned.OwnershipMoved(protocolOwner, address(0));
        owned.renounceOwnership();
        vm.stopPrank();
        vm.assertEq(owned.pendingOwner(), address(0));
        vm.assertEq(owned.owner(), address(0));
        _expect(stranger);
        owned.acceptOwnership();
    }
}
