// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Owned} from "../../src/Owned.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IRecourse} from "../../src/interfaces/IRecourse.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {Certificates} from "../../src/libraries/Certificates.sol";
import {WorkerWords} from "../../src/libraries/WorkerWords.sol";
import {CertifiedBatch, Claim, Entry, LogItem} from "../../src/types/Certificates.sol";
import {Parameters} from "../../src/types/Parameters.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";

/// @title Attacks on odds, stake and escrow; numbers as in INVARIANTS.md
contract CertificateHolesTest is Plays {
    Terms private _terms;
    LogItem[] private _none;

    function setUp() public {
        _buildCity(10);
    }

    /// @dev A deal in which all ten workers have a seat: 999 to one from at least seven.
    function _openForAll() private returns (Terms memory) {
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 6;
        offer.request.policy.replicasMax = 16;
        _leave(9);
        return _open(offer);
    }

    /// @dev Takes a worker out of the pool.
    function _leave(uint256 who) private {
        vm.prank(_operator(who));
        workforce.leavePool(_worker(who));
    }

    function test_hole_03_dissentShownAsBareStillOpposes() public {
        // Three liars, four honest dissenters that the coordinator shows as never having revealed.
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(_offer(), 10, 7);
        Play[] memory liars = _some(seated, 0, 3, 0);
        Play[] memory honest = _some(seated, 3, 4, BARE);
        Draft memory draft = _draft(terms, 0, _both(liars, honest));
        // 64 against 1 + 4 * 4.
        vm.expectRevert(abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 3_764_705, 50_000_000));
        _post(draft);
        // With the dissent shown, 64 against 1 + 256.
        for (uint256 i; i < 4; ++i) {
            honest[i].claim = 1;
        }
        draft = _draft(terms, 0, _both(liars, honest));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 249_027, 50_000_000));
        _post(draft);
    }

    function test_hole_03_silenceIsSlashedLikeDissent() public {
        Terms memory terms = _openForAll();
        uint256 before = _word(7).bond();
        CertifiedBatch memory done =
            _certify(_draft(terms, 0, _both(_both(_all(0, 6, 0), _all(6, 1, 1)), _all(7, 1, BARE))));
        vm.assertEq(_word(7).bond(), before - 80);
        vm.assertEq(_word(6).bond(), before - 80);
        vm.assertEq(done.members.length, 8);
    }

    function test_hole_03_whoWasNotSilentShowsIt() public {
        Terms memory terms = _openForAll();
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(7, 1, BARE))));
        uint256 index = _indexOf(done, 7);
        _show(terms, done, index, 7, _claims()[0]);
        vm.assertEq(_fees(7), 80 * UNIT);
    }

    function test_hole_03_aContradictionIsRecordedForTheCourt() public {
        Terms memory terms = _openForAll();
        Play[] memory silent = _all(7, 1, BARE);
        silent[0].hidden = 1;
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_all(0, 6, 0), silent)));
        uint256 index = _indexOf(done, 7);
        vm.expectEmit(address(recourse));
        emit IRecourse.Contradicted(terms.dealId, 0, _worker(7), WRONG, FUEL);
        this.show(terms, done, index, 7, _claims()[1]);
    }

    /// @dev For expectations about the next call.
    function show(Terms memory terms, CertifiedBatch memory done, uint256 index, uint256 who, Claim memory claim)
        external
    {
        _show(terms, done, index, who, claim);
    }

    function test_hole_07_slashesStayInEscrowUntilFinal() public {
        Terms memory terms = _openForAll();
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(6, 1, 1))));
        uint256 fees = _fees(0);
        vm.expectRevert(abi.encodeWithSelector(IRecourse.TooEarly.selector, done.certificate.finalAt));
        this.release(terms, done);
        vm.assertEq(_burnt(), 0);
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        // 80 units: a fifth burnt; nobody worked more than needed; the rest to the six.
        vm.assertEq(_burnt(), 16 * UNIT);
        vm.assertEq(_fees(0), fees + 64 * UNIT / 6);
        vm.expectPartialRevert(IRecourse.WrongStatus.selector);
        this.release(terms, done);
    }

    function release(Terms memory terms, CertifiedBatch memory done) external {
        _release(terms, done);
    }

    function test_hole_07_exposureCoversFeeJuryAndRefundShare() public {
        Terms memory terms = _openForAll();
        _certifyBy(terms, 0, 6);
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        vm.assertGe(_exposure(0) * UNIT, 2 * gross + uint256(APP_PRICE) / 6);
    }

    function test_hole_07_slashingOneselfCosts() public {
        // All seven belong together: what one loses, a fifth of it comes back to none of them.
        Terms memory terms = _openForAll();
        uint256 lost = _word(6).bond();
        uint256 payer = _balance(requester);
        uint256 earned;
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(6, 1, 1))));
        payer = _balance(requester);
        for (uint256 i; i < 6; ++i) {
            earned += _fees(i);
        }
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        uint256 back = _balance(requester) - payer;
        for (uint256 i; i < 6; ++i) {
            back += _fees(i);
        }
        lost = (lost - _word(6).bond()) * UNIT;
        vm.assertEq(back - earned, lost - lost / 5);
    }

    function test_hole_11_aLoneDissentLosesTwiceTheFeeAtMost() public {
        Terms memory terms = _openForAll();
        uint256 before = _word(6).bond();
        _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(6, 1, 1))));
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        vm.assertEq((before - _word(6).bond()) * UNIT, 2 * gross);
    }

    function test_hole_12_agreeingEarnsNoReputation() public {
        Terms memory terms = _openForAll();
        CertifiedBatch memory done = _certifyBy(terms, 0, 6);
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        vm.assertEq(_word(0).reputation(), 0);
        // Only the Court, for audited certificates.
        _expect(IWorkforce.NotAllowed.selector, address(this));
        workforce.earn(_worker(0), pool, 1);
        vm.prank(address(court));
        workforce.earn(_worker(0), pool, 7);
        vm.assertEq(_word(0).reputation(), 7);
        // It does not travel.
        vm.prank(address(court));
        workforce.earn(_worker(0), pool + 1, 7);
        vm.assertEq(_word(0).reputation(), 7);
    }

    function test_hole_12_reputationNeverReplacesSeats() public {
        // However famous, a worker counts as f / 20 at best, and never as two operators.
        for (uint256 i; i < 2; ++i) {
            vm.prank(address(court));
            workforce.earn(_worker(i), pool, 65_535);
        }
        Offer memory offer = _offer();
        offer.request.policy.countReputation = true;
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(offer, 2, 2);
        Draft memory draft = _draft(terms, 0, _some(seated, 0, 2, 0));
        // 99 * 99 = 9,801 would do for the odds of 50.
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooFewOperators.selector, 2, 3));
        _post(draft);
    }

    function test_hole_12_aWrongContributionSetsReputationToZero() public {
        Terms memory terms = _openForAll();
        vm.prank(address(court));
        workforce.earn(_worker(6), pool, 500);
        _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(6, 1, 1))));
        vm.assertEq(_word(6).reputation(), 0);
    }

    function test_hole_12_reputationDoesNotFollowAMove() public {
        vm.prank(address(court));
        workforce.earn(_worker(0), pool, 500);
        vm.prank(poolOwner);
        uint32 other = workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, "other");
        vm.prank(_operator(0));
        workforce.move(_worker(0), other, 1);
        vm.assertEq(_word(0).reputation(), 0);
    }

    function test_hole_13_everyOperatorHasAMinimumBond() public {
        bytes memory signature = _workerKeySignature(20, _operator(20), pool);
        _fund(_operator(20), BOND);
        vm.prank(_operator(20));
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.BondTooSmall.selector, MINIMUM_BOND - UNIT, MINIMUM_BOND));
        workforce.join(_worker(20), pool, 1, MINIMUM_BOND - UNIT, signature);
    }

    /// @dev `docs/encoding.md` section 7.
    function _deliveryHash(Terms memory terms) private pure returns (bytes32) {
        uint256 callback =
            uint256(uint160(terms.callback)) | uint256(terms.callbackGas) << 160 | uint256(terms.pool) << 192;
        uint256 sizes = uint256(terms.taskCount) | uint256(terms.batchSize) << 32 | uint256(terms.deliveryTip) << 64;
        return keccak256(abi.encode(terms.requester, terms.app, terms.dataset, terms.inputs, callback, sizes));
    }

    function test_hole_13_certificateNamesPoolPolicyAndSeed() public {
        Terms memory terms = _openForAll();
        CertifiedBatch memory done = _certifyBy(terms, 0, 6);
        // The pool is among what a delivery tells a consumer of the terms.
        vm.assertEq(done.certificate.delivery, _deliveryHash(terms));
        vm.assertEq(done.certificate.seats, 6);
        vm.assertEq(done.certificate.policy.faultyShareBps(), 2000);
        // They are under the hash: another policy is another certificate.
        done.certificate.policy = terms.policy;
        bytes32 right = certifier.hashCertificate(done.certificate);
        terms.pool += 1;
        done.certificate.delivery = _deliveryHash(terms);
        vm.assertNotEq(certifier.hashCertificate(done.certificate), right);
        vm.expectPartialRevert(bytes4(keccak256("WrongCertificate(bytes32,uint256)")));
        certifier.statusOf(done.certificate);
    }

    function test_hole_16_dissentTakesOnlyTheFreeHalf() public {
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 6;
        offer.request.policy.replicasMax = 16;
        offer.request.policy.collateralMin = 41e18;
        _leave(9);
        // A worker with the smallest bond, with nearly half of it at risk.
        vm.prank(_operator(6));
        workforce.leavePool(_worker(6));
        vm.warp(block.timestamp + 8 days);
        vm.startPrank(_operator(6));
        workforce.withdrawBond(_worker(6), BOND - MINIMUM_BOND);
        workforce.wake(_worker(6));
        vm.stopPrank();
        _mine(1, 12);
        offer = _fresh(offer);
        (Terms memory terms,) = _openUntilSeated(offer, 6);
        _certifyWith(terms, 6, 0, FUEL);
        uint256 atRisk = _exposure(6);
        vm.assertGt(atRisk, 0);
        offer.request.policy.collateralMin = 0;
        offer.request.fuelLimit = 1_000_000_000;
        offer.request.salt = "second";
        (terms,) = _openUntilSeated(offer, 6);
        CertifiedBatch memory done = _certifyWith(terms, 6, 1, 900_000_000);
        // Twice the fee is 18 tokens: more than the whole bond.
        vm.assertEq(_word(6).bond(), atRisk);
        vm.assertEq(done.members[_indexOf(done, 6)].slash(), 10_000 - atRisk);
    }

    /// @dev An offer with new dates.
    function _fresh(Offer memory offer) private returns (Offer memory fresh) {
        fresh = _offer();
        fresh.request.policy = offer.request.policy;
    }

    function _openUntilSeated(Offer memory offer, uint256 who) private returns (Terms memory terms, uint256 tries) {
        do {
            offer.request.salt = keccak256(abi.encode(offer.request.salt));
            terms = _open(offer);
        } while (!_hasSeat(terms, 0, who, 0) || _seatedBeside(terms, who).length < 6);
        return (terms, tries);
    }

    function _seatedBeside(Terms memory terms, uint256 who) private view returns (uint256[] memory others) {
        others = _seated(terms, 9);
        uint256 count;
        for (uint256 i; i < others.length; ++i) {
            if (others[i] != who) others[count++] = others[i];
        }
        assembly ("memory-safe") {
            mstore(others, count)
        }
    }

    /// @dev Everybody beside `who` agrees; `who` makes `claim`.
    function _certifyWith(Terms memory terms, uint256 who, uint8 claim, uint64 fuel)
        private
        returns (CertifiedBatch memory)
    {
        Claim[] memory claims = _claims();
        (claims[0].fuel, claims[1].fuel) = (fuel, fuel);
        uint256[] memory others = _seatedBeside(terms, who);
        return _certify(_draftOf(terms, 0, claims, _both(_some(others, 0, others.length, 0), _all(who, 1, claim))));
    }

    function test_hole_17_withheldBytesVoidTheRoundAndCostNobody() public {
        Terms memory terms = _openForAll();
        uint256 payer = _balance(requester);
        uint256 bond = _word(0).bond();
        Draft memory draft = _draft(terms, 0, _both(_all(0, 6, UNAVAILABLE), _all(6, 1, BARE)));
        vm.expectEmit(address(certifier));
        emit ICertifier.RoundVoided(terms.dealId, 0, 0);
        _postVoid(draft);
        vm.assertEq(_status(terms, 0), VOID);
        vm.assertEq(_balance(requester), payer + _lockOf(terms, 1));
        vm.assertEq(_word(0).bond(), bond);
        vm.assertEq(_word(6).bond(), bond);
        vm.assertEq(_exposure(0), 0);
        vm.expectPartialRevert(ICertifier.WrongStatus.selector);
        _postVoid(draft);
    }

    function test_hole_17_unavailableOpposesACertificateAndIsNotSlashed() public {
        Terms memory terms = _openForAll();
        uint256 bond = _word(7).bond();
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(7, 1, UNAVAILABLE))));
        vm.assertEq(done.certificate.odds, 819_200_000);
        vm.assertEq(_word(7).bond(), bond);
        vm.assertEq(_fees(7), 0);
    }

    function test_hole_17_twoClaimsOfOneRootDoNotHalveTheOpposition() public {
        // Four say that the bytes are withheld, two answer: as one group they weigh 16, split into two claims 8.
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(_offer(), 10, 7);
        Play[] memory answers = _some(seated, 5, 2, 0);
        answers[1].claim = 1;
        Claim[] memory claims = _claims();
        claims[1] = claims[0];
        Draft memory draft = _draftOf(terms, 0, claims, _both(_some(seated, 0, 5, UNAVAILABLE), answers));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.BadClaim.selector, 1));
        _postVoid(draft);
    }

    function test_hole_20_aDissentCostsTwiceTheFeeWithoutCollateral() public {
        Terms memory terms = _openForAll();
        vm.assertEq(terms.policy.collateralMin(), 0);
        uint256 before = _word(6).bond();
        _certify(_draft(terms, 0, _both(_all(0, 6, 0), _all(6, 1, 1))));
        vm.assertEq(before - _word(6).bond(), 80);
    }

    function test_hole_20_extraExecutionsArePaidBackFirst() public {
        // Three would do; a dissenter made it five.
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(_offer(), 10, 6);
        CertifiedBatch memory done = _certify(_draft(terms, 0, _both(_some(seated, 0, 5, 0), _some(seated, 5, 1, 1))));
        uint256 payer = _balance(requester);
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        // 80 units less 16 burnt: both extra executions cost 80, so all that is left.
        vm.assertEq(_balance(requester) - payer, 64 * UNIT);
    }

    function test_hole_25_whoeverPostsLateEarnsThePoolsShare() public {
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 6;
        offer.request.policy.replicasMax = 16;
        _leave(9);
        Terms memory terms = _open(offer);
        vm.warp(terms.opened.time() + 3 * _patience(terms) + 300);
        uint256 id = vm.snapshotState();
        _certifyBy(terms, 0, 6);
        vm.assertEq(_balance(poster), 0);
        vm.revertToState(id);
        vm.warp(block.timestamp + 1);
        _certifyBy(terms, 0, 6);
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        vm.assertEq(_balance(poster), 6 * gross / 10);
    }

    function test_hole_26_oneSeatAnOperatorARound() public {
        _leave(9);
        _join(0, 20, BOND);
        _mine(1, 12);
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 8;
        offer.request.policy.replicasMax = 16;
        Terms memory terms = _open(offer);
        Draft memory draft = _draft(terms, 0, _both(_all(0, 8, 0), _all(20, 1, 0)));
        vm.expectPartialRevert(ICertifier.SameOperator.selector);
        _post(draft);
    }

    function test_hole_26_aSecondWorkerOnChainCannotStopTheList() public {
        // The operator of listed worker 0 commits and reveals rubbish with another worker: it is left out.
        (Terms memory terms, LogItem[] memory log) = _secondWorkerOnChain(_claims()[1], 0);
        Draft memory draft = _draft(terms, 0, _all(0, 6, 0));
        draft.claims = _claims();
        draft.log = log;
        CertifiedBatch memory done = _certify(draft);
        vm.assertEq(done.certificate.seats, 6);
        vm.assertEq(done.certificate.odds, 4_096_000_000);
        vm.assertEq(_fees(20), 0);
    }

    function test_hole_26_aSecondWorkerOnChainCannotThinTheStake() public {
        // The same, but it agrees: it shares neither the fee nor the collateral.
        (Terms memory terms, LogItem[] memory log) = _secondWorkerOnChain(_claims()[0], 60e18);
        Draft memory draft = _draft(terms, 0, _all(0, 6, 0));
        draft.log = log;
        CertifiedBatch memory done = _certify(draft);
        vm.assertEq(done.certificate.seats, 6);
        vm.assertGe(done.certificate.stake, 60e18);
    }

    /// @dev Operator 0's second worker commits to a claim on chain and reveals it.
    function _secondWorkerOnChain(Claim memory claim, uint96 collateral)
        private
        returns (Terms memory terms, LogItem[] memory log)
    {
        _leave(9);
        _leave(8);
        _join(0, 20, BOND);
        _mine(1, 12);
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 6;
        offer.request.policy.replicasMax = 16;
        offer.request.policy.collateralMin = collateral;
        terms = _open(offer);
        log = _commitOnChain(terms, 0, _none, 20, claim);
        log = _revealOnChain(terms, 0, log, 0, 20, claim);
    }

    function test_hole_28_parametersOfAnOpenDealDoNotMove() public {
        Terms memory terms = _openForAll();
        Parameters memory parameters = _parameters();
        parameters.protocolFeeBps = 1000;
        parameters.patienceBaseSecs = 3600;
        vm.prank(protocolOwner);
        market.setParameters(parameters);
        vm.prank(poolOwner);
        workforce.setPool(pool, coordinator, 5000, true);
        _certifyBy(terms, 0, 6);
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        // A tenth to the pool, a twentieth to the protocol, as opened.
        vm.assertEq(_fees(0), gross - gross / 10 - gross / 20);
        vm.assertEq(vault.protocolFeesOf(pool), 6 * gross / 20);
    }

    function test_hole_41_exposureCapsTheCertificatesOfAWindow() public {
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 6;
        offer.request.policy.replicasMax = 16;
        offer.request.policy.collateralMin = 150e18;
        _leave(9);
        // 25 of 100 tokens each time: two certificates fill half a bond.
        for (uint256 i; i < 3; ++i) {
            offer.request.salt = keccak256(abi.encode(offer.request.salt));
            Terms memory terms = _open(offer);
            Draft memory draft = _draft(terms, 0, _all(0, 6, 0));
            if (i == 2) vm.expectPartialRevert(ICertifier.ExposureTooHigh.selector);
            _post(draft);
        }
        // Two buckets later it is free again.
        _mine(1, 10 days);
        Offer memory later = _fresh(offer);
        Terms memory again = _open(later);
        _certifyBy(again, 0, 6);
    }
}

