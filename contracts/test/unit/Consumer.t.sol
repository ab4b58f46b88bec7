// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {GuildhallConsumer} from "../../src/GuildhallConsumer.sol";
import {PolicyWords} from "../../src/libraries/PolicyWords.sol";
import {Delivery} from "../../src/types/Certificates.sol";
import {Policy} from "../../src/types/Orders.sol";
import {PolicyWord} from "../../src/types/Terms.sol";
import {Consumer} from "../support/Doubles.sol";
import {Test, vm} from "../support/Vm.sol";

/// @notice What the test asks of the example, which is compiled as it is deployed.
interface IAlarm {
    event Alarm(bytes32 indexed dealId, int256 centidegrees);

    error BadOutput(uint256 length);

    function onDelivery(Delivery calldata delivery, bytes calldata output) external;
    function centidegrees() external view returns (int256);
}

contract ConsumerTest is Test {
    address private constant CERTIFIER = address(0xce);
    address private constant REQUESTER = address(0x4e);
    Consumer private _consumer;

    function setUp() public {
        _consumer = new Consumer(
            CERTIFIER,
            GuildhallConsumer.Expectation({
                requester: REQUESTER,
                app: 1,
                dataset: 2,
                pool: 3,
                confidence: 60,
                seats: 3,
                stake: 5e18,
                faultyShareBps: 2000,
                provisional: false,
                seedKind: 1,
                reputation: false
            })
        );
    }

    /// @dev A delivery that is just good enough.
    function _delivery() private pure returns (Delivery memory d) {
        (d.requester, d.app, d.dataset, d.pool) = (REQUESTER, 1, 2, 3);
        (d.odds, d.seats, d.stake, d.isFinal, d.seedKind) = (60_000_000, 3, 5e18, true, 1);
        d.policy = PolicyWord.wrap(2000 << 32);
    }

    function _refused(Delivery memory delivery, string memory what) private {
        vm.prank(CERTIFIER);
        vm.expectRevert(abi.encodeWithSelector(GuildhallConsumer.NotExpected.selector, what));
        _consumer.onDelivery(delivery, "output");
    }

    function test_onDelivery_givenWhatIsExpected_itActs() public {
        vm.prank(CERTIFIER);
        _consumer.onDelivery(_delivery(), "output");
        vm.assertEq(_consumer.results(), 1);
        vm.assertEq(string(_consumer.last()), "output");
    }

    function test_onDelivery_whenOthersCall_itReverts() public {
        vm.expectRevert(abi.encodeWithSelector(GuildhallConsumer.NotCertifier.selector, address(this)));
        _consumer.onDelivery(_delivery(), "output");
    }

    function test_onDelivery_givenAnythingLess_itSaysWhat() public {
        Delivery memory d = _delivery();
        d.requester = address(1);
        _refused(d, "requester");
        d = _delivery();
        d.app = 9;
        _refused(d, "app");
        d = _delivery();
        d.dataset = 0;
        _refused(d, "dataset");
        d = _delivery();
        d.pool = 9;
        _refused(d, "pool");
        d = _delivery();
        d.isFinal = false;
        _refused(d, "finality");
        d = _delivery();
        d.exit = 1;
        _refused(d, "exit");
        d = _delivery();
        d.odds -= 1;
        _refused(d, "confidence");
        d = _delivery();
        d.seats = 2;
        _refused(d, "seats");
        d = _delivery();
        d.stake -= 1;
        _refused(d, "stake");
        d = _delivery();
        d.policy = PolicyWord.wrap(1999 << 32);
        _refused(d, "faultyShare");
        d = _delivery();
        d.seedKind = 2;
        _refused(d, "seedKind");
        d = _delivery();
        d.policy = PolicyWord.wrap(2000 << 32 | 1 << 160);
        _refused(d, "reputation");
    }

    /// @dev A consumer that asks for less: any seed, and odds that lean on reputation.
    function test_onDelivery_givenALaxExpectation_itActs() public {
        GuildhallConsumer.Expectation memory lax;
        lax.app = 1;
        lax.dataset = 2;
        lax.reputation = true;
        Consumer consumer = new Consumer(CERTIFIER, lax);
        Delivery memory d = _delivery();
        d.seedKind = 7;
        d.policy = PolicyWord.wrap(2000 << 32 | 1 << 160);
        vm.prank(CERTIFIER);
        consumer.onDelivery(d, "output");
        vm.assertEq(consumer.results(), 1);
    }

    /// @dev Where a policy says that reputation counts: as the Market packs it.
    function test_expectation_readsThePolicyAsItIsPacked() public view {
        Policy memory policy = Policy(60, 2000, 3, 8, 0, true, 0, 60, true);
        uint256 word = PolicyWord.unwrap(this.pack(policy));
        vm.assertEq(word >> 160 & 1, 1);
        policy.countReputation = false;
        vm.assertEq(PolicyWord.unwrap(this.pack(policy)), word & ~(uint256(1) << 160));
    }

    function pack(Policy calldata policy) external pure returns (PolicyWord) {
        return PolicyWords.pack(policy);
    }
}

