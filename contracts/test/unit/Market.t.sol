// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Owned} from "../../src/Owned.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {ParametersWords} from "../../src/libraries/ParametersWords.sol";
import {Parameters} from "../../src/types/Parameters.sol";
import {Terms} from "../../src/types/Terms.sol";
import {IErc721} from "../support/City.sol";
import {Deals} from "../support/Deals.sol";
import {Wallet} from "../support/Doubles.sol";
import {vm} from "../support/Vm.sol";

contract MatchTest is Deals {
    function setUp() public {
        _buildCity(5);
    }

    function _refused(Offer memory offer, bytes memory reason) private {
        offer = _sign(offer);
        vm.expectRevert(reason);
        _match(offer);
    }

    function _outOfBounds(Offer memory offer, string memory name, uint256 value, uint256 low, uint256 high) private {
        _refused(offer, abi.encodeWithSelector(IMarket.RequestOutOfBounds.selector, name, value, low, high));
    }

    function test_match_itLocksTheWorstCaseAndStoresOneHash() public {
        uint256 before = _balance(requester);
        Terms memory terms = _open(_withDataset(_offerOf(10, 3)));
        (bytes32 stored,) = market.deal(terms.dealId, 0);
        vm.assertEq(stored, keccak256(abi.encode(terms)));
        vm.assertEq(before - _balance(requester), 3 * _lockOf(terms, 3) + _lockOf(terms, 1));
        vm.assertEq(terms.opened.poolBond(), 5 * BOND / UNIT);
        vm.assertEq(terms.opened.version(), 1);
        vm.assertEq(terms.opened.runtime(), 1);
        vm.assertEq(terms.opened.poolShareBps(), 1000);
        vm.assertEq(terms.appOwner, appOwner);
        vm.assertEq(terms.datasetOwner, datasetOwner);
    }

    function test_match_givenTooLittleBalance_itReverts() public {
        vm.prank(requester);
        vault.withdraw(RICHES, requester);
        Offer memory offer = _sign(_offer());
        vm.expectPartialRevert(IVault.BalanceTooLow.selector);
        _match(offer);
    }

    function test_match_givenACompactSignature_itIsTaken() public {
        Offer memory offer = _sign(_offer());
        (bytes32 r, bytes32 vs) = vm.signCompact(REQUESTER_KEY, market.hashRequest(offer.request));
        offer.signatures.request = abi.encodePacked(r, vs);
        _match(offer);
    }

    function test_match_whenTheRequesterCalls_itNeedsNoSignatureOfItsOwn() public {
        Offer memory offer = _sign(_offer());
        offer.signatures.request = "";
        vm.prank(requester);
        _match(offer);
    }

    function test_match_givenOtherAssetsOrPool_itReverts() public {
        Offer memory offer = _offer();
        offer.app.app = 77;
        _refused(offer, abi.encodeWithSelector(IMarket.OrdersMismatch.selector, "app", app, 77));
        offer = _withDataset(_offer());
        offer.dataset.dataset = 77;
        _refused(offer, abi.encodeWithSelector(IMarket.OrdersMismatch.selector, "dataset", dataset, 77));
        offer = _offer();
        offer.pool.pool = 77;
        _refused(offer, abi.encodeWithSelector(IMarket.OrdersMismatch.selector, "pool", pool, 77));
    }

    function test_match_givenPricesAboveTheCaps_itReverts() public {
        Offer memory offer = _offer();
        offer.app.price = APP_PRICE + 1;
        _refused(offer, abi.encodeWithSelector(IMarket.PriceTooHigh.selector, "app", APP_PRICE + 1, APP_PRICE));
        offer = _withDataset(_offer());
        offer.dataset.price = DATASET_PRICE + 1;
        _refused(
            offer, abi.encodeWithSelector(IMarket.PriceTooHigh.selector, "dataset", DATASET_PRICE + 1, DATASET_PRICE)
        );
        offer = _offer();
        offer.pool.feePerMfuel = FEE + 1;
        _refused(offer, abi.encodeWithSelector(IMarket.PriceTooHigh.selector, "work", FEE + 1, FEE));
        offer = _offer();
        offer.dataset.price = 1;
        _refused(offer, abi.encodeWithSelector(IMarket.PriceTooHigh.selector, "dataset", 1, 0));
    }

    function test_match_givenATipAndNoCallback_itReverts() public {
        Offer memory offer = _offer();
        offer.request.deliveryTip = 5;
        _refused(offer, abi.encodeWithSelector(IMarket.TipWithoutCallback.selector, 5));
        offer = _offer();
        offer.request.deliveryTip = type(uint96).max;
        (offer.request.callback, offer.request.callbackGas) = (stranger, 100_000);
        uint256 before = _balance(requester);
        Terms memory terms = _open(offer);
        vm.assertEq(terms.deliveryTip, type(uint96).max);
        // Nothing is locked for tips.
        vm.assertEq(before - _balance(requester), _lockOf(terms, 1));
    }

    function test_match_givenRestrictions_itHoldsEachSideToThem() public {
        bytes32 orderHash;
        for (uint256 i; i < 6; ++i) {
            Offer memory offer = _withDataset(_offer());
            if (i == 0) offer.app.datasetRestrict = 77;
            if (i == 1) offer.app.poolRestrict = 77;
            if (i == 2) offer.dataset.appRestrict = 77;
            if (i == 3) offer.dataset.poolRestrict = 77;
            if (i == 4) offer.pool.appRestrict = 77;
            if (i == 5) offer.pool.datasetRestrict = 77;
            if (i < 2) orderHash = market.hashAppOrder(offer.app);
            else if (i < 4) orderHash = market.hashDatasetOrder(offer.dataset);
            else orderHash = market.hashPoolOrder(offer.pool);
            string memory what = i == 0 || i == 5 ? "dataset" : i == 2 || i == 4 ? "app" : "pool";
            _refused(offer, abi.encodeWithSelector(IMarket.Restricted.selector, orderHash, what));
        }
        Offer memory fits = _withDataset(_offer());
        (fits.app.datasetRestrict, fits.app.poolRestrict) = (dataset, pool);
        (fits.dataset.appRestrict, fits.dataset.poolRestrict) = (app, pool);
        (fits.pool.appRestrict, fits.pool.datasetRestrict) = (app, dataset);
        fits.app.requesterRestrict = requester;
        _match(_sign(fits));
    }

    function test_match_givenBadBounds_itNamesTheField() public {
        Offer memory offer = _offerOf(0, 1);
        _outOfBounds(offer, "taskCount", 0, 1, type(uint32).max);
        offer = _offerOf(1, 0);
        _outOfBounds(offer, "batchSize", 0, 1, 65_536);
        offer = _offerOf(1, 65_537);
        _outOfBounds(offer, "batchSize", 65_537, 1, 65_536);
        offer = _offer();
        offer.request.fuelLimit = 0;
        _outOfBounds(offer, "fuelLimit", 0, 1, 1 << 62);
        offer = _offer();
        offer.request.fuelLimit = (1 << 62) + 1;
        _outOfBounds(offer, "fuelLimit", (1 << 62) + 1, 1, 1 << 62);
        offer = _offer();
        offer.pool.fuelLimitMax = FUEL_LIMIT - 1;
        _outOfBounds(offer, "fuelLimit", FUEL_LIMIT, 1, FUEL_LIMIT - 1);
    }

    /// @dev What is refused one further is taken here.
    function test_match_givenTheLastOfEachBound_itTakesIt() public {
        for (uint256 i; i < 18; ++i) {
            Offer memory offer = _withDataset(_offer());
            if (i == 0) offer.app.expiry = uint64(block.timestamp);
            if (i == 1) offer.dataset.expiry = uint64(block.timestamp);
            if (i == 2) offer.pool.expiry = uint64(block.timestamp);
            if (i == 3) offer.request.expiry = uint64(block.timestamp);
            if (i == 4) offer.request.batchSize = 65_536;
            if (i == 5) (offer.request.callback, offer.request.callbackGas) = (stranger, 1_000_000);
            if (i == 6) offer.request.fuelLimit = 1;
            if (i == 7) offer.pool.fuelLimitMax = FUEL_LIMIT;
            // The constant, and a tenth of a second rounded up.
            if (i == 8) offer.request.deadline = uint64(block.timestamp + 61);
            if (i == 9) offer.request.deadline = uint64(block.timestamp + 365 days);
            if (i == 10) offer.request.policy.faultyShareBps = 500;
            if (i == 11) (offer.request.policy.faultyShareBps, offer.request.policy.confidence) = (4900, 1);
            if (i == 12) offer.request.policy.replicasMin = 8;
            if (i == 13) (offer.request.policy.replicasMin, offer.request.policy.replicasMax) = (1, 32);
            if (i == 14) offer.request.policy.disputeWindow = 60;
            if (i == 15) offer.request.policy.disputeWindow = uint32(3 days);
            // Eight fresh workers, of weight four.
            if (i == 16) offer.request.policy.confidence = 65_536;
            if (i == 17) (offer.app.volume, offer.dataset.volume, offer.pool.volume) = (1, 1, 1);
            bytes32 dealId = _match(_sign(offer));
            vm.assertNotEq(market.termsHash(dealId), 0);
        }
    }

    /// @dev What no sandbox takes: less than one page of memory, or more than 32 bits address.
    function test_match_givenAMemoryLimitThatNoSandboxTakes_itReverts() public {
        uint64[4] memory limits = [0, (1 << 16) - 1, (1 << 32) + 1, type(uint64).max];
        for (uint256 i; i < 4; ++i) {
            Offer memory offer = _offer();
            offer.request.memoryLimit = limits[i];
            _outOfBounds(offer, "memoryLimit", limits[i], 1 << 16, 1 << 32);
        }
        for (uint256 i; i < 2; ++i) {
            Offer memory offer = _offer();
            offer.request.memoryLimit = uint64(i == 0 ? 1 << 16 : 1 << 32);
            _match(_sign(offer));
        }
    }

    function test_match_givenAnExpiredOrder_itNamesTheOrder() public {
        Offer memory offer = _offer();
        offer.request.expiry = uint64(block.timestamp - 1);
        _expired(offer, market.hashRequest(offer.request));
        offer = _offer();
        offer.app.expiry = uint64(block.timestamp - 1);
        _expired(offer, market.hashAppOrder(offer.app));
        offer = _withDataset(_offer());
        offer.dataset.expiry = uint64(block.timestamp - 1);
        _expired(offer, market.hashDatasetOrder(offer.dataset));
        offer = _offer();
        offer.pool.expiry = uint64(block.timestamp - 1);
        _expired(offer, market.hashPoolOrder(offer.pool));
    }

    function _expired(Offer memory offer, bytes32 orderHash) private {
        _refused(offer, abi.encodeWithSelector(IMarket.OrderExpired.selector, orderHash, block.timestamp - 1));
    }

    function test_match_givenABadPolicy_itNamesTheField() public {
        Offer memory offer = _offer();
        offer.request.policy.confidence = 0;
        _outOfBounds(offer, "confidence", 0, 1, type(uint32).max);
        offer = _offer();
        offer.request.policy.faultyShareBps = 499;
        _outOfBounds(offer, "faultyShareBps", 499, 500, 4900);
        offer = _offer();
        offer.request.policy.faultyShareBps = 4901;
        _outOfBounds(offer, "faultyShareBps", 4901, 500, 4900);
        offer = _offer();
        offer.request.policy.replicasMin = 9;
        _outOfBounds(offer, "replicasMin", 9, 1, 8);
        offer = _offer();
        offer.request.policy.replicasMax = 33;
        _outOfBounds(offer, "replicasMax", 33, 1, 32);
        offer = _offer();
        offer.request.policy.disputeWindow = 59;
        _outOfBounds(offer, "disputeWindow", 59, 60, 3 days);
        offer = _offer();
        offer.request.policy.disputeWindow = uint32(3 days + 1);
        _outOfBounds(offer, "disputeWindow", 3 days + 1, 60, 3 days);
    }

    function test_match_givenEvidence_itSaysThatNobodyGivesItYet() public {
        Offer memory offer = _offer();
        offer.request.policy.evidence = 1;
        _refused(offer, abi.encodeWithSelector(IMarket.EvidenceUnsupported.selector, 1));
    }

    function test_match_givenAConfidenceOutOfReach_itReverts() public {
        Offer memory offer = _offer();
        offer.request.policy.confidence = 70_000;
        _refused(offer, abi.encodeWithSelector(IMarket.ConfidenceUnreachable.selector, 70_000, 8));
    }

    function test_match_givenALockBeyond96Bits_itReverts() public {
        Offer memory offer = _offerOf(type(uint32).max, 65_536);
        (offer.app.volume, offer.pool.volume) = (type(uint64).max, type(uint64).max);
        offer.request.feePerMfuelMax = type(uint96).max;
        offer.pool.feePerMfuel = type(uint96).max;
        offer.request.deadline = uint64(block.timestamp + 30 days);
        offer = _sign(offer);
        vm.expectPartialRevert(IMarket.LockTooLarge.selector);
        _match(offer);
    }

    function test_matchWithPermit_itDepositsWhatLacks() public {
        vm.prank(requester);
        vault.withdraw(RICHES - 1e17, requester);
        Offer memory offer = _sign(_offer());
        IVault.Permit memory unused;
        _matchWithPermit(offer, unused);
        vm.assertEq(_balance(requester), 0);
    }

    function test_matchWithPermit_givenAnUnsignedRequest_nothingIsDeposited() public {
        vm.prank(requester);
        vault.withdraw(RICHES, requester);
        uint256 tokens = token.balanceOf(requester);
        Offer memory offer = _sign(_offer());
        offer.signatures.request = _signBytes(0xbad, market.hashRequest(offer.request));
        IVault.Permit memory unused;
        vm.expectPartialRevert(IMarket.BadSignature.selector);
        _matchWithPermit(offer, unused);
        vm.assertEq(token.balanceOf(requester), tokens);
    }
}