/// @title Two signed messages that prove a fault
contract EquivocationHolesTest is Plays {
    bytes32 private constant ROUND = keccak256("round");

    function setUp() public {
        _buildCity(3);
    }

    function _contribution(uint256 who, bytes32 root) private view returns (IRecourse.SignedClaim memory signed) {
        signed.root = root;
        signed.fuel = FUEL;
        signed.listHash = keccak256("list");
        (signed.r, signed.vs) =
            _signMessage(_workerKey(who), _contributionHash(ROUND, 0, Claim(root, FUEL), signed.listHash));
    }

    function test_hole_21_twoContributionsOfOneWorkerCostItsBond() public {
        IRecourse.SignedClaim memory a = _contribution(0, RIGHT);
        IRecourse.SignedClaim memory b = _contribution(0, WRONG);
        vm.prank(stranger);
        recourse.proveWorkerFault(_worker(0), ROUND, a, b);
        vm.assertEq(_balance(stranger), BOND / 10);
        vm.assertEq(_burnt(), BOND - BOND / 10);
        vm.assertEq(_word(0).bond(), 0);
        vm.assertEq(_word(0).activeFrom(), WorkerWords.EXPELLED);
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        recourse.proveWorkerFault(_worker(0), ROUND, a, b);
    }

    /// @dev A worker contributes to a round once: a second word with another wave or list is a fault too, whatever it claims.
    function test_hole_21_oneClaimUnderTwoListsOrWavesCostsItsBond() public {
        IRecourse.SignedClaim memory a = _contribution(0, RIGHT);
        uint256 state = vm.snapshotState();
        for (uint256 i; i < 2; ++i) {
            IRecourse.SignedClaim memory b = _contribution(0, RIGHT);
            if (i == 0) b.listHash = keccak256("another list");
            else b.wave = 1;
            (b.r, b.vs) = _signMessage(_workerKey(0), _contributionHash(ROUND, b.wave, Claim(RIGHT, FUEL), b.listHash));
            recourse.proveWorkerFault(_worker(0), ROUND, a, b);
            vm.assertEq(_word(0).activeFrom(), WorkerWords.EXPELLED);
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_hole_21_oneContributionTwiceIsNoFault() public {
        IRecourse.SignedClaim memory a = _contribution(0, RIGHT);
        vm.expectRevert(IRecourse.NoFault.selector);
        recourse.proveWorkerFault(_worker(0), ROUND, a, a);
        IRecourse.SignedClaim memory b = _contribution(1, WRONG);
        _expect(IRecourse.BadSignature.selector, _worker(0));
        recourse.proveWorkerFault(_worker(0), ROUND, a, b);
    }

    function test_hole_21_twoCommitmentsOfOneWorkerCostItsBond() public {
        bytes32[2] memory commitments = [keccak256("a"), keccak256("b")];
        bytes32[2] memory rs;
        bytes32[2] memory vss;
        for (uint256 i; i < 2; ++i) {
            (rs[i], vss[i]) = _signMessage(_workerKey(0), _commitmentHash(ROUND, i, commitments[i]));
        }
        recourse.proveDoubleCommitment(_worker(0), ROUND, [0, 1], commitments, rs, vss);
        vm.assertEq(_word(0).activeFrom(), WorkerWords.EXPELLED);
        commitments[1] = commitments[0];
        vm.expectRevert(IRecourse.NoFault.selector);
        recourse.proveDoubleCommitment(_worker(0), ROUND, [0, 1], commitments, rs, vss);
    }

    /// @dev A worker's signature over another commitment than the one that stands on chain.
    function _signedCommitment(uint256 who, bytes32 roundId, bytes32 commitment)
        private
        view
        returns (IRecourse.SignedCommitment memory signed)
    {
        signed.commitment = commitment;
        (signed.r, signed.vs) = _signMessage(_workerKey(who), _commitmentHash(roundId, 0, commitment));
    }

    function test_hole_21_aCommitmentOnChainAgainstASignedOneCostsItsBond() public {
        Terms memory terms = _open(_offer());
        bytes32 roundId = _roundId(terms, 0);
        LogItem[] memory log;
        for (uint256 i; i < 2; ++i) {
            log = _commitOnChain(terms, 0, log, i, _claims()[0]);
        }
        log = _revealOnChain(terms, 0, log, 1, 1, _claims()[0]);
        bytes32 dealId = terms.dealId;
        IRecourse.SignedCommitment memory signed = _signedCommitment(1, roundId, log[1].a);
        // The same twice, a reveal, somebody else's commitment, another log, another round.
        vm.expectRevert(IRecourse.NoFault.selector);
        recourse.proveCommitmentFault(dealId, 0, roundId, log, 1, signed);
        signed = _signedCommitment(1, roundId, "another");
        vm.expectRevert(IRecourse.NoFault.selector);
        recourse.proveCommitmentFault(dealId, 0, roundId, log, 2, signed);
        _expect(IRecourse.BadSignature.selector, _worker(0));
        recourse.proveCommitmentFault(dealId, 0, roundId, log, 0, signed);
        LogItem[] memory other = _with(log, log[0]);
        vm.expectPartialRevert(IRecourse.WrongLog.selector);
        recourse.proveCommitmentFault(dealId, 0, roundId, other, 1, signed);
        signed = _signedCommitment(1, ROUND, "another");
        vm.expectPartialRevert(IRecourse.WrongLog.selector);
        recourse.proveCommitmentFault(dealId, 0, ROUND, log, 1, signed);
        // Two promises for one round. What the first one has at risk stays until it is at risk no more.
        signed = _signedCommitment(1, roundId, "another");
        uint256 free = BOND / UNIT - _exposure(1);
        vm.prank(stranger);
        recourse.proveCommitmentFault(dealId, 0, roundId, log, 1, signed);
        vm.assertEq(_word(1).activeFrom(), WorkerWords.EXPELLED);
        vm.assertEq(_balance(stranger), free * UNIT / 10);
    }

    /// @dev The log's hash outlives an expiry, so the fault can still be proven.
    function test_hole_21_aCommitmentOnChainIsProvableAfterExpiry() public {
        Terms memory terms = _open(_offer());
        bytes32 roundId = _roundId(terms, 0);
        LogItem[] memory none;
        LogItem[] memory log = _commitOnChain(terms, 0, none, 0, _claims()[0]);
        vm.warp(terms.deadline + 601);
        certifier.expire(terms, 0, roundId, log);
        recourse.proveCommitmentFault(terms.dealId, 0, roundId, log, 0, _signedCommitment(0, roundId, "another"));
        vm.assertEq(_word(0).activeFrom(), WorkerWords.EXPELLED);
    }

    /// @dev The certificate takes the log's place in the slot, and keeps its hash.
    function test_hole_21_aCommitmentOnChainIsProvableAfterACertificate() public {
        Terms memory terms = _open(_offer());
        bytes32 roundId = _roundId(terms, 0);
        LogItem[] memory log;
        log = _commitOnChain(terms, 0, log, 0, _claims()[1]);
        Draft memory draft = _draft(terms, 0, _all(0, 3, 0));
        draft.log = log;
        CertifiedBatch memory done = _certify(draft);
        vm.assertEq(done.trail & type(uint40).max, block.number);
        IRecourse.SignedCommitment memory signed = _signedCommitment(0, roundId, _commitment(0, roundId, _claims()[0]));
        vm.expectPartialRevert(IRecourse.WrongLog.selector);
        recourse.proveCommitmentFault(terms.dealId, 0, roundId, log, 0, signed);
        vm.expectPartialRevert(IRecourse.WrongLog.selector);
        recourse.proveCertifiedCommitmentFault(done, roundId, _with(log, log[0]), 0, signed);
        CertifiedBatch memory forged = done;
        forged.trail += 1 << 40;
        vm.expectPartialRevert(Certificates.WrongCertificate.selector);
        recourse.proveCertifiedCommitmentFault(forged, roundId, log, 0, signed);
        forged.trail -= 1 << 40;
        recourse.proveCertifiedCommitmentFault(done, roundId, log, 0, signed);
        vm.assertEq(_word(0).activeFrom(), WorkerWords.EXPELLED);
    }

    function test_hole_21_twoListsOfOneCoordinatorCostThePoolsDeposit() public {
        bytes32[2] memory lists = [keccak256("a"), keccak256("b")];
        bytes32[2] memory rs;
        bytes32[2] memory vss;
        for (uint256 i; i < 2; ++i) {
            (rs[i], vss[i]) = _signMessage(COORDINATOR_KEY, _listStructHash(ROUND, 0, lists[i]));
        }
        vm.prank(stranger);
        recourse.proveCoordinatorFault(coordinator, ROUND, 0, lists, rs, vss);
        vm.assertEq(_balance(stranger), MINIMUM_DEPOSIT / 10);
        vm.assertTrue(workforce.poolOf(pool).closing());
        Offer memory offer = _sign(_offer());
        vm.expectRevert(abi.encodeWithSelector(IMarket.PoolClosed.selector, pool));
        _match(offer);
    }

    function test_hole_21_anotherCoordinatorDoesNotShakeOffOldLists() public {
        vm.prank(poolOwner);
        workforce.setPool(pool, address(0xc1), 1000, false);
        vm.assertEq(workforce.poolOfCoordinator(coordinator), pool);
        test_hole_21_twoListsOfOneCoordinatorCostThePoolsDeposit();
    }
}
