// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MemberWord, PoolWord, WorkerWord} from "../types/Workers.sol";

/// @title Pools, operators and workers
/// @notice Who works, where, and with which bond. One word a worker, one a pool; see {WorkerWord} and {PoolWord}.
interface IWorkforce {
    /// @notice Emitted when a pool is created.
    event PoolCreated(
        uint32 indexed pool, address indexed owner, address coordinator, uint16 shareBps, bool invitation, string name
    );
    /// @notice Emitted when a pool's rules change; deals keep what they opened with.
    event PoolChanged(uint32 indexed pool, address coordinator, uint16 shareBps, bool invitation);
    /// @notice Emitted when a pool's owner says where its coordinator is reached.
    event PoolEndpoint(uint32 indexed pool, string url);
    /// @notice Emitted when a pool changes hands.
    event PoolTransferred(uint32 indexed pool, address indexed from, address indexed to);
    /// @notice Emitted when a pool's orders die.
    event PoolNonceBumped(uint32 indexed pool, uint32 nonce);
    /// @notice Emitted when a pool starts to close: it takes no deals, its deposit is free at `closesAt`.
    event PoolClosing(uint32 indexed pool, uint64 closesAt);
    /// @notice Emitted when an operator may or may no longer join a pool.
    event Invited(uint32 indexed pool, address indexed operator, bool allowed);
    /// @notice Emitted when a pool's deposit changes: `deposit` is the new one.
    event PoolDeposit(uint32 indexed pool, uint256 deposit);
    /// @notice Emitted when an operator gets its number.
    event OperatorRegistered(uint32 indexed operator, address indexed owner);
    /// @notice Emitted when a worker joins.
    event WorkerJoined(
        address indexed worker, uint32 indexed operator, uint32 indexed pool, uint8 runtime, uint256 bond
    );
    /// @notice Emitted at every change of a worker but those of {settle}: the new word.
    event WorkerChanged(address indexed worker, WorkerWord word);
    /// @notice Emitted when a worker starts to leave; it may withdraw at `readyAt`.
    event WorkerLeaving(address indexed worker, uint64 readyAt);
    /// @notice Emitted when a bond is paid back.
    event BondWithdrawn(address indexed worker, uint256 amount);
    /// @notice Emitted when a worker is put to sleep by others.
    event WorkerDormant(address indexed worker);
    /// @notice Emitted when a worker or a pool's deposit is slashed for a proven fault, and who is rewarded.
    event Expelled(address indexed worker, uint256 slashed, address indexed reporter);
    /// @notice Emitted when a coordinator's fault costs the pool its deposit.
    event PoolSlashed(uint32 indexed pool, uint256 slashed, address indexed reporter);
    /// @notice Emitted when an audited certificate earns reputation.
    event ReputationEarned(address indexed worker, uint16 reputation);

    /// @notice Thrown when a caller is not who the function belongs to.
    error NotAllowed(address caller);
    /// @notice Thrown when there is no such pool.
    error UnknownPool(uint256 pool);
    /// @notice Thrown when nobody registered the worker's key.
    error UnknownWorker(address worker);
    /// @notice Thrown when a key has its operator already, for life.
    error KeyTaken(address worker);
    /// @notice Thrown when the worker's signature does not prove that it holds its key.
    error BadWorkerKey(address worker);
    /// @notice Thrown when the pool is by invitation and the operator has none.
    error NotInvited(uint256 pool, address operator);
    /// @notice Thrown when a bond or deposit is too small.
    error BondTooSmall(uint256 bond, uint256 minimum);
    /// @notice Thrown when an amount is no multiple of the bond unit (1e15).
    error NotInBondUnits(uint256 amount);
    /// @notice Thrown when a share, runtime, pool number or name leaves its bounds.
    error OutOfBounds(uint256 value, uint256 highest);
    /// @notice Thrown when a worker is not in the state that the call needs (active, leaving, dormant, expelled).
    error WrongState(address worker, uint256 activeFrom);
    /// @notice Thrown when it is too early to withdraw.
    error StillBonded(address worker, uint256 readyAt);
    /// @notice Thrown when a withdrawal would leave more than half a bond at risk.
    error ExposureExceeded(address worker, uint256 exposure, uint256 bond);
    /// @notice Thrown when a coordinator's key serves another pool already, for life.
    error CoordinatorTaken(address coordinator, uint256 pool);
    /// @notice Thrown when a worker took part in certificates lately, so that it cannot be called dormant.
    error StillActive(address worker);

    /// @notice Creates a pool; the deposit answers for its coordinator.
    /// @param coordinator Key that signs lists and messages; it serves one pool for life.
    function createPool(address coordinator, uint16 shareBps, bool invitation, uint256 deposit, string calldata name)
        external
        returns (uint32 pool);

    /// @notice Pool owner: says where the pool's coordinator is reached, 256 bytes at most; an empty text withdraws it.
    function setEndpoint(uint32 pool, string calldata url) external;

    /// @notice Pool owner: changes its coordinator and rules.
    function setPool(uint32 pool, address coordinator, uint16 shareBps, bool invitation) external;