contract TemperatureAlarmTest is Test {
    address private constant CERTIFIER = address(0xce);
    address private constant REQUESTER = address(0x4e);
    int256 private constant THRESHOLD = 4000;
    IAlarm private _alarm;

    function setUp() public {
        bytes memory arguments = abi.encode(CERTIFIER, REQUESTER, uint256(1), uint32(3), THRESHOLD);
        _alarm = IAlarm(_deploy("TemperatureAlarm.sol:TemperatureAlarm", arguments));
    }

    /// @dev A delivery that is just good enough for the example.
    function _delivery() private pure returns (Delivery memory d) {
        (d.dealId, d.requester, d.app, d.pool) = (keccak256("deal"), REQUESTER, 1, 3);
        (d.odds, d.seats, d.isFinal) = (60_000_000, 3, true);
        d.policy = PolicyWord.wrap(2000 << 32);
    }

    function _refused(Delivery memory delivery, string memory what) private {
        vm.prank(CERTIFIER);
        vm.expectRevert(abi.encodeWithSelector(GuildhallConsumer.NotExpected.selector, what));
        _alarm.onDelivery(delivery, abi.encode(THRESHOLD));
    }

    function test_onDelivery_givenAReadingAboveTheThreshold_itRaisesTheAlarm() public {
        Delivery memory delivery = _delivery();
        vm.expectEmit(address(_alarm));
        emit IAlarm.Alarm(delivery.dealId, THRESHOLD + 1);
        vm.prank(CERTIFIER);
        _alarm.onDelivery(delivery, abi.encode(THRESHOLD + 1));
        vm.assertTrue(_alarm.centidegrees() == THRESHOLD + 1);
    }

    function test_onDelivery_givenAReadingAtTheThreshold_itKeepsIt() public {
        vm.recordLogs();
        vm.prank(CERTIFIER);
        _alarm.onDelivery(_delivery(), abi.encode(THRESHOLD));
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.assertTrue(_alarm.centidegrees() == THRESHOLD);
    }

    function test_onDelivery_givenLessThanItAsksFor_itReverts() public {
        Delivery memory d = _delivery();
        d.requester = address(1);
        _refused(d, "requester");
        d = _delivery();
        d.app = 2;
        _refused(d, "app");
        d = _delivery();
        d.pool = 4;
        _refused(d, "pool");
        d = _delivery();
        d.odds -= 1;
        _refused(d, "confidence");
        d = _delivery();
        d.seats -= 1;
        _refused(d, "seats");
        d = _delivery();
        d.policy = PolicyWord.wrap(1999 << 32);
        _refused(d, "faultyShare");
    }

    function test_onDelivery_givenAnOutputOfAnotherLength_itReverts() public {
        vm.prank(CERTIFIER);
        vm.expectRevert(abi.encodeWithSelector(IAlarm.BadOutput.selector, 64));
        _alarm.onDelivery(_delivery(), abi.encode(THRESHOLD, THRESHOLD));
    }
}
