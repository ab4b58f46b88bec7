// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Certificates} from "../../src/libraries/Certificates.sol";
import {Confidence} from "../../src/libraries/Confidence.sol";
import {Draws} from "../../src/libraries/Draws.sol";
import {Lot} from "../../src/libraries/Lot.sol";
import {MemberWords} from "../../src/libraries/MemberWords.sol";
import {Messages} from "../../src/libraries/Messages.sol";
import {ParametersWords} from "../../src/libraries/ParametersWords.sol";
import {Parcels} from "../../src/libraries/Parcels.sol";
import {ReceiptTree} from "../../src/libraries/ReceiptTree.sol";
import {SignatureChecks} from "../../src/libraries/SignatureChecks.sol";
import {Certificate, Claim, Parcel} from "../../src/types/Certificates.sol";
import {Parameters} from "../../src/types/Parameters.sol";
import {CaseTermsWord} from "../../src/types/Terms.sol";
import {MemberWord} from "../../src/types/Workers.sol";
import {Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title The lot: `docs/encoding.md` section 3
contract LotVectors is Vectors {
    struct RoundCase {
        uint256 attempt;
        uint256 batch;
        bytes32 dealId;
        bytes32 roundId;
        bytes32 seed;
    }

    struct TicketCase {
        bytes32 roundId;
        bytes32 seed;
        uint256 ticket;
        address worker;
    }

    struct NeededCase {
        uint256 attempt;
        uint256 confidence;
        uint256 faultyShareBps;
        uint256 replicasMax;
        uint256 replicasMin;
        uint256 seatsNeeded;
        uint256 want;
    }

    struct SeatCase {
        uint256 bond;
        uint256 poolBond;
        uint256 seat;
        uint256 ticket;
        uint256 want;
        uint256 wave;
    }

    struct PatienceCase {
        uint256 batchSize;
        uint256 fuelLimit;
        uint256 fuelPerSec;
        uint256 patienceBaseSecs;
        uint256 patienceSecs;
    }

    function setUp() public {
        _open("lot");
    }

    function test_rounds() public view {
        RoundCase[] memory cases = abi.decode(_section("rounds"), (RoundCase[]));
        for (uint256 i; i < cases.length; ++i) {
            RoundCase memory c = cases[i];
            vm.assertEq(Lot.roundId(c.dealId, c.batch, c.attempt, c.seed), c.roundId);
        }
    }

    function test_tickets() public view {
        TicketCase[] memory cases = abi.decode(_section("tickets"), (TicketCase[]));
        for (uint256 i; i < cases.length; ++i) {
            vm.assertEq(Lot.ticket(cases[i].seed, cases[i].roundId, cases[i].worker), cases[i].ticket);
        }
    }

    function test_needed() public view {
        NeededCase[] memory cases = abi.decode(_section("needed"), (NeededCase[]));
        for (uint256 i; i < cases.length; ++i) {
            NeededCase memory c = cases[i];
            (uint256 seats,) = Confidence.seatsFor(
                Confidence.target(c.confidence, c.attempt),
                Confidence.freshWeight(c.faultyShareBps),
                c.replicasMin,
                c.replicasMax
            );
            vm.assertEq(seats, c.seatsNeeded);
            vm.assertEq(Lot.want(seats, c.faultyShareBps), c.want);
        }
    }

    function test_seats() public view {
        SeatCase[] memory cases = abi.decode(_section("seats"), (SeatCase[]));
        for (uint256 i; i < cases.length; ++i) {
            SeatCase memory c = cases[i];
            vm.assertEq(Lot.wins(c.ticket, c.want, c.bond, c.poolBond, c.wave), c.seat != 0);
        }
    }

    function test_patience() public view {
        PatienceCase[] memory cases = abi.decode(_section("patience"), (PatienceCase[]));
        for (uint256 i; i < cases.length; ++i) {
            PatienceCase memory c = cases[i];
            Parameters memory p = Parameters({
                patienceBaseSecs: uint32(c.patienceBaseSecs),
                fuelPerSec: uint64(c.fuelPerSec),
                reputationStep: 1,
                protocolFeeBps: 0,
                expireGraceSecs: 1,
                posterGraceSecs: 1,
                disputeWindowMinSecs: 1
            });
            vm.assertEq(ParametersWords.pack(p, 1).patienceSecs(c.fuelLimit * c.batchSize), c.patienceSecs);
        }
    }
}

/// @title Hands calldata to the libraries of trees and parcels
contract TreeHarness {
    function leafOf(Parcel calldata parcel, bytes32 outputDigest) external pure returns (bytes32) {
        return Parcels.leafOf(parcel, outputDigest);
    }

    function certificateHash(Parcel calldata parcel) external pure returns (bytes32) {
        return Parcels.certificateHash(parcel);
    }

    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 tasks, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return ReceiptTree.verify(root, leaf, index, tasks, proof);
    }
}

