// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {OpenedWords} from "../../src/libraries/OpenedWords.sol";
import {OrderHashes} from "../../src/libraries/OrderHashes.sol";
import {ParametersWords} from "../../src/libraries/ParametersWords.sol";
import {PolicyWords} from "../../src/libraries/PolicyWords.sol";
import {SignatureChecks} from "../../src/libraries/SignatureChecks.sol";
import {TermsHash} from "../../src/libraries/TermsHash.sol";
import {AppOrder, DatasetOrder, Policy, PoolOrder, RequestOrder} from "../../src/types/Orders.sol";
import {Parameters, ParametersWord} from "../../src/types/Parameters.sol";
import {CaseTermsWord, OpenedWord, PolicyWord, Terms} from "../../src/types/Terms.sol";
import {vm} from "../support/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title Hands calldata to the libraries
contract OrderHarness {
    function hashApp(AppOrder calldata order) external pure returns (bytes32) {
        return OrderHashes.hash(order);
    }

    function hashDataset(DatasetOrder calldata order) external pure returns (bytes32) {
        return OrderHashes.hash(order);
    }

    function hashPool(PoolOrder calldata order) external pure returns (bytes32) {
        return OrderHashes.hash(order);
    }

    function hashRequest(RequestOrder calldata order) external pure returns (bytes32) {
        return OrderHashes.hash(order);
    }

    function deliveryHash(Terms calldata terms) external pure returns (bytes32) {
        return TermsHash.deliveryHash(terms);
    }

    function caseTerms(Terms calldata terms, uint256 batch) external pure returns (CaseTermsWord) {
        return TermsHash.caseTermsOf(terms, TermsHash.tasksOf(terms, batch));
    }

    function hashTerms(Terms calldata terms) external pure returns (bytes32 fromCalldata, bytes32 fromMemory) {
        return (TermsHash.hash(terms), TermsHash.hashMemory(terms));
    }

    function pack(Policy calldata policy) external pure returns (uint256) {
        return PolicyWord.unwrap(PolicyWords.pack(policy));
    }
}

