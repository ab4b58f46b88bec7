// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {WorkerWords} from "../../src/libraries/WorkerWords.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";

/// @title Bad input: a clear error, and nothing lost
contract BadOrdersTest is Plays {
    Offer private _good;

    function setUp() public {
        _buildCity(5);
        _good = _sign(_offer());
    }

    function _refused(Offer memory offer, bytes memory reason) private {
        uint256 before = _balance(requester);
        vm.expectRevert(reason);
        _match(offer);
        vm.assertEq(_balance(requester), before);
    }

    function test_badInput_orderWithAWrongSignature() public {
        bytes memory wrong = _signBytes(0xbad, market.hashAppOrder(_good.app));
        Offer memory offer = _good;
        offer.signatures.app = wrong;
        bytes32 orderHash = market.hashAppOrder(offer.app);
        _refused(offer, abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, appOwner));
        offer = _good;
        offer.signatures.pool = wrong;
        orderHash = market.hashPoolOrder(offer.pool);
        _refused(offer, abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, poolOwner));
        offer = _good;
        offer.signatures.request = wrong;
        orderHash = market.hashRequest(offer.request);
        _refused(offer, abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, requester));
        offer = _sign(_withDataset(_offer()));
        offer.signatures.dataset = wrong;
        orderHash = market.hashDatasetOrder(offer.dataset);
        _refused(offer, abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, datasetOwner));
    }

    function test_badInput_orderChangedAfterItWasSigned() public {
        Offer memory offer = _good;
        offer.app.price = APP_PRICE - 1;
        bytes32 orderHash = market.hashAppOrder(offer.app);
        _refused(offer, abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, appOwner));
    }

    function test_badInput_orderExpired() public {
        Offer memory offer = _offer();
        offer.app.expiry = uint64(block.timestamp - 1);
        offer = _sign(offer);
        bytes32 orderHash = market.hashAppOrder(offer.app);
        _refused(offer, abi.encodeWithSelector(IMarket.OrderExpired.selector, orderHash, offer.app.expiry));
        offer = _offer();
        offer.pool.expiry = uint64(block.timestamp - 1);
        offer = _sign(offer);
        orderHash = market.hashPoolOrder(offer.pool);
        _refused(offer, abi.encodeWithSelector(IMarket.OrderExpired.selector, orderHash, offer.pool.expiry));
        offer = _offer();
        offer.request.expiry = uint64(block.timestamp - 1);
        offer = _sign(offer);
        vm.expectPartialRevert(IMarket.OrderExpired.selector);
        _match(offer);
        offer = _withDataset(_offer());
        offer.dataset.expiry = uint64(block.timestamp - 1);
        offer = _sign(offer);
        orderHash = market.hashDatasetOrder(offer.dataset);
        _refused(offer, abi.encodeWithSelector(IMarket.OrderExpired.selector, orderHash, offer.dataset.expiry));
    }

    function test_badInput_orderOverItsVolume() public {
        Offer memory offer = _offerOf(6, 3);
        offer.app.volume = 10;
        _open(offer);
        offer.request.salt = "another";
        offer = _sign(offer);
        bytes32 orderHash = market.hashAppOrder(offer.app);
        _refused(offer, abi.encodeWithSelector(IMarket.OverVolume.selector, orderHash, 6, 10, 6));
        vm.assertEq(market.filled(orderHash), 6);
    }

    function test_badInput_orderForAnotherChain() public {
        Offer memory offer = _good;
        vm.chainId(10);
        bytes32 orderHash = market.hashRequest(offer.request);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, requester));
        _match(offer);
    }
}