    /// @notice Pool owner: hands the pool over; orders signed before are dead.
    function transferPool(uint32 pool, address to) external;

    /// @notice Pool owner: kills every pool order signed before.
    function bumpPoolNonce(uint32 pool) external;

    /// @notice Pool owner: lets an operator in or keeps it out (workers inside stay).
    function invite(uint32 pool, address operator, bool allowed) external;

    /// @notice Anybody: raises a pool's deposit from the caller's balance.
    function addPoolDeposit(uint32 pool, uint256 amount) external;

    /// @notice Pool owner: starts to close the pool (first call) and takes the deposit back after the unbonding time
    /// (second call). A closing pool takes no deals.
    function closePool(uint32 pool) external;

    /// @notice Operator: joins with a new worker, bonded from the operator's balance.
    /// @param workerSignature The worker's `WorkerKey(address operator,uint32 pool)`.
    function join(address worker, uint32 pool, uint8 runtime, uint256 bond, bytes calldata workerSignature) external;

    /// @notice Operator: raises a bond. The worker's seats start anew.
    function addBond(address worker, uint256 amount) external;

    /// @notice Operator: moves a worker to another pool or runtime. Its seats start anew, reputation stays behind.
    function move(address worker, uint32 pool, uint8 runtime) external;

    /// @notice Operator: takes the worker out of its pool; it may withdraw after the unbonding time.
    function leavePool(address worker) external;

    /// @notice Operator or worker: ends sleep or leaving.
    function wake(address worker) external;

    /// @notice Operator: takes `amount` of a bond back after the unbonding time. What remains may {wake} again.
    function withdrawBond(address worker, uint256 amount) external;

    /// @notice Anybody: burns what an expelled worker had at risk, once it is at risk no more.
    function burnExpelled(address worker) external;

    /// @notice Moves an operator's fees to its balance. Caller: the operator.
    function collectOperatorFees() external returns (uint256 amount);

    /// @notice Moves a pool's shares to its owner's balance. Caller: the pool's owner.
    function collectPoolFees(uint32 pool) external returns (uint256 amount);

    /// @notice Certifier, Court, Inquest: puts stake at risk and takes slashes, and answers the words as they were, rolled to now.
    /// @dev Takes {WorkerWords-slashable} at most, and the worker's reputation; puts {WorkerWords-room} at risk at most.
    /// Whether that was enough is the Certifier's to judge from the words.
    function settle(MemberWord[] calldata members) external returns (WorkerWord[] memory words);

    /// @notice Recourse: full slash for a proven fault; a tenth goes to the reporter, the rest is burnt.
    function expel(address worker, address reporter) external;

    /// @notice Recourse: slashes the deposit of the pool whose coordinator lied; a tenth goes to the reporter.
    function slashPool(address coordinator, address reporter) external;

    /// @notice Recourse: puts a worker that missed its seats to sleep.
    function makeDormant(address worker) external;

    /// @notice Court: adds reputation earned in an audited certificate of `pool`; nothing when the worker has moved.
    function earn(address worker, uint32 pool, uint256 points) external;

    /// @notice Court, Inquest: slashes up to `units` after a verdict, what is at risk included, and takes the reputation.
    /// @param since When it was put at risk, Unix seconds: once that is over, only what is not at risk for something else.
    function punish(address worker, uint256 units, uint256 since) external returns (uint256 slashed);

    /// @notice Court: takes up to `units` of stake back to where a fee came from that nobody earned; the reputation stays.
    /// @param since As in {punish}.
    function takeBack(address worker, uint256 units, uint256 since) external returns (uint256 taken);

    /// @notice A worker's word.
    function workerOf(address worker) external view returns (WorkerWord);

    /// @notice A pool's word.
    function poolOf(uint256 pool) external view returns (PoolWord);

    /// @notice A pool's coordinator, deposit and closing time (0 = open).
    function poolDetails(uint32 pool) external view returns (address coordinator, uint96 deposit, uint64 closesAt);

    /// @notice Address of an operator.
    function operatorAddress(uint32 operator) external view returns (address);

    /// @notice Number of an operator; 0 = none.
    function operatorNumber(address operator) external view returns (uint32);

    /// @notice Where a pool's coordinator is reached: a URL, untrusted text of the pool's owner.
    function endpointOf(uint32 pool) external view returns (string memory);

    /// @notice Pool that a coordinator's key serves; 0 = none.
    function poolOfCoordinator(address coordinator) external view returns (uint32);

    /// @notice Whether an operator is invited to a pool.
    function invited(uint32 pool, address operator) external view returns (bool);

    /// @notice When a leaving worker may withdraw; 0 = it is not leaving.
    function readyAt(address worker) external view returns (uint64);

    /// @notice Bond of all active workers of a runtime, of all pools, in bond units.
    function runtimeBond(uint256 runtime) external view returns (uint256);

    /// @notice Smallest bond of a worker, so of an operator, in the token's smallest unit.
    function minimumBond() external view returns (uint256);

    /// @notice Smallest deposit of a pool.
    function minimumDeposit() external view returns (uint256);
}