/// @title Orders, policies, terms, words: `docs/encoding.md` sections 1 and 2
contract OrderVectors is Vectors {
    struct Message {
        uint256 chainId;
        address verifyingContract;
        bytes32 digest;
        bytes encoded;
        bytes32 structHash;
    }

    struct PolicyCase {
        bytes encoded;
        uint256 word;
    }

    struct CaseTermsCase {
        uint256 batch;
        bytes encoded;
        uint256 word;
    }

    struct TermsCase {
        bytes32 deliveryHash;
        bytes encoded;
        bytes32 hash;
    }

    struct OpenedCase {
        uint256 blockNumber;
        uint256 parameters;
        uint256 patience;
        uint256 poolBond;
        uint256 poolShareBps;
        uint256 protocolFeeBps;
        uint256 reputationStep;
        uint256 runtime;
        uint256 time;
        uint256 word;
    }

    struct ParametersCase {
        uint256 disputeWindowMinSecs;
        uint256 expireGraceSecs;
        uint256 fuelPerSec;
        uint256 patienceBaseSecs;
        uint256 posterGraceSecs;
        uint256 protocolFeeBps;
        uint256 reputationStep;
        uint256 version;
        uint256 word;
    }

    OrderHarness private _harness;

    function setUp() public {
        _open("orders");
        _harness = new OrderHarness();
    }

    function test_appOrders() public view {
        Message[] memory cases = abi.decode(_section("appOrders"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            bytes32 structHash = _harness.hashApp(abi.decode(cases[i].encoded, (AppOrder)));
            _check(cases[i], structHash);
        }
    }

    function test_datasetOrders() public view {
        Message[] memory cases = abi.decode(_section("datasetOrders"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            _check(cases[i], _harness.hashDataset(abi.decode(cases[i].encoded, (DatasetOrder))));
        }
    }

    function test_poolOrders() public view {
        Message[] memory cases = abi.decode(_section("poolOrders"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            _check(cases[i], _harness.hashPool(abi.decode(cases[i].encoded, (PoolOrder))));
        }
    }

    function test_requestOrders() public view {
        Message[] memory cases = abi.decode(_section("requestOrders"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            _check(cases[i], _harness.hashRequest(abi.decode(cases[i].encoded, (RequestOrder))));
        }
    }

    function test_policies() public view {
        PolicyCase[] memory cases = abi.decode(_section("policies"), (PolicyCase[]));
        for (uint256 i; i < cases.length; ++i) {
            Policy memory policy = abi.decode(cases[i].encoded, (Policy));
            vm.assertEq(_harness.pack(policy), cases[i].word);
            PolicyWord word = PolicyWord.wrap(cases[i].word);
            vm.assertEq(word.confidence(), policy.confidence);
            vm.assertEq(word.faultyShareBps(), policy.faultyShareBps);
            vm.assertEq(word.replicasMin(), policy.replicasMin);
            vm.assertEq(word.replicasMax(), policy.replicasMax);
            vm.assertEq(word.collateralMin(), policy.collateralMin);
            vm.assertEq(word.countReputation(), policy.countReputation);
            vm.assertEq(word.evidence(), policy.evidence);
            vm.assertEq(word.disputeWindow(), policy.disputeWindow);
            vm.assertEq(word.finalOnly(), policy.finalOnly);
        }
    }

    function test_terms() public view {
        TermsCase[] memory cases = abi.decode(_section("terms"), (TermsCase[]));
        for (uint256 i; i < cases.length; ++i) {
            (bytes32 a, bytes32 b) = _harness.hashTerms(abi.decode(cases[i].encoded, (Terms)));
            vm.assertEq(a, cases[i].hash);
            vm.assertEq(b, cases[i].hash);
            bytes32 delivery = _harness.deliveryHash(abi.decode(cases[i].encoded, (Terms)));
            vm.assertEq(delivery, cases[i].deliveryHash);
        }
    }

    function test_caseTerms() public view {
        CaseTermsCase[] memory cases = abi.decode(_section("caseTerms"), (CaseTermsCase[]));
        for (uint256 i; i < cases.length; ++i) {
            CaseTermsCase memory c = cases[i];
            Terms memory terms = abi.decode(c.encoded, (Terms));
            CaseTermsWord word = _harness.caseTerms(terms, c.batch);
            vm.assertEq(CaseTermsWord.unwrap(word), c.word);
            vm.assertEq(word.tasks(), c.word >> 96 & type(uint32).max);
            vm.assertEq(word.runtime(), terms.opened.runtime());
            vm.assertEq(word.patience(), terms.opened.patience());
            vm.assertEq(word.pool(), terms.pool);
            vm.assertEq(word.fee(), (uint256(terms.fuelLimit) * terms.feePerMfuel + 999_999) / 1e6);
        }
    }

    function test_opened() public view {
        OpenedCase[] memory cases = abi.decode(_section("opened"), (OpenedCase[]));
        for (uint256 i; i < cases.length; ++i) {
            OpenedCase memory c = cases[i];
            OpenedWord word = OpenedWords.pack(
                    c.blockNumber, c.time, c.poolBond, c.parameters, c.runtime, c.poolShareBps
                ).withRates(c.protocolFeeBps, c.reputationStep, c.patience);
            vm.assertEq(OpenedWord.unwrap(word), c.word);
            vm.assertEq(word.blockNumber(), c.blockNumber);
            vm.assertEq(word.time(), c.time);
            vm.assertEq(word.poolBond(), c.poolBond);
            vm.assertEq(word.version(), c.parameters);
            vm.assertEq(word.runtime(), c.runtime);
            vm.assertEq(word.poolShareBps(), c.poolShareBps);
            vm.assertEq(word.protocolFeeBps(), c.protocolFeeBps);
            vm.assertEq(word.reputationStep(), c.reputationStep);
            vm.assertEq(word.patience(), c.patience);
        }
    }

    function test_parameters() public view {
        ParametersCase[] memory cases = abi.decode(_section("parameters"), (ParametersCase[]));
        for (uint256 i; i < cases.length; ++i) {
            ParametersCase memory c = cases[i];
            Parameters memory p = Parameters({
                patienceBaseSecs: uint32(c.patienceBaseSecs),
                fuelPerSec: uint64(c.fuelPerSec),
                reputationStep: uint16(c.reputationStep),
                protocolFeeBps: uint16(c.protocolFeeBps),
                expireGraceSecs: uint32(c.expireGraceSecs),
                posterGraceSecs: uint32(c.posterGraceSecs),
                disputeWindowMinSecs: uint32(c.disputeWindowMinSecs)
            });
            vm.assertEq(ParametersWord.unwrap(ParametersWords.pack(p, c.version)), c.word);
        }
    }

    /// @dev Struct hash and digest in the Market's domain.
    function _check(Message memory message, bytes32 structHash) private pure {
        vm.assertEq(structHash, message.structHash);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Guildhall Market"),
                keccak256("1"),
                message.chainId,
                message.verifyingContract
            )
        );
        vm.assertEq(SignatureChecks.digestOf(domain, structHash), message.digest);
    }
}
