// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Pools} from "./Pools.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Domain, SignatureChecks} from "./libraries/SignatureChecks.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {MemberWord, PoolWord, WorkerWord} from "./types/Workers.sol";

/// @title Workforce
/// @notice Operators, workers, bonds, reputation, exposure: see {IWorkforce}; its pools are in {Pools}.
/// @dev Knows bonds, not rounds: who has a seat and who was wrong is {Certifier}'s to say.
contract Workforce is Pools, Domain {
    bytes32 private constant WORKER_KEY = keccak256("WorkerKey(address operator,uint32 pool)");
    /// @dev One part in ten of a full slash goes to who proved the fault; the rest is burnt, so that nobody gains by
    /// slashing himself.
    uint256 private constant REPORTER_PART = 10;

    /// @notice May settle certificates.
    address public immutable certifier;
    /// @notice May expel, and put to sleep.
    address public immutable recourse;
    /// @notice May add reputation and slash after a verdict; zero = no Court.
    address public immutable court;
    /// @notice May put stake at risk and slash after a verdict; zero = no Inquest.
    address private immutable _inquest;
    /// @inheritdoc IWorkforce
    uint256 public immutable minimumBond;

    /// @notice Operators registered so far; numbers count from 1.
    uint32 public operators;
    mapping(address worker => WorkerWord word) private _workers;
    /// @inheritdoc IWorkforce
    mapping(address operator => uint32 number) public operatorNumber;
    /// @inheritdoc IWorkforce
    mapping(uint32 number => address operator) public operatorAddress;
    /// @inheritdoc IWorkforce
    mapping(address worker => uint64 time) public readyAt;
    /// @inheritdoc IWorkforce
    mapping(uint256 runtime => uint256 units) public runtimeBond;

    constructor(
        address vault_,
        address certifier_,
        address recourse_,
        address court_,
        address inquest_,
        uint256 minimumBond_,
        uint256 minimumDeposit_
    ) Pools(vault_, minimumDeposit_) {
        if (minimumBond_ < WorkerWords.BOND_UNIT) {
            revert BondTooSmall(minimumBond_, WorkerWords.BOND_UNIT);
        }
        certifier = certifier_;
        recourse = recourse_;
        court = court_;
        _inquest = inquest_;
        minimumBond = minimumBond_;
    }

    modifier only(address caller) {
        if (msg.sender != caller) revert NotAllowed(msg.sender);
        _;
    }

    /// @inheritdoc IWorkforce
    function join(address worker, uint32 pool, uint8 runtime, uint256 bond, bytes calldata workerSignature) external {
        if (WorkerWord.unwrap(_workers[worker]) != 0) revert KeyTaken(worker);
        bytes32 structHash = keccak256(abi.encode(WORKER_KEY, msg.sender, pool));
        if (!_signedByKey(worker, structHash, workerSignature)) revert BadWorkerKey(worker);
        uint256 units = _units(bond);
        if (bond < minimumBond) revert BondTooSmall(bond, minimumBond);
        _admit(pool, runtime);
        uint32 operator = operatorNumber[msg.sender];
        if (operator == 0) {
            operator = ++operators;
            operatorNumber[msg.sender] = operator;
            operatorAddress[operator] = msg.sender;
            emit OperatorRegistered(operator, msg.sender);
        }
        WorkerWord word = WorkerWords.pack(operator, pool, block.number, units, runtime);
        _workers[worker] = word;
        _addBonds(word, units);
        emit WorkerJoined(worker, operator, pool, runtime, bond);
        vault.take(uint160(msg.sender), bond);
    }

    /// @inheritdoc IWorkforce
    function addBond(address worker, uint256 amount) external {
        WorkerWord word = _ownedBy(msg.sender, worker);
        uint256 units = _units(amount);
        if (word.activeFrom() == WorkerWords.EXPELLED) revert WrongState(worker, word.activeFrom());
        word = word.withBond(_bondOf(word.bond() + units));
        if (word.active()) {
            word = word.withActiveFrom(block.number);
            _addBonds(word, units);
        }
        _store(worker, word);
        vault.take(uint160(msg.sender), amount);
    }

    /// @inheritdoc IWorkforce
    function move(address worker, uint32 pool, uint8 runtime) external {
        WorkerWord word = _ownedBy(msg.sender, worker);
        if (!word.active()) revert WrongState(worker, word.activeFrom());
        _admit(pool, runtime);
        _subBonds(word, word.bond());
        word = word.withPlace(pool, runtime);
        _addBonds(word, word.bond());
        _store(worker, word.withActiveFrom(block.number));
    }

    /// @inheritdoc IWorkforce
    function leavePool(address worker) external {
        WorkerWord word = _ownedBy(msg.sender, worker);
        uint256 from = word.activeFrom();
        if (from == WorkerWords.EXPELLED || from == WorkerWords.LEAVING) revert WrongState(worker, from);
        if (word.active()) _subBonds(word, word.bond());
        uint64 ready = uint64(block.timestamp + WorkerWords.UNBONDING);
        readyAt[worker] = ready;
        emit WorkerLeaving(worker, ready);
        _store(worker, word.withActiveFrom(WorkerWords.LEAVING));
    }

    /// @inheritdoc IWorkforce
    function wake(address worker) external {
        WorkerWord word = msg.sender == worker ? _known(worker) : _ownedBy(msg.sender, worker);
        uint256 from = word.activeFrom();
        if (from != WorkerWords.DORMANT && from != WorkerWords.LEAVING) revert WrongState(worker, from);
        uint256 bond = word.bond() * WorkerWords.BOND_UNIT;
        if (bond < minimumBond) revert BondTooSmall(bond, minimumBond);
        readyAt[worker] = 0;
        _addBonds(word, word.bond());
        _store(worker, word.withActiveFrom(block.number));
    }

    /// @inheritdoc IWorkforce
    function withdrawBond(address worker, uint256 amount) external {
        WorkerWord word = _ownedBy(msg.sender, worker);
        if (word.activeFrom() != WorkerWords.LEAVING) revert WrongState(worker, word.activeFrom());
        if (block.timestamp < readyAt[worker]) revert StillBonded(worker, readyAt[worker]);
        uint256 units = _units(amount);
        if (units > word.bond()) revert BondTooSmall(word.bond() * WorkerWords.BOND_UNIT, amount);
        // Unbonding outlasts every certificate made before; what the worker had standing on chain may have come later.
        uint256 atRisk = _rolled(word).exposure();
        uint256 left = word.bond() - units;
        if (2 * atRisk > left) revert ExposureExceeded(worker, atRisk, left);
        _store(worker, word.withBond(left));
        emit BondWithdrawn(worker, amount);
        vault.give(uint160(msg.sender), amount);
    }

    /// @inheritdoc IWorkforce
    function burnExpelled(address worker) external {
        WorkerWord word = _known(worker);
        if (word.activeFrom() != WorkerWords.EXPELLED) revert WrongState(worker, word.activeFrom());
        if (block.timestamp < readyAt[worker]) revert StillBonded(worker, readyAt[worker]);
        uint256 amount = word.bond() * WorkerWords.BOND_UNIT;
        _store(worker, word.withBond(0));
        vault.give(Accounts.BURNT, amount);
    }

    /// @inheritdoc IWorkforce
    function collectOperatorFees() external returns (uint256 amount) {
        uint32 operator = operatorNumber[msg.sender];
        if (operator == 0) revert NotAllowed(msg.sender);
        return vault.collect(Accounts.ofOperator(operator), msg.sender);
    }

    /// @inheritdoc IWorkforce
    function settle(MemberWord[] calldata members) external returns (WorkerWord[] memory words) {
        if (msg.sender != certifier && msg.sender != court && msg.sender != _inquest) revert NotAllowed(msg.sender);
        uint256 bucket = WorkerWords.bucketAt(block.timestamp);
        words = new WorkerWord[](members.length);
        for (uint256 i; i < members.length;) {
            MemberWord member = members[i];
            address worker = member.worker();
            WorkerWord word = _workers[worker].roll(bucket);
            if (word.operator() == 0) revert UnknownWorker(worker);
            words[i] = word;
            uint256 amount = member.exposure();
            if (amount != 0) {
                uint256 room = word.room();
                word = word.withExposure(amount < room ? amount : room);
            }
            amount = member.slash();
            if (amount != 0) word = _slash(word, amount);
            _workers[worker] = word;
            unchecked {
                ++i;
            }
        }
        assembly ("memory-safe") {
            // The answer as the encoder would make it: offset, length, words.
            let size := add(mul(mload(words), 32), 32)
            let free := mload(0x40)
            mstore(free, 32)
            mcopy(add(free, 32), words, size)
            return(free, add(size, 32))
        }
    }

    /// @inheritdoc IWorkforce
    function expel(address worker, address reporter) external only(recourse) {
        WorkerWord word = _rolled(_known(worker));
        if (word.activeFrom() == WorkerWords.EXPELLED) revert WrongState(worker, word.activeFrom());
        if (word.active()) _subBonds(word, word.bond());
        // What stands behind certificates stays until it is at risk no more: see burnExpelled.
        uint256 atRisk = word.exposure();
        uint256 amount = (word.bond() > atRisk ? word.bond() - atRisk : 0) * WorkerWords.BOND_UNIT;
        readyAt[worker] = uint64(block.timestamp + WorkerWords.UNBONDING);
        _store(
            worker,
            word.withBond(word.bond() - amount / WorkerWords.BOND_UNIT).withReputation(0)
                .withActiveFrom(WorkerWords.EXPELLED)
        );
        emit Expelled(worker, amount, reporter);
        _reward(reporter, amount);
    }

    /// @inheritdoc IWorkforce
    function slashPool(address coordinator, address reporter) external only(recourse) {
        (uint32 pool, uint256 deposit) = _slashPool(coordinator);
        emit PoolSlashed(pool, deposit, reporter);
        _reward(reporter, deposit);
    }

    /// @inheritdoc IWorkforce
    function makeDormant(address worker) external only(recourse) {
        WorkerWord word = _rolled(_known(worker));
        if (!word.active()) revert WrongState(worker, word.activeFrom());
        // Every certificate that a worker takes part in leaves exposure for a whole bucket at least.
        if (word.exposure() != 0) revert StillActive(worker);
        _subBonds(word, word.bond());
        emit WorkerDormant(worker);
        _store(worker, word.withActiveFrom(WorkerWords.DORMANT));
    }

    /// @inheritdoc IWorkforce
    function earn(address worker, uint32 pool, uint256 points) external only(court) {
        WorkerWord word = _known(worker);
        if (word.pool() != pool) return;
        uint256 total = word.reputation() + points;
        if (total > type(uint16).max) total = type(uint16).max;
        // Fits: saturated above.
        emit ReputationEarned(worker, uint16(total));
        _store(worker, word.withReputation(total));
    }

    /// @inheritdoc IWorkforce
    function punish(address worker, uint256 units, uint256 since) external returns (uint256 slashed) {
        if (msg.sender != court && msg.sender != _inquest) revert NotAllowed(msg.sender);
        WorkerWord word;
        (word, slashed) = _takeAtRisk(worker, units, since);
        _store(worker, word.withReputation(0));
    }

    /// @inheritdoc IWorkforce
    function takeBack(address worker, uint256 units, uint256 since) external only(court) returns (uint256 taken) {
        WorkerWord word;
        (word, taken) = _takeAtRisk(worker, units, since);
        _store(worker, word);
    }

    /// @inheritdoc IWorkforce
    function workerOf(address worker) external view returns (WorkerWord) {
        return _workers[worker];
    }

    /// @dev Takes up to `units` of what is not at risk, and the reputation; the word is rolled.
    function _slash(WorkerWord word, uint256 units) private returns (WorkerWord) {
        uint256 most = word.slashable();
        uint256 taken = units < most ? units : most;
        if (word.active()) _subBonds(word, taken);
        return word.withBond(word.bond() - taken).withReputation(0);
    }

    /// @dev Splits a full slash between the reporter and nobody.
    function _reward(address reporter, uint256 amount) private {
        uint256 part = amount / REPORTER_PART;
        vault.give(uint160(reporter), part);
        vault.give(Accounts.BURNT, amount - part);
    }

    /// @dev Checks that the caller may bring a worker into a pool.
    function _admit(uint32 pool, uint8 runtime) private view {
        PoolWord word = _pools[pool];
        if (word.owner() == address(0)) revert UnknownPool(pool);
        if (runtime == 0) revert OutOfBounds(0, type(uint8).max);
        if (word.invitation() && !invited[pool][msg.sender]) revert NotInvited(pool, msg.sender);
    }

    /// @dev Up to `units` of a bond, of what is at risk too, unless what was put at risk at `since` is over: then of the rest.
    /// What stays at risk is at most what stays of the bond.
    function _takeAtRisk(address worker, uint256 units, uint256 since)
        private
        returns (WorkerWord word, uint256 taken)
    {
        word = _rolled(_known(worker));
        uint256 bond = word.bond();
        uint256 atRisk = word.exposure();
        uint256 most = bond;
        if (block.timestamp >= since + WorkerWords.RISK_PERIOD) most = bond > atRisk ? bond - atRisk : 0;
        taken = units < most ? units : most;
        if (word.active()) _subBonds(word, taken);
        uint256 left = bond - taken;
        word = word.withBond(left);
        if (atRisk > left) word = word.withoutExposure(atRisk - left);
    }

    /// @dev Counts `units` of an active worker's bond in its pool and its runtime.
    function _addBonds(WorkerWord word, uint256 units) private {
        uint256 pool = word.pool();
        _pools[pool] = _pools[pool].withBond(_bondOf(_pools[pool].bond() + units));
        runtimeBond[word.runtime()] += units;
    }

    /// @dev The reverse of {_addBonds}.
    function _subBonds(WorkerWord word, uint256 units) private {
        uint256 pool = word.pool();
        _pools[pool] = _pools[pool].withBond(_pools[pool].bond() - units);
        runtimeBond[word.runtime()] -= units;
    }

    /// @dev A word brought up to now.
    function _rolled(WorkerWord word) private view returns (WorkerWord) {
        return word.roll(WorkerWords.bucketAt(block.timestamp));
    }

    function _store(address worker, WorkerWord word) private {
        _workers[worker] = word;
        emit WorkerChanged(worker, word);
    }

    function _known(address worker) private view returns (WorkerWord word) {
        word = _workers[worker];
        if (WorkerWord.unwrap(word) == 0) revert UnknownWorker(worker);
    }

    function _ownedBy(address operator, address worker) private view returns (WorkerWord word) {
        word = _known(worker);
        if (operatorAddress[uint32(word.operator())] != operator) revert NotAllowed(operator);
    }

    /// @dev The worker's own signature: worker keys are keys, never contracts.
    function _signedByKey(address worker, bytes32 structHash, bytes calldata signature) private view returns (bool) {
        return worker.code.length == 0
            && SignatureChecks.isValid(worker, SignatureChecks.digestOf(_domain(), structHash), signature);
    }

    /// @dev An amount in bond units; anything between two units is refused rather than lost.
    function _units(uint256 amount) private pure returns (uint256 units) {
        if (amount % WorkerWords.BOND_UNIT != 0) revert NotInBondUnits(amount);
        return _bondOf(amount / WorkerWords.BOND_UNIT);
    }

    /// @dev A bond fits its 40 bits.
    function _bondOf(uint256 units) private pure returns (uint256) {
        if (units > type(uint40).max) revert OutOfBounds(units, type(uint40).max);
        return units;
    }

    /// @inheritdoc Domain
    function _domainName() internal pure override returns (string memory) {
        return "Guildhall Workforce";
    }
}
