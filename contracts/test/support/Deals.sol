// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {AppOrder, DatasetOrder, Policy, PoolOrder, RequestOrder, Signatures} from "../../src/types/Orders.sol";
import {Terms} from "../../src/types/Terms.sol";
import {City} from "./City.sol";
import {Vm, vm} from "./Vm.sol";

/// @title Orders, signatures, deals
abstract contract Deals is City {
    uint96 internal constant APP_PRICE = 1e16;
    uint96 internal constant DATASET_PRICE = 2e16;
    uint96 internal constant FEE = 1e16;
    uint64 internal constant FUEL_LIMIT = 10_000_000;

    /// @notice The four orders of a match, with their signatures.
    struct Offer {
        AppOrder app;
        DatasetOrder dataset;
        PoolOrder pool;
        RequestOrder request;
        Signatures signatures;
    }

    uint256 private _salts;

    /// @dev Orders for one task without a dataset, at confidence 50 from at least three of the pool's workers, unsigned.
    function _offer() internal returns (Offer memory offer) {
        bytes32 salt = bytes32(++_salts);
        offer.app = AppOrder({
            app: app,
            price: APP_PRICE,
            volume: 1_000_000,
            datasetRestrict: 0,
            poolRestrict: 0,
            requesterRestrict: address(0),
            expiry: uint64(block.timestamp + 1 days),
            nonce: 0,
            salt: salt
        });
        offer.pool = PoolOrder({
            pool: pool,
            feePerMfuel: FEE,
            minimumFee: 0,
            volume: 1_000_000,
            fuelLimitMax: type(uint64).max,
            appRestrict: 0,
            datasetRestrict: 0,
            requesterRestrict: address(0),
            expiry: uint64(block.timestamp + 1 days),
            nonce: 0,
            salt: salt
        });
        offer.request = RequestOrder({
            requester: requester,
            payer: requester,
            beneficiary: requester,
            app: app,
            dataset: 0,
            pool: pool,
            appPriceMax: APP_PRICE,
            datasetPriceMax: 0,
            feePerMfuelMax: FEE,
            deliveryTip: 0,
            callback: address(0),
            callbackGas: 0,
            inputs: keccak256("inputs"),
            taskCount: 1,
            batchSize: 1,
            fuelLimit: FUEL_LIMIT,
            memoryLimit: 64 << 20,
            deadline: uint64(block.timestamp + 2 hours),
            policy: _policy(),
            expiry: uint64(block.timestamp + 1 hours),
            nonce: 0,
            salt: salt
        });
    }

    /// @dev Confidence 50 at a fifth of faulty stake: three fresh workers; a want of five seats.
    function _policy() internal pure returns (Policy memory) {
        return Policy({
            confidence: 50,
            faultyShareBps: 2000,
            replicasMin: 3,
            replicasMax: 8,
            collateralMin: 0,
            countReputation: false,
            evidence: 0,
            disputeWindow: 1 hours,
            finalOnly: true
        });
    }

    /// @dev Adds the city's dataset to an offer.
    function _withDataset(Offer memory offer) internal view returns (Offer memory) {
        offer.request.dataset = dataset;
        offer.request.datasetPriceMax = DATASET_PRICE;
        offer.dataset = DatasetOrder({
            dataset: dataset,
            price: DATASET_PRICE,
            volume: 1_000_000,
            appRestrict: 0,
            poolRestrict: 0,
            requesterRestrict: address(0),
            expiry: uint64(block.timestamp + 1 days),
            nonce: 0,
            salt: offer.app.salt
        });
        return offer;
    }

    /// @dev An offer of several tasks.
    function _offerOf(uint32 tasks, uint32 batchSize) internal returns (Offer memory offer) {
        offer = _offer();
        offer.request.taskCount = tasks;
        offer.request.batchSize = batchSize;
    }

    /// @dev Signs all four orders with their owners' keys; the sponsor's too where it pays.
    function _sign(Offer memory offer) internal view returns (Offer memory) {
        offer.signatures.app = _signBytes(APP_OWNER_KEY, market.hashAppOrder(offer.app));
        if (offer.request.dataset != 0) {
            offer.signatures.dataset = _signBytes(DATASET_OWNER_KEY, market.hashDatasetOrder(offer.dataset));
        }
        offer.signatures.pool = _signBytes(POOL_OWNER_KEY, market.hashPoolOrder(offer.pool));
        bytes32 dealId = market.hashRequest(offer.request);
        offer.signatures.request = _signBytes(REQUESTER_KEY, dealId);
        if (offer.request.payer == sponsor) offer.signatures.payer = _signBytes(SPONSOR_KEY, dealId);
        return offer;
    }

    /// @dev Matches a signed offer as it is.
    function _match(Offer memory offer) internal returns (bytes32 dealId) {
        return market.matchOrders(offer.app, offer.dataset, offer.pool, offer.request, offer.signatures);
    }

    /// @dev Matches with a permit.
    function _matchWithPermit(Offer memory offer, IVault.Permit memory permit) internal returns (bytes32 dealId) {
        return market.matchWithPermit(offer.app, offer.dataset, offer.pool, offer.request, offer.signatures, permit);
    }

    /// @dev Signs, matches, reads the terms from the event and moves to the next block, which knows the seed.
    function _open(Offer memory offer) internal returns (Terms memory terms) {
        terms = _openHere(_sign(offer));
        _mine(1, 12);
    }

    /// @dev Matches a signed offer and reads the terms from the event.
    function _openHere(Offer memory offer) internal returns (Terms memory terms) {
        vm.recordLogs();
        _match(offer);
        return abi.decode(_dataOf(IMarket.DealOpened.selector), (Terms));
    }

    /// @dev The last recorded log with this topic.
    function _logOf(bytes32 topic) internal returns (Vm.Log memory) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = logs.length; i > 0; --i) {
            if (logs[i - 1].topics[0] == topic) return logs[i - 1];
        }
        revert("no such event");
    }

    /// @dev Its data.
    function _dataOf(bytes32 topic) internal returns (bytes memory data) {
        return _logOf(topic).data;
    }

    /// @dev Worst case of a batch by the rule, reckoned here anew.
    function _lockOf(Terms memory terms, uint256 tasks) internal pure returns (uint256) {
        uint256 execution = (uint256(terms.fuelLimit) * tasks * terms.feePerMfuel + 999_999) / 1_000_000;
        return uint256(terms.policy.replicasMax()) * execution + (uint256(terms.appPrice) + terms.datasetPrice) * tasks;
    }
}
