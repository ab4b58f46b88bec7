// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {Draws} from "../../src/libraries/Draws.sol";
import {CertifiedBatch, Claim, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {TrickCallback} from "../support/Doubles.sol";
import {Inquests} from "../support/Inquests.sol";
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
        CertifiedBatch memory done = _certify(_draftOf(terms, 0, claims, _all(0, 3, 0)));
        vm.warp(done.certificate.finalAt);
        bytes memory fake = "/ipfs/QmFAKE";
        // The digest of what is delivered is part of the leaf: other bytes are another leaf.
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, 0));
        certifier.deliver(_parcel(terms, done, receipts[0]), new bytes32[](0), fake);
        certifier.deliver(_parcel(terms, done, receipts[0]), new bytes32[](0), Receipts.outputOf(0));
        vm.assertEq(callback.deliveries(), 1);
    }

    uint256 private constant PRICES = 1_000;
    uint256 private constant NONE = type(uint256).max;

    /// @dev The claim of a task whose output is one of {PRICES} prices, over a trace.
    function _priced(uint256 price, bytes32 trace) private pure returns (Claim memory) {
        Receipt[] memory receipts = Receipts.make(1, FUEL);
        receipts[0].outputDigest = keccak256(abi.encode(price));
        receipts[0].traceDigest = trace;
        return Claim(Receipts.rootOf(receipts), FUEL);
    }

    /// @dev Tries every price: the one whose opening makes the commitment, or {NONE}.
    function _bruteForce(bytes32 commitment, address worker, bytes32 roundId, bytes32 trace, bytes32 ownTrace)
        private
        pure
        returns (uint256)
    {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        for (uint256 price; price < PRICES; ++price) {
            // What a guess took is free again: a thousand of them would cost more gas than a test has.
            assembly ("memory-safe") {
                mstore(0x40, free)
            }
            Claim memory guess = _priced(price, trace);
            if (Draws.commitmentOf(worker, roundId, guess.root, guess.fuel, ownTrace) == commitment) return price;
        }
        return NONE;
    }

    /// @dev There 43,218 tries opened the first commitment to a price. Here the same search finds nothing without the trace of an
    /// execution and the worker's own trace in this round; who has both has executed. The hash is the contracts' own, and
    /// what the chain says to an opening is asked at the end.
    function test_iexec_lowEntropyCommitmentBruteForcedByALazyWorker() public {
        Terms memory terms = _open(_offer());
        bytes32 roundId = _roundId(terms, 0);
        bytes32 trace = keccak256("what only an execution knows");
        bytes32 own = _ownTrace(0, roundId);
        Claim memory right = _priced(421, trace);
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 0, right);
        bytes32 commitment = log[0].a;
        // The search is good: with both traces it finds the price.
        vm.assertEq(_bruteForce(commitment, _worker(0), roundId, trace, own), 421);
        // Without the trace, without the own trace, with another worker's, with its own of another round.
        vm.assertEq(_bruteForce(commitment, _worker(0), roundId, 0, own), NONE);
        vm.assertEq(_bruteForce(commitment, _worker(0), roundId, trace, 0), NONE);
        vm.assertEq(_bruteForce(commitment, _worker(0), roundId, trace, _ownTrace(1, roundId)), NONE);
        vm.assertEq(_bruteForce(commitment, _worker(0), roundId, trace, _ownTrace(0, "another round")), NONE);
        // Bound to the worker and the round: with everything known, it opens under no other.
        vm.assertEq(_bruteForce(commitment, _worker(1), roundId, trace, own), NONE);
        vm.assertEq(_bruteForce(commitment, _worker(0), "another round", trace, own), NONE);
        // The chain takes the true opening only.
        _expect(ICertifier.WrongOpening.selector, _worker(0));
        certifier.reveal(terms.dealId, 0, roundId, log, 0, _priced(421, 0).root, FUEL, own);
        _expect(ICertifier.WrongOpening.selector, _worker(0));
        certifier.reveal(terms.dealId, 0, roundId, log, 0, right.root, FUEL, 0);
        certifier.reveal(terms.dealId, 0, roundId, log, 0, right.root, FUEL, own);
    }

    /// @dev There two own keys in an own pool earned a score for nothing. Here agreeing earns no reputation at any price.
    function test_iexec_reputationFarmedAtZeroPrice() public {
        for (uint256 i; i < 5; ++i) {
            Offer memory offer = _offer();
            offer.app.price = 0;
            offer.pool.feePerMfuel = 0;
            Terms memory terms = _open(offer);
            CertifiedBatch memory done = _certifyBy(terms, 0, 3);
            vm.warp(done.certificate.finalAt);
            _release(terms, done);
        }
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(i).reputation(), 0);
        }
    }

    /// @dev There a sponsored task was taken from the requester's frozen funds, and the sponsor's stayed frozen.
    function test_iexec_sponsorChargedOrFreedWrongly() public {
        uint256 mine = _balance(requester);
        uint256 theirs = _balance(sponsor);
        Offer memory offer = _offerOf(3, 1);
        offer.request.payer = sponsor;
        Terms memory terms = _open(offer);
        vm.assertEq(_balance(sponsor), theirs - 3 * _lockOf(terms, 1));
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_all(0, 4, 0), _all(4, 1, 1))));
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