/// @title Receipts: `docs/encoding.md` section 4
contract ReceiptVectors is Vectors {
    struct LeafCase {
        uint256 cumulativeFuel;
        uint256 exit;
        uint256 fuel;
        uint256 index;
        bytes32 leaf;
        bytes32 outputDigest;
        bytes32 traceDigest;
    }

    struct ProofCase {
        uint256 cumulativeFuel;
        uint256 exit;
        uint256 fuel;
        uint256 index;
        bytes32 outputDigest;
        bytes32[] proof;
        bytes32 root;
        uint256 tasks;
        bytes32 traceDigest;
        uint256 valid;
    }

    struct OwnTraceCase {
        bytes32[] leaves;
        bytes32 root;
    }

    TreeHarness private _harness;

    function setUp() public {
        _open("receipts");
        _harness = new TreeHarness();
    }

    function test_leaves() public view {
        LeafCase[] memory cases = abi.decode(_section("leaves"), (LeafCase[]));
        for (uint256 i; i < cases.length; ++i) {
            LeafCase memory c = cases[i];
            Parcel memory parcel = _parcel(c.index, c.exit, c.fuel, c.cumulativeFuel, c.traceDigest);
            vm.assertEq(_harness.leafOf(parcel, c.outputDigest), c.leaf);
        }
    }

    function test_proofs() public view {
        ProofCase[] memory cases = abi.decode(_section("proofs"), (ProofCase[]));
        for (uint256 i; i < cases.length; ++i) {
            ProofCase memory c = cases[i];
            Parcel memory parcel = _parcel(c.index, c.exit, c.fuel, c.cumulativeFuel, c.traceDigest);
            bytes32 leaf = _harness.leafOf(parcel, c.outputDigest);
            vm.assertEq(_harness.verify(c.root, leaf, c.index, c.tasks, c.proof), c.valid != 0);
        }
    }

    /// @dev Own traces are the leaves of a tree of the same kind: each is under the root at its place, and at no other.
    function test_ownTraceRoots() public view {
        OwnTraceCase[] memory cases = abi.decode(_section("ownTraceRoots"), (OwnTraceCase[]));
        for (uint256 i; i < cases.length; ++i) {
            OwnTraceCase memory c = cases[i];
            uint256 tasks = c.leaves.length;
            for (uint256 j; j < tasks; ++j) {
                bytes32[] memory proof = Receipts.proofIn(c.leaves, j);
                vm.assertTrue(_harness.verify(c.root, c.leaves[j], j, tasks, proof));
                vm.assertFalse(_harness.verify(c.root, c.leaves[j], j ^ 1, tasks, proof));
            }
        }
    }

    /// @dev A parcel of a receipt alone.
    function _parcel(uint256 index, uint256 exit, uint256 fuel, uint256 cumulativeFuel, bytes32 traceDigest)
        private
        pure
        returns (Parcel memory parcel)
    {
        parcel.run = index | exit << 32 | fuel << 40 | cumulativeFuel << 104;
        parcel.traceDigest = traceDigest;
    }
}

