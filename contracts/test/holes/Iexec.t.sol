// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {Claim, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {TrickCallback} from "../support/Doubles.sol";
import {Plays} from "../support/Plays.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title Weaknesses that were measured on iExec PoCo v6.2.0, by name
contract IexecWeaknessesTest is Plays {
    LogItem[] private _none;

    function setUp() public {
        _buildCity(5);
    }

    /// @dev There the scheduler chose the link of an agreed digest. Here a result's bytes are named by the digest under the
    /// certified root, and nothing else is a result.
    function test_iexec_resultLocationNotBoundToTheCertificate() public {
        TrickCallback callback = new TrickCallback();
        Offer memory offer = _offer();
        offer.request.callback = address(callback);
        offer.request.callbackGas = 200_000;
        Terms memory terms = _open(offer);
        Receipt[] memory receipts = Receipts.make(1, 1000);
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(Receipts.rootOf(receipts), 1000);
        Certified memory done = _certify(_draftOf(terms, 0, claims, _all(0, 3, 0)));
        vm.warp(done.certificate.finalAt);
        bytes memory fake = "/ipfs/QmFAKE";
        // The digest of what is delivered is part of the leaf: other bytes are another leaf.
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, 0));
        certifier.deliver(_parcel(terms, done, receipts[0]), new bytes32[](0), fake);
        certifier.deliver(_parcel(terms, done, receipts[0]), new bytes32[](0), Receipts.outputOf(0));
        vm.assertEq(callback.deliveries(), 1);
    }

    /// @dev There 43,218 tries opened the first commitment to a price. Here a commitment binds the root over traces and the
    /// worker's own trace: knowing every possible answer opens nothing, and an opened one is nobody else's.
    function test_iexec_lowEntropyCommitmentBruteForcedByALazyWorker() public {
        Terms memory terms = _open(_offer());
        bytes32 roundId = _roundId(terms, 0);
        // The answer is yes or no; worker 0 says yes.
        Receipt[] memory receipts = Receipts.make(1, 1000);
        receipts[0].outputDigest = keccak256("yes");
        receipts[0].traceDigest = keccak256("what only an execution knows");
        Claim memory right = Claim(Receipts.rootOf(receipts), 1000);
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 0, right);
        // The lazy one knows both answers, the fuel, and has no trace.
        string[2] memory answers = ["yes", "no"];
        for (uint256 i; i < 2; ++i) {
            receipts[0].outputDigest = keccak256(bytes(answers[i]));
            receipts[0].traceDigest = 0;
            Claim memory guess = Claim(Receipts.rootOf(receipts), 1000);
            vm.assertNotEq(_commitment(0, roundId, guess), log[0].a);
            vm.assertNotEq(guess.root, right.root);
        }
        // Even with the root, worker 1 cannot promise what worker 0 promised.
        vm.assertNotEq(_commitment(1, roundId, right), log[0].a);
    }

    /// @dev There two own keys in an own pool earned a score for nothing. Here agreeing earns no reputation at any price.
    function test_iexec_reputationFarmedAtZeroPrice() public {
        for (uint256 i; i < 5; ++i) {
            Offer memory offer = _offer();
            offer.app.price = 0;
            offer.pool.feePerMfuel = 0;
            Terms memory terms = _open(offer);
            Certified memory done = _certifyBy(terms, 0, 3);
            vm.warp(done.certificate.finalAt);
            _release(terms, done);
        }
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(i).reputation(), 0);
        }
    }

    /// @dev There the claim of a failed task gave every stake back. Here who promised on chain and stayed silent is slashed
    /// at expiry, and who contradicts is paid nothing and stays at risk for the Court.
    function test_iexec_liarsGetTheirStakeBackWhenATaskExpires() public {
        Terms memory terms = _open(_offer());
        LogItem[] memory log;
        for (uint256 i; i < 4; ++i) {
            log = _commitOnChain(terms, 0, log, i, _claims()[i == 2 ? 1 : 0]);
        }
        for (uint256 i; i < 3; ++i) {
            log = _revealOnChain(terms, 0, log, i, i, _claims()[i == 2 ? 1 : 0]);
        }
        uint256 silent = _word(3).bond();
        bytes32 roundId = _roundId(terms, 0);
        vm.warp(terms.deadline + 601);
        certifier.expire(terms, 0, roundId, log);
        // Twice the fee of an execution at the limit.
        vm.assertEq(silent - _word(3).bond(), 200);
        vm.assertEq(_burnt(), 40 * UNIT);
        vm.assertEq(_fees(2), 0);
        vm.assertEq(_exposure(2), 200);
    }

    /// @dev There a sponsored task was taken from the requester's frozen funds, and the sponsor's stayed frozen.
    function test_iexec_sponsorChargedOrFreedWrongly() public {
        uint256 mine = _balance(requester);
        uint256 theirs = _balance(sponsor);
        Offer memory offer = _offerOf(3, 1);
        offer.request.payer = sponsor;
        Terms memory terms = _open(offer);
        vm.assertEq(_balance(sponsor), theirs - 3 * _lockOf(terms, 1));
        Certified memory done = _certify(_draft(terms, 0, _both(_all(0, 4, 0), _all(4, 1, 1))));
        _postVoid(_draft(terms, 1, _all(0, 3, UNAVAILABLE)));
        vm.warp(terms.deadline + 601);
        certifier.expire(terms, 2, 0, _none);
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        uint256 cost = 4 * gross + APP_PRICE;
        vm.assertEq(_balance(sponsor), theirs - cost);
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        // The extra execution comes back to the sponsor too, out of the slash.
        vm.assertEq(_balance(sponsor), theirs - cost + gross);
        vm.assertEq(_balance(requester), mine);
    }

    /// @dev There anybody could match a sponsor's orders at the requester's cost, or name a sponsor that never agreed.
    function test_iexec_sponsorThatDidNotSign() public {
        Offer memory offer = _offer();
        offer.request.payer = sponsor;
        offer = _sign(offer);
        offer.signatures.payer = "";
        bytes32 dealId = market.hashRequest(offer.request);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadSignature.selector, dealId, sponsor));
        _match(offer);
        // The requester's own signature is not the sponsor's.
        offer.signatures.payer = offer.signatures.request;
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadSignature.selector, dealId, sponsor));
        _match(offer);
        vm.assertEq(_balance(sponsor), RICHES);
        vm.assertEq(_balance(requester), RICHES);
    }

    /// @dev There trust 32 cost the scheduler five keys. Here all of them are one operator, so one seat.
    function test_iexec_oneOperatorRunningAllTheWorkersOfATask() public {
        vm.prank(poolOwner);
        uint32 own = workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, "one man's");
        for (uint256 i = 50; i < 55; ++i) {
            _joinPool(50, i, own, 1, BOND);
        }
        _mine(1, 12);
        Offer memory offer = _offer();
        offer.request.pool = own;
        offer.pool.pool = own;
        Terms memory terms = _open(offer);
        Draft memory draft = _draft(terms, 0, _all(50, 5, 0));
        vm.expectPartialRevert(ICertifier.SameOperator.selector);
        _post(draft);
        draft = _draft(terms, 0, _all(50, 1, 0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooFewOperators.selector, 1, 3));
        _post(draft);
    }
}