/// @title The weakness among them that takes a jury to close
contract IexecExpiryTest is Inquests {
    /// @dev What the payer gets of the slash of who never revealed.
    uint256 private constant OF_SILENT = RESERVED * UNIT * 4 / 5;

    function setUp() public {
        _buildTrials();
    }

    /// @dev There the claim of a failed task gave every stake back. Here who promised on chain and stayed silent is slashed at
    /// expiry, and who contradicts is brought before a jury by anybody with a bond. That the liars are the more, and leave as soon as they
    /// have lied, helps them nothing: their stake cannot go before the verdict, and pays the jury and who was right.
    function test_iexec_liarsLoseTheirStakeWhenATaskExpires() public {
        (Inquiry memory inquiry, uint256[] memory who) = _standing(_found(1, _honest(), 2, _lying(0), 1, _noReceipts()));
        for (uint256 i = 1; i < 3; ++i) {
            vm.prank(_operator(who[i]));
            workforce.leavePool(_worker(who[i]));
        }
        _hold(inquiry, who);
        _expire(inquiry, who);
        _bringBeforeAJury(inquiry, who);
        uint256 payer = _balance(requester);
        (bool found, bytes32 finding) = _conclude(inquiry);
        vm.assertTrue(found);
        vm.assertEq(finding, _findingOf(_honest()[0]));
        _checkMoney(inquiry, who, payer);
        _checkLeaving(who);
        // What is settled is no contradiction any more: nobody is slashed for it twice.
        vm.expectRevert(IInquest.NoContradiction.selector);
        _openExpired(inquiry, 0);
    }

    /// @dev Nobody lets the batch expire for eight days, which is longer than the liars' unbonding takes: anybody holds their stake.
    function _hold(Inquiry memory inquiry, uint256[] memory who) private {
        for (uint256 i = 1; i < 3; ++i) {
            vm.warp(inquiry.terms.opened.time() + i * 4 days);
            vm.prank(stranger);
            inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        }
        _checkStaying(who);
    }

    /// @dev Who stayed silent pays at once. Between those that revealed nobody has said yet who is right: none is paid, none loses.
    function _expire(Inquiry memory inquiry, uint256[] memory who) private {
        uint256 payer = _balance(requester);
        Claim memory lie = _claimOf(_lying(0));
        for (uint256 i = 1; i < 3; ++i) {
            vm.expectEmit(address(certifier));
            emit ICertifier.Contradicted(inquiry.terms.dealId, 0, _worker(who[i]), lie.root, lie.fuel);
        }
        vm.prank(stranger);
        certifier.expire(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        vm.assertEq(_word(who[3]).bond(), BOND / UNIT - RESERVED);
        vm.assertEq(_balance(requester) - payer, _lockOf(inquiry.terms, TASKS) + OF_SILENT);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_fees(who[i]), 0);
            vm.assertEq(_word(who[i]).bond(), BOND / UNIT);
        }
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
        _checkStaying(who);
    }

    /// @dev A stranger to the deal puts up the bond; four jurors execute, and both sides show what they claimed.
    function _bringBeforeAJury(Inquiry memory inquiry, uint256[] memory who) private {
        uint256[3] memory atRisk;
        for (uint256 i; i < 3; ++i) {
            atRisk[i] = _exposure(who[i]);
        }
        _openWithJury(inquiry, 0, 4);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_exposure(who[i]), atRisk[i] + RESERVED);
        }
        _findAll(inquiry, _same(_findingOf(_honest()[0]), 4));
        _showClaim(inquiry, _honest());
        _showClaim(inquiry, _lying(0));
        _checkStaying(who);
    }

    /// @dev Both liars lost what they had reserved: a fifth is burnt, the jury and the right one have their fees, the payer the rest.
    function _checkMoney(Inquiry memory inquiry, uint256[] memory who, uint256 payer) private view {
        uint256 net = GROSS - GROSS * 1000 / 10_000 - GROSS * 500 / 10_000;
        vm.assertEq(_fees(who[0]), net);
        vm.assertEq(_word(who[0]).bond(), BOND / UNIT);
        for (uint256 i = 1; i < 3; ++i) {
            vm.assertEq(_word(who[i]).bond(), BOND / UNIT - RESERVED);
            vm.assertEq(_fees(who[i]), 0);
        }
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(_fees(inquiry.seated[i]), JUROR_FEE);
        }
        vm.assertEq(_balance(disputer), 100e18);
        vm.assertEq(_burnt(), 3 * RESERVED * UNIT / 5);
        vm.assertEq(_balance(requester) - payer, 2 * RESERVED * UNIT * 4 / 5 - 4 * JUROR_FEE - net);
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    /// @dev The liars' unbonding is over, and their stake does not go.
    function _checkStaying(uint256[] memory who) private {
        for (uint256 i = 1; i < 3; ++i) {
            address liar = _worker(who[i]);
            vm.assertGe(block.timestamp, workforce.readyAt(liar));
            bytes memory refusal =
                abi.encodeWithSelector(IWorkforce.ExposureExceeded.selector, liar, _exposure(who[i]), 0);
            vm.prank(_operator(who[i]));
            vm.expectRevert(refusal);
            workforce.withdrawBond(liar, BOND);
        }
    }

    /// @dev When nothing is at risk any more the liars leave with what they did not lose, and not with a unit more.
    function _checkLeaving(uint256[] memory who) private {
        vm.warp(block.timestamp + 10 days);
        for (uint256 i = 1; i < 3; ++i) {
            address liar = _worker(who[i]);
            uint256 left = BOND - RESERVED * UNIT;
            vm.startPrank(_operator(who[i]));
            vm.expectRevert(abi.encodeWithSelector(IWorkforce.BondTooSmall.selector, left, left + UNIT));
            workforce.withdrawBond(liar, left + UNIT);
            workforce.withdrawBond(liar, left);
            vm.stopPrank();
        }
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }
}