/// @title Every side of a match signed by a contract (ERC-1271), or on chain before
contract SignersTest is Deals {
    /// @notice Who signs what in a match.
    enum Side {
        App,
        Dataset,
        Pool,
        Request,
        Payer
    }

    uint256 private constant KEY = 0x3a11e7;

    Wallet private _wallet;

    function setUp() public {
        _buildCity(5);
        _wallet = new Wallet(vm.addr(KEY));
        _fund(address(_wallet), RICHES);
    }

    /// @dev A whole offer whose one side belongs to the wallet: app and dataset bought, the pool handed over, the request
    /// or its payment its own.
    function _offerOfWallet(Side side) private returns (Offer memory offer) {
        offer = _withDataset(_offer());
        offer.request.payer = sponsor;
        if (side == Side.App) {
            vm.prank(appOwner);
            IErc721(address(registry)).transferFrom(appOwner, address(_wallet), app);
            offer.app.nonce = 1;
        } else if (side == Side.Dataset) {
            vm.prank(datasetOwner);
            IErc721(address(registry)).transferFrom(datasetOwner, address(_wallet), dataset);
            offer.dataset.nonce = 1;
        } else if (side == Side.Pool) {
            vm.prank(poolOwner);
            workforce.transferPool(pool, address(_wallet));
            offer.pool.nonce = 1;
        } else if (side == Side.Request) {
            offer.request.requester = address(_wallet);
        } else {
            offer.request.payer = address(_wallet);
        }
        return _sign(offer);
    }

    function _hashOf(Side side, Offer memory offer) private view returns (bytes32) {
        if (side == Side.App) return market.hashAppOrder(offer.app);
        if (side == Side.Dataset) return market.hashDatasetOrder(offer.dataset);
        if (side == Side.Pool) return market.hashPoolOrder(offer.pool);
        return market.hashRequest(offer.request);
    }

    function _put(Side side, Offer memory offer, bytes memory signature) private pure {
        if (side == Side.App) offer.signatures.app = signature;
        else if (side == Side.Dataset) offer.signatures.dataset = signature;
        else if (side == Side.Pool) offer.signatures.pool = signature;
        else if (side == Side.Request) offer.signatures.request = signature;
        else offer.signatures.payer = signature;
    }

    function _refusedFor(Offer memory offer, bytes32 orderHash, address signer) private {
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadSignature.selector, orderHash, signer));
        _match(offer);
    }

    /// @dev The contract is asked about each signature, and its word is what counts.
    function _asks(Side side) private {
        Offer memory offer = _offerOfWallet(side);
        bytes32 orderHash = _hashOf(side, offer);
        _put(side, offer, _signBytes(0xbad, orderHash));
        _refusedFor(offer, orderHash, address(_wallet));
        _put(side, offer, "");
        _refusedFor(offer, orderHash, address(_wallet));
        _put(side, offer, _signBytes(KEY, orderHash));
        _match(offer);
    }

    /// @dev Signed on chain, by a contract or by a key, an order needs no signature; nobody signs for another.
    function _takesPreSigned(Side side, address signer, Offer memory offer) private {
        bytes32 orderHash = _hashOf(side, offer);
        _put(side, offer, "");
        vm.expectEmit(address(market));
        emit IMarket.OrderSigned(orderHash, stranger);
        vm.prank(stranger);
        market.signOrder(orderHash);
        _refusedFor(offer, orderHash, signer);
        if (signer == address(_wallet)) _wallet.act(address(market), abi.encodeCall(IMarket.signOrder, (orderHash)));
        else _signOnChain(signer, orderHash);
        _match(offer);
    }

    function _signOnChain(address signer, bytes32 orderHash) private {
        vm.prank(signer);
        market.signOrder(orderHash);
    }

    function _preSigned(Side side) private {
        _takesPreSigned(side, address(_wallet), _offerOfWallet(side));
    }

    function _preSignedByKey(Side side, address signer) private {
        Offer memory offer = _withDataset(_offer());
        offer.request.payer = sponsor;
        _takesPreSigned(side, signer, _sign(offer));
    }

    function test_match_givenAContractAsAppOwner_itAsksIt() public {
        _asks(Side.App);
    }

    function test_match_givenAContractAsDatasetOwner_itAsksIt() public {
        _asks(Side.Dataset);
    }

    function test_match_givenAContractAsPoolOwner_itAsksIt() public {
        _asks(Side.Pool);
    }

    function test_match_givenAContractAsRequester_itAsksIt() public {
        _asks(Side.Request);
    }

    function test_match_givenAContractAsSponsor_itAsksIt() public {
        _asks(Side.Payer);
    }

    function test_match_givenOrdersThatAContractSignedOnChain_itTakesThem() public {
        uint256 state = vm.snapshotState();
        for (uint256 i; i < 5; ++i) {
            _preSigned(Side(i));
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_match_givenOrdersThatAKeySignedOnChain_itTakesThem() public {
        address[5] memory signers = [appOwner, datasetOwner, poolOwner, requester, sponsor];
        for (uint256 i; i < 5; ++i) {
            _preSignedByKey(Side(i), signers[i]);
        }
    }
}

contract CancelTest is Deals {
    function setUp() public {
        _buildCity(5);
    }

    function test_cancel_givenTheOrdersOwner_itIsDeadForEver() public {
        Offer memory offer = _sign(_withDataset(_offer()));
        bytes32 orderHash = market.hashAppOrder(offer.app);
        vm.expectEmit(address(market));
        emit IMarket.OrderCancelled(orderHash, appOwner);
        vm.prank(appOwner);
        market.cancelAppOrder(offer.app);
        vm.assertEq(market.filled(orderHash), type(uint64).max);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Cancelled.selector, orderHash));
        _match(offer);
    }

    function test_cancel_whenOthersCall_itReverts() public {
        Offer memory offer = _sign(_withDataset(_offer()));
        vm.startPrank(stranger);
        bytes memory notAllowed = abi.encodeWithSelector(IMarket.NotAllowed.selector, stranger);
        vm.expectRevert(notAllowed);
        market.cancelAppOrder(offer.app);
        vm.expectRevert(notAllowed);
        market.cancelDatasetOrder(offer.dataset);
        vm.expectRevert(notAllowed);
        market.cancelPoolOrder(offer.pool);
        vm.expectRevert(notAllowed);
        market.cancelRequest(offer.request);
        vm.expectRevert(notAllowed);
        market.close("deal");
        vm.stopPrank();
    }

    function test_cancel_givenDatasetAndPoolOrders_theyDie() public {
        Offer memory offer = _sign(_withDataset(_offer()));
        vm.prank(datasetOwner);
        market.cancelDatasetOrder(offer.dataset);
        bytes32 orderHash = market.hashDatasetOrder(offer.dataset);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Cancelled.selector, orderHash));
        _match(offer);
        offer = _sign(_offer());
        vm.prank(poolOwner);
        market.cancelPoolOrder(offer.pool);
        orderHash = market.hashPoolOrder(offer.pool);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Cancelled.selector, orderHash));
        _match(offer);
    }

    function test_cancelRequest_givenRequesterOrPayer_itIsUsedUp() public {
        Offer memory offer = _sign(_offer());
        bytes32 dealId = market.hashRequest(offer.request);
        vm.expectEmit(address(market));
        emit IMarket.OrderCancelled(dealId, requester);
        vm.prank(requester);
        market.cancelRequest(offer.request);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RequestUsed.selector, dealId));
        _match(offer);
        offer = _offer();
        offer.request.payer = sponsor;
        vm.prank(sponsor);
        market.cancelRequest(offer.request);
    }

    function test_cancelRequest_givenAnOpenDeal_itReverts() public {
        Offer memory offer = _offer();
        Terms memory terms = _open(offer);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RequestUsed.selector, terms.dealId));
        market.cancelRequest(offer.request);
    }

    function test_cancelAll_itKillsEveryRequestOfTheRequesterOnly() public {
        Offer memory offer = _offer();
        offer.request.payer = sponsor;
        offer = _sign(offer);
        vm.prank(sponsor);
        market.cancelAllRequests();
        // The nonce is the requester's, not the payer's.
        _match(offer);
        offer = _sign(_offer());
        vm.prank(requester);
        market.cancelAllRequests();
        bytes32 dealId = market.hashRequest(offer.request);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongNonce.selector, dealId, 0, 1));
        _match(offer);
        offer.request.nonce = 1;
        _match(_sign(offer));
    }

    function test_nonces_ofAssetAndPool_killTheirOrders() public {
        Offer memory offer = _sign(_withDataset(_offer()));
        vm.prank(datasetOwner);
        registry.bumpNonce(dataset);
        bytes32 orderHash = market.hashDatasetOrder(offer.dataset);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongNonce.selector, orderHash, 0, 1));
        _match(offer);
        offer = _sign(_offer());
        vm.prank(poolOwner);
        workforce.bumpPoolNonce(pool);
        orderHash = market.hashPoolOrder(offer.pool);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongNonce.selector, orderHash, 0, 1));
        _match(offer);
    }
}

