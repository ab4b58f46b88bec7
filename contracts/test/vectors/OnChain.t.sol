// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {LogItem} from "../../src/types/Certificates.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title What no library of the contracts computes alone: `docs/encoding.md` sections 1, 4 and 7
/// @notice Logs and worker keys are put to the deployed contracts. Lists and entries are put to the builder of {Plays}: all
/// rounds of the other tests are signed over its hashes, and the Certifier takes none that it reads otherwise.
contract DeployedVectors is Plays, Vectors {
    struct ListCase {
        bytes32[] commitments;
        bytes32[] hashes;
        uint256[] waves;
        uint256[] workers;
    }

    struct LogCase {
        bytes32[] a;
        bytes32[] b;
        uint256 logHash;
        bytes32 roundId;
        uint256[] words;
    }

    struct EntryCase {
        uint256 claim;
        uint256 onChain;
        uint256 wave;
        uint256 word;
        address worker;
    }

    struct Message {
        uint256 chainId;
        address verifyingContract;
        bytes32 digest;
        bytes encoded;
        bytes32 structHash;
    }

    uint256 private constant KEY = 0x6e71;

    function setUp() public {
        _deployCity();
        _open("contributions");
    }

    function test_lists() public view {
        ListCase[] memory cases = abi.decode(_section("lists"), (ListCase[]));
        for (uint256 i; i < cases.length; ++i) {
            _checkList(cases[i]);
        }
    }

    function _checkList(ListCase memory c) private pure {
        address[] memory workers = new address[](c.workers.length);
        for (uint256 i; i < workers.length; ++i) {
            workers[i] = address(uint160(c.workers[i]));
            if (i != 0) vm.assertLt(c.waves[i - 1] << 160 | c.workers[i - 1], c.waves[i] << 160 | c.workers[i]);
        }
        bytes32 hash;
        uint256 start;
        for (uint256 wave; wave < 3; ++wave) {
            uint256 end = start;
            while (end < workers.length && c.waves[end] == wave) ++end;
            if (end != start) hash = _listHash(hash, workers, c.commitments, start, end);
            vm.assertEq(c.hashes[wave], hash);
            start = end;
        }
        vm.assertEq(start, workers.length);
    }

    function test_entries() public view {
        EntryCase[] memory cases = abi.decode(_section("entries"), (EntryCase[]));
        for (uint256 i; i < cases.length; ++i) {
            EntryCase memory c = cases[i];
            vm.assertEq(_entryWord(c.worker, uint8(c.claim), uint8(c.wave), c.onChain != 0), c.word);
        }
    }

    /// @dev A batch that nobody touched has no log: whoever brings one is told the hash of what he brought.
    function test_logs() public {
        LogCase[] memory cases = abi.decode(_section("logs"), (LogCase[]));
        for (uint256 i; i < cases.length; ++i) {
            LogCase memory c = cases[i];
            LogItem[] memory log = new LogItem[](c.words.length);
            for (uint256 j; j < log.length; ++j) {
                log[j] = LogItem(c.words[j], c.a[j], c.b[j]);
            }
            if (log.length == 0) {
                vm.assertEq(c.logHash, 0);
                continue;
            }
            vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongLog.selector, bytes32(0), bytes32(c.logHash)));
            certifier.reveal("deal", 0, c.roundId, log, 0, 0, 0, 0);
        }
    }

    /// @dev The deployed code moves to the contract and chain of the case. Whoever shows a good key is only told next that
    /// its bond is too small.
    function test_workerKeyMessages() public {
        Message[] memory cases = abi.decode(_section("workerKeyMessages"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            Message memory c = cases[i];
            IWorkforce there = IWorkforce(c.verifyingContract);
            vm.etch(c.verifyingContract, address(workforce).code);
            vm.chainId(c.chainId);
            address operator = address(uint160(uint256(_wordAt(c.encoded, 0))));
            uint32 to = uint32(uint256(_wordAt(c.encoded, 1)));
            vm.prank(operator);
            vm.expectRevert(abi.encodeWithSelector(IWorkforce.BondTooSmall.selector, 0, MINIMUM_BOND));
            there.join(vm.addr(KEY), to, 1, 0, _signBytes(KEY, c.digest));
            vm.prank(operator);
            vm.expectRevert(abi.encodeWithSelector(IWorkforce.BadWorkerKey.selector, vm.addr(KEY)));
            there.join(vm.addr(KEY), to ^ 1, 1, 0, _signBytes(KEY, c.digest));
        }
    }
}