/// @title Commitments, messages, members, certificates: `docs/encoding.md` sections 1, 4 and 7
contract ContributionVectors is Vectors {
    struct Message {
        uint256 chainId;
        address verifyingContract;
        bytes32 digest;
        bytes encoded;
        bytes32 structHash;
    }

    struct CommitmentCase {
        bytes32 commitment;
        uint256 fuel;
        bytes32 ownTraceRoot;
        bytes32 root;
        bytes32 roundId;
        address worker;
    }

    struct MemberCase {
        uint256 claim;
        uint256 exposure;
        uint256 slash;
        uint256 wave;
        uint256 word;
        address worker;
    }

    struct MembersCase {
        uint256 caseTerms;
        bytes32 hash;
        uint256[] members;
        uint256[] rivalFuels;
        bytes32[] rivalRoots;
        bytes32 roster;
        uint256 trail;
    }

    struct CertificateCase {
        bytes encoded;
        bytes32 hash;
        bytes32 slotHash;
    }

    struct ParcelCase {
        bytes32 certificateHash;
        bytes encoded;
        bytes32 leaf;
        bytes32 outputDigest;
    }

    struct SignatureCase {
        bytes32 digest;
        bytes32 r;
        address signer;
        bytes32 vs;
    }

    function setUp() public {
        _open("contributions");
    }

    function test_commitments() public view {
        CommitmentCase[] memory cases = abi.decode(_section("commitments"), (CommitmentCase[]));
        for (uint256 i; i < cases.length; ++i) {
            CommitmentCase memory c = cases[i];
            vm.assertEq(Draws.commitmentOf(c.worker, c.roundId, c.root, c.fuel, c.ownTraceRoot), c.commitment);
        }
    }

    function test_commitmentMessages() public view {
        Message[] memory cases = abi.decode(_section("commitmentMessages"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            bytes memory e = cases[i].encoded;
            _check(cases[i], Messages.commitment(_wordAt(e, 0), uint256(_wordAt(e, 1)), _wordAt(e, 2)));
        }
    }

    function test_contributionMessages() public view {
        Message[] memory cases = abi.decode(_section("contributionMessages"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            bytes memory e = cases[i].encoded;
            bytes32 hash = Messages.contribution(
                _wordAt(e, 0), uint256(_wordAt(e, 1)), _wordAt(e, 2), uint256(_wordAt(e, 3)), _wordAt(e, 4)
            );
            _check(cases[i], hash);
        }
    }

    function test_unavailableMessages() public view {
        Message[] memory cases = abi.decode(_section("unavailableMessages"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            bytes memory e = cases[i].encoded;
            _check(cases[i], Messages.unavailable(_wordAt(e, 0), uint256(_wordAt(e, 1))));
        }
    }

    function test_listMessages() public view {
        Message[] memory cases = abi.decode(_section("listMessages"), (Message[]));
        for (uint256 i; i < cases.length; ++i) {
            bytes memory e = cases[i].encoded;
            _check(cases[i], Messages.roundList(_wordAt(e, 0), uint256(_wordAt(e, 1)), _wordAt(e, 2)));
        }
    }

    function test_members() public view {
        MemberCase[] memory cases = abi.decode(_section("members"), (MemberCase[]));
        for (uint256 i; i < cases.length; ++i) {
            MemberCase memory c = cases[i];
            MemberWord word = MemberWords.pack(c.worker, c.claim, c.wave, c.slash, c.exposure);
            vm.assertEq(MemberWord.unwrap(word), c.word);
            vm.assertEq(word.worker(), c.worker);
            vm.assertEq(word.claim(), c.claim);
            vm.assertEq(word.wave(), c.wave);
            vm.assertEq(word.slash(), c.slash);
            vm.assertEq(word.exposure(), c.exposure);
        }
    }

    function test_membersHashes() public view {
        MembersCase[] memory cases = abi.decode(_section("membersHashes"), (MembersCase[]));
        for (uint256 i; i < cases.length; ++i) {
            MembersCase memory c = cases[i];
            MemberWord[] memory members = new MemberWord[](c.members.length);
            for (uint256 j; j < members.length; ++j) {
                members[j] = MemberWord.wrap(c.members[j]);
            }
            Claim[] memory rivals = new Claim[](c.rivalRoots.length);
            for (uint256 j; j < rivals.length; ++j) {
                rivals[j] = Claim(c.rivalRoots[j], uint64(c.rivalFuels[j]));
            }
            vm.assertEq(Certificates.rosterOf(members, rivals, c.trail), c.roster);
            vm.assertEq(Certificates.membersHash(c.roster, CaseTermsWord.wrap(c.caseTerms)), c.hash);
        }
    }

    function test_certificates() public view {
        CertificateCase[] memory cases = abi.decode(_section("certificates"), (CertificateCase[]));
        for (uint256 i; i < cases.length; ++i) {
            Certificate memory certificate = abi.decode(cases[i].encoded, (Certificate));
            vm.assertEq(Certificates.hashOf(certificate), cases[i].hash);
            vm.assertEq(bytes32(Certificates.slotOf(certificate, 0)), cases[i].slotHash);
        }
    }

    function test_parcels() public {
        TreeHarness harness = new TreeHarness();
        ParcelCase[] memory cases = abi.decode(_section("parcels"), (ParcelCase[]));
        for (uint256 i; i < cases.length; ++i) {
            Parcel memory parcel = abi.decode(cases[i].encoded, (Parcel));
            vm.assertEq(harness.certificateHash(parcel), cases[i].certificateHash);
            vm.assertEq(harness.leafOf(parcel, cases[i].outputDigest), cases[i].leaf);
        }
    }

    function test_signatures() public view {
        SignatureCase[] memory cases = abi.decode(_section("signatures"), (SignatureCase[]));
        for (uint256 i; i < cases.length; ++i) {
            SignatureCase memory c = cases[i];
            vm.assertTrue(SignatureChecks.isSigned(c.signer, c.digest, c.r, c.vs));
            vm.assertFalse(SignatureChecks.isSigned(c.signer, keccak256(abi.encode(c.digest)), c.r, c.vs));
        }
    }

    /// @dev Struct hash and digest in the Certifier's domain.
    function _check(Message memory message, bytes32 structHash) private pure {
        vm.assertEq(structHash, message.structHash);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Guildhall Certifier"),
                keccak256("1"),
                message.chainId,
                message.verifyingContract
            )
        );
        vm.assertEq(SignatureChecks.digestOf(domain, structHash), message.digest);
    }
}