/// @notice Everything that the protocol's owner can do to the Market.
contract GovernTest is Deals {
    function setUp() public {
        _buildCity(5);
    }

    function test_setParameters_whenOthersCall_itReverts() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Owned.NotOwner.selector, stranger));
        market.setParameters(_parameters());
    }

    function test_setParameters_itOpensAVersionAndKeepsTheOld() public {
        Parameters memory parameters = _parameters();
        parameters.protocolFeeBps = 900;
        vm.expectEmit(address(market));
        emit IMarket.ParametersSet(2, parameters);
        vm.prank(protocolOwner);
        market.setParameters(parameters);
        vm.assertEq(market.currentParameters().version(), 2);
        vm.assertEq(market.currentParameters().protocolFeeBps(), 900);
        Terms memory terms = _open(_offer());
        vm.assertEq(terms.opened.version(), 2);
    }

    function test_setParameters_outOfBounds_itNamesTheField() public {
        Parameters memory p = _parameters();
        p.patienceBaseSecs = 3601;
        _refused(p, "patienceBaseSecs", 3601, 1, 3600);
        p = _parameters();
        p.fuelPerSec = 999_999;
        _refused(p, "fuelPerSec", 999_999, 1e6, 1e13);
        p = _parameters();
        p.reputationStep = 0;
        _refused(p, "reputationStep", 0, 1, 10_000);
        p = _parameters();
        p.protocolFeeBps = 1001;
        _refused(p, "protocolFeeBps", 1001, 0, 1000);
        p = _parameters();
        p.expireGraceSecs = uint32(7 days + 1);
        _refused(p, "expireGraceSecs", 7 days + 1, 1, 7 days);
        p = _parameters();
        p.posterGraceSecs = 0;
        _refused(p, "posterGraceSecs", 0, 1, 7 days);
        p = _parameters();
        p.disputeWindowMinSecs = uint32(1 days + 1);
        _refused(p, "disputeWindowMinSecs", 1 days + 1, 1, 1 days);
    }

    function _refused(Parameters memory parameters, string memory name, uint256 value, uint256 low, uint256 high)
        private
    {
        vm.prank(protocolOwner);
        vm.expectRevert(abi.encodeWithSelector(ParametersWords.ParameterOutOfBounds.selector, name, value, low, high));
        market.setParameters(parameters);
    }
}
