// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseWords} from "../../src/libraries/CaseWords.sol";
import {Case, FactsWord, Receipt, StakesWord} from "../../src/types/Cases.sol";
import {vm} from "../support/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title Cases before the Court: `docs/encoding.md` section 8
contract CaseVectors is Vectors {
    struct IdCase {
        uint256 appealEnd;
        bytes32 before;
        uint256 commitEnd;
        bytes32 dealId;
        uint256 facts;
        bytes32 id;
        address opener;
        uint256 revealEnd;
        bytes32 seal;
        uint256 stakes;
        address worker;
    }

    struct FindingCase {
        uint256 batch;
        bytes32 caseId;
        bytes32 commitment;
        bytes32 dealId;
        uint256 exit;
        bytes32 finding;
        uint256 fuel;
        uint256 index;
        address maker;
        bytes32 outputDigest;
        bytes32 ownTrace;
        bytes32 salt;
        bytes32 seal;
        bytes32 traceDigest;
    }

    function setUp() public {
        _open("cases");
    }

    /// @dev Only calldata has findings.
    function findingOf(Receipt calldata receipt) external pure returns (bytes32) {
        return CaseWords.findingOf(receipt);
    }

    function test_idsAndWindows() public view {
        IdCase[] memory cases = abi.decode(_section("ids"), (IdCase[]));
        for (uint256 i; i < cases.length; ++i) {
            IdCase memory it = cases[i];
            FactsWord facts = FactsWord.wrap(it.facts);
            Case memory record =
                Case(it.dealId, facts, StakesWord.wrap(it.stakes), it.opener, it.worker, it.seal, it.before);
            vm.assertEq(CaseWords.id(record), it.id, "id");
            vm.assertEq(facts.commitEnd(), it.commitEnd, "commit end");
            vm.assertEq(facts.revealEnd(), it.revealEnd, "reveal end");
            vm.assertEq(facts.appealEnd(), it.appealEnd, "appeal end");
        }
    }

    function test_findingsSealsAndCommitments() public view {
        FindingCase[] memory cases = abi.decode(_section("findings"), (FindingCase[]));
        for (uint256 i; i < cases.length; ++i) {
            FindingCase memory it = cases[i];
            Receipt memory receipt =
                Receipt(uint32(it.index), uint8(it.exit), uint64(it.fuel), 0, it.outputDigest, it.traceDigest);
            vm.assertEq(this.findingOf(receipt), it.finding, "finding");
            vm.assertEq(CaseWords.sealOf(it.maker, it.dealId, it.batch, it.index, it.finding, it.salt), it.seal, "seal");
            vm.assertEq(
                CaseWords.commitmentOf(it.maker, it.caseId, it.finding, it.ownTrace), it.commitment, "commitment"
            );
        }
    }
}
