// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {Claim, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {bound, vm} from "../support/Vm.sol";

/// @title Orders and settlements over random prices, sizes and outcomes
contract DealsFuzz is Plays {
    function setUp() public {
        _buildCity(5);
    }

    /// @dev A random offer that the orders allow.
    function _random(uint256 seed) private returns (Offer memory offer) {
        offer = _offerOf(uint32(1 + seed % 40), uint32(1 + (seed >> 8) % 12));
        if (seed >> 16 & 1 == 0) offer = _withDataset(offer);
        if (seed >> 17 & 1 == 0) offer.request.payer = sponsor;
        offer.app.price = uint96((seed >> 24) % 1e18);
        offer.request.appPriceMax = offer.app.price;
        offer.pool.feePerMfuel = uint96((seed >> 88) % 1e16);
        offer.request.fuelLimit = uint64(1 + (seed >> 152) % 1e8);
    }

    function testFuzz_match_locksWhatTheTermsSay(uint256 seed) public {
        Offer memory offer = _random(seed);
        address payer = offer.request.payer;
        uint256 before = _balance(payer);
        Terms memory terms = _open(offer);
        (bytes32 stored,) = market.deal(terms.dealId, 0);
        vm.assertEq(stored, keccak256(abi.encode(terms)));
        uint256 full = terms.taskCount / terms.batchSize;
        uint256 locked = full * _lockOf(terms, terms.batchSize) + _lockOf(terms, terms.taskCount % terms.batchSize);
        vm.assertEq(before - _balance(payer), locked);
        vm.assertEq(market.filled(market.hashAppOrder(offer.app)), terms.taskCount);
    }

    function testFuzz_match_anyChangedWordOfAnOrderIsRefused(uint256 seed, uint256 word, uint256 change) public {
        Offer memory offer = _sign(_random(seed));
        word = bound(word, 0, 8);
        change = bound(change, 1, type(uint32).max);
        // One word of the app order, as it lies in memory: all of its fields are wider than the change, or an address.
        bytes32 before = market.hashAppOrder(offer.app);
        _flip(offer, word, change);
        vm.assertNotEq(market.hashAppOrder(offer.app), before);
        vm.expectPartialRevert(_refusal(offer, word));
        _match(offer);
    }

    /// @dev What a changed word is refused with: a rule where it breaks one, else the signature, which is checked after the
    /// rules that need no call.
    function _refusal(Offer memory offer, uint256 word) private view returns (bytes4) {
        if (word == 0) return IMarket.OrdersMismatch.selector;
        if (word == 1 && offer.app.price > offer.request.appPriceMax) return IMarket.PriceTooHigh.selector;
        bool restricts = (word == 3 && offer.app.datasetRestrict != offer.request.dataset)
            || (word == 4 && offer.app.poolRestrict != offer.request.pool) || word == 5;
        if (restricts) return IMarket.Restricted.selector;
        if (word == 6 && offer.app.expiry < block.timestamp) return IMarket.OrderExpired.selector;
        return word == 7 ? IMarket.WrongNonce.selector : IMarket.BadSignature.selector;
    }

    function _flip(Offer memory offer, uint256 word, uint256 change) private pure {
        if (word == 0) offer.app.app ^= change;
        else if (word == 1) offer.app.price ^= uint96(change);
        else if (word == 2) offer.app.volume ^= uint64(change);
        else if (word == 3) offer.app.datasetRestrict ^= change;
        else if (word == 4) offer.app.poolRestrict ^= uint32(change);
        else if (word == 5) offer.app.requesterRestrict = address(uint160(change));
        else if (word == 6) offer.app.expiry ^= uint64(change);
        else if (word == 7) offer.app.nonce ^= uint64(change);
        else offer.app.salt ^= bytes32(change);
    }

    function testFuzz_volume_isNeverExceeded(uint256 seed) public {
        Offer memory offer = _offer();
        offer.app.volume = uint64(1 + seed % 50);
        uint256 filled;
        for (uint256 i; i < 8; ++i) {
            uint32 tasks = uint32(1 + (seed >> (8 * i)) % 16);
            offer.request.salt = bytes32(i);
            (offer.request.taskCount, offer.request.batchSize) = (tasks, tasks);
            Offer memory signed = _sign(offer);
            (bool ok,) = address(market)
                .call(
                    abi.encodeCall(
                        market.matchOrders, (signed.app, signed.dataset, signed.pool, signed.request, signed.signatures)
                    )
                );
            vm.assertEq(ok, filled + tasks <= offer.app.volume);
            if (ok) filled += tasks;
            vm.assertEq(market.filled(market.hashAppOrder(offer.app)), filled);
        }
    }

    /// @dev Everything that a batch moves, to the last unit.
    function testFuzz_certify_paysOutTheLock(uint256 seed, uint256 agreeing) public {
        agreeing = bound(agreeing, 3, 5);
        Offer memory offer = _random(seed);
        offer.request.policy.replicasMax = uint8(3 + seed % 4);
        Terms memory terms = _open(offer);
        uint256 batch = (seed >> 200) % ((uint256(terms.taskCount) + terms.batchSize - 1) / terms.batchSize);
        uint256 tasks = terms.taskCount - batch * terms.batchSize;
        if (tasks > terms.batchSize) tasks = terms.batchSize;
        uint256 before = _everything();
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(RIGHT, uint64((seed >> 128) % (terms.fuelLimit * tasks + 1)));
        _certify(_draftOf(terms, batch, claims, _all(0, agreeing, 0)));
        vm.assertEq(_everything() - before, _lockOf(terms, tasks));
        // Each paid worker got the same.
        uint256 net;
        for (uint256 i; i < 5; ++i) {
            uint256 fees = _fees(i);
            if (fees == 0) continue;
            vm.assertTrue(net == 0 || fees == net);
            net = fees;
        }
    }

    function testFuzz_expire_paysOutTheLock(uint256 seed, uint256 minimum) public {
        Offer memory offer = _random(seed);
        uint256 tasks =
            offer.request.taskCount < offer.request.batchSize ? offer.request.taskCount : offer.request.batchSize;
        uint256 execution = (uint256(offer.request.fuelLimit) * tasks * offer.pool.feePerMfuel + 999_999) / 1_000_000;
        offer.pool.minimumFee = uint96(bound(minimum, 0, execution));
        Terms memory terms = _open(offer);
        vm.warp(terms.deadline + 601);
        uint256 payer = _balance(terms.payer);
        uint256 before = _everything();
        certifier.expire(terms, 0, 0, new LogItem[](0));
        vm.assertEq(_everything() - before, _lockOf(terms, tasks));
        vm.assertEq(_balance(terms.payer) - payer, _lockOf(terms, tasks) - terms.minimumFee);
    }

    /// @dev All balances of the city.
    function _everything() private view returns (uint256 sum) {
        address[6] memory accounts = [requester, sponsor, appOwner, datasetOwner, poolOwner, poster];
        for (uint256 i; i < 6; ++i) {
            sum += _balance(accounts[i]);
        }
        for (uint256 i; i < 5; ++i) {
            sum += _fees(i) + _balance(_operator(i));
        }
        sum += vault.balanceOf(Accounts.ofPool(pool)) + vault.protocolFeesOf(pool) + _burnt();
    }
}