/// @title Bad input to a round
contract BadRoundsTest is Plays {
    Terms private _terms;

    function setUp() public {
        _buildCity(5);
        _terms = _open(_offer());
    }

    function _refused(Draft memory draft, bytes memory reason) private {
        vm.expectRevert(reason);
        _post(draft);
        vm.assertEq(_status(_terms, 0), OPEN);
    }

    function test_badInput_termsThatDoNotHashToTheDeal() public {
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        draft.terms.feePerMfuel += 1;
        _refused(draft, abi.encodeWithSelector(ICertifier.WrongTerms.selector, _terms.dealId));
        draft.terms = _terms;
        draft.terms.dealId = keccak256("another deal");
        _refused(draft, abi.encodeWithSelector(ICertifier.WrongTerms.selector, draft.terms.dealId));
    }

    function test_badInput_batchOutsideTheDeal() public {
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        draft.batch = 1;
        _refused(draft, abi.encodeWithSelector(ICertifier.NoSuchBatch.selector, 1, 1));
    }

    function test_badInput_contributionOfAnIneligibleWorker() public {
        // Another pool's worker: it is bonded, and has no seat here.
        vm.prank(poolOwner);
        uint32 other = workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, "other");
        _joinPool(7, 7, other, 1, BOND);
        _mine(1, 12);
        _terms = _open(_offer());
        _refused(
            _draft(_terms, 0, _both(_all(0, 3, 0), _all(7, 1, 0))),
            abi.encodeWithSelector(ICertifier.NoSeat.selector, _worker(7))
        );
    }

    function test_badInput_contributionOfAWorkerThatTheLotLeftOut() public {
        for (uint256 i = 5; i < 12; ++i) {
            _join(i, i, BOND);
        }
        _mine(1, 12);
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(_offer(), 12, 3);
        _terms = terms;
        uint256 out;
        while (_hasSeat(terms, 0, out, 0)) ++out;
        Play[] memory plays = _both(_some(seated, 0, 3, 0), _all(out, 1, 0));
        _refused(_draft(terms, 0, plays), abi.encodeWithSelector(ICertifier.NoSeat.selector, _worker(out)));
    }

    function test_badInput_contributionOfAnUnbondedWorker() public {
        _refused(
            _draft(_terms, 0, _both(_all(0, 3, 0), _all(99, 1, 0))),
            abi.encodeWithSelector(IWorkforce.UnknownWorker.selector, _worker(99))
        );
        // Leaving: the bond is there, the seat is not.
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        vm.prank(_operator(1));
        workforce.leavePool(_worker(1));
        _refused(draft, abi.encodeWithSelector(ICertifier.NoSeat.selector, _worker(1)));
    }

    function test_badInput_contributionOfTheSameOperator() public {
        _join(0, 5, BOND);
        _mine(1, 12);
        _terms = _open(_policyOf(9));
        Draft memory draft = _draft(_terms, 0, _all(0, 6, 0));
        vm.expectPartialRevert(ICertifier.SameOperator.selector);
        _post(draft);
    }

    function _policyOf(uint8 replicasMin) private returns (Offer memory offer) {
        offer = _offer();
        offer.request.policy.replicasMin = replicasMin;
        offer.request.policy.replicasMax = 32;
    }

    function test_badInput_workerListedTwice() public {
        Play[] memory plays = _both(_all(0, 3, 0), _all(1, 1, 0));
        Draft memory draft = _draft(_terms, 0, plays);
        vm.expectPartialRevert(ICertifier.ListNotSorted.selector);
        _post(draft);
        // In two waves: then it is two members of one operator.
        vm.warp(_terms.opened.time() + _patience(_terms));
        plays[3].wave = 1;
        draft = _draft(_terms, 0, plays);
        _refused(draft, abi.encodeWithSelector(ICertifier.SameOperator.selector, _worker(1)));
    }

    function test_badInput_listWithSomebodyAdded() public {
        Draft memory draft = _draft(_terms, 0, _all(0, 4, 0));
        // Worker 4 commits after the list was closed; the others have signed a list without it.
        Play[] memory more = _both(_all(0, 4, 0), _all(4, 1, BARE));
        Draft memory padded = _draft(_terms, 0, more);
        for (uint256 i; i < padded.entries.length; ++i) {
            for (uint256 j; j < draft.entries.length; ++j) {
                if (padded.entries[i].word != draft.entries[j].word) continue;
                padded.entries[i] = draft.entries[j];
            }
        }
        vm.expectPartialRevert(ICertifier.BadEntry.selector);
        _post(padded);
    }

    function test_badInput_listWithSomebodyDropped() public {
        Draft memory draft = _draft(_terms, 0, _both(_all(0, 4, 0), _all(4, 1, 1)));
        for (uint256 i; i < draft.entries.length; ++i) {
            if (draft.entries[i].word >> 96 != uint160(_worker(4))) continue;
            draft.entries = _without(draft.entries, i);
            break;
        }
        draft.claims = _first(draft.claims, 1);
        vm.expectPartialRevert(ICertifier.BadEntry.selector);
        _post(draft);
    }

    function test_badInput_certificateBelowItsOdds() public {
        _refused(
            _draft(_terms, 0, _both(_all(0, 3, 0), _all(3, 1, 1))),
            abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 12_800_000, 50_000_000)
        );
    }

    function test_badInput_certificateBelowItsOperators() public {
        _terms = _open(_policyOf(5));
        _refused(_draft(_terms, 0, _all(0, 4, 0)), abi.encodeWithSelector(ICertifier.TooFewOperators.selector, 4, 5));
    }

    function test_badInput_certificateBelowItsCollateral() public {
        Offer memory offer = _offer();
        // Half of three bonds is 150 tokens.
        offer.request.policy.collateralMin = 151e18;
        _terms = _open(offer);
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        vm.expectPartialRevert(ICertifier.ExposureTooHigh.selector);
        _post(draft);
        _certifyBy(_terms, 0, 4);
    }

    function test_badInput_keyNewerThanTheOpeningBlock() public {
        Terms memory terms = _openHere(_sign(_offer()));
        _join(5, 5, BOND);
        _mine(1, 12);
        _terms = terms;
        _refused(
            _draft(terms, 0, _both(_all(0, 3, 0), _all(5, 1, 0))),
            abi.encodeWithSelector(ICertifier.NoSeat.selector, _worker(5))
        );
    }

    function test_badInput_bondNewerThanTheOpeningBlock() public {
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        _fund(_operator(2), UNIT);
        vm.prank(_operator(2));
        workforce.addBond(_worker(2), UNIT);
        _refused(draft, abi.encodeWithSelector(ICertifier.NoSeat.selector, _worker(2)));
    }

    function test_badInput_dissentShownAsSilence() public {
        uint256 odds = 12_800_000;
        bytes memory reason = abi.encodeWithSelector(ICertifier.OddsTooLow.selector, odds, 50_000_000);
        _refused(_draft(_terms, 0, _both(_all(0, 3, 0), _all(3, 1, 1))), reason);
        Play[] memory silent = _all(3, 1, BARE);
        silent[0].hidden = 1;
        _refused(_draft(_terms, 0, _both(_all(0, 3, 0), silent)), reason);
    }

    function test_badInput_withdrawalOfABondAtRisk() public {
        Offer memory offer = _offer();
        offer.request.policy.collateralMin = 120e18;
        _terms = _open(offer);
        _certifyBy(_terms, 0, 3);
        vm.prank(_operator(0));
        workforce.leavePool(_worker(0));
        uint256 ready = workforce.readyAt(_worker(0));
        vm.prank(_operator(0));
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.StillBonded.selector, _worker(0), ready));
        workforce.withdrawBond(_worker(0), BOND);
        vm.prank(_operator(0));
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.leavePool(_worker(0));
        vm.assertGt(ready, block.timestamp + WorkerWords.RISK_PERIOD);
    }
}
