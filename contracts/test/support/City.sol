// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Owned} from "../../src/Owned.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IJury} from "../../src/interfaces/IJury.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IRecourse} from "../../src/interfaces/IRecourse.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {Parameters} from "../../src/types/Parameters.sol";
import {WorkerWord} from "../../src/types/Workers.sol";
import {Test, vm} from "./Vm.sol";

/// @notice The token that tests use: what {DevToken} and the doubles have in common.
interface IToken {
    function mint(address to, uint256 amount) external;
    function approve(address spender, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
    function nonces(address owner) external view returns (uint256);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// @notice The registry as a collection of tokens.
interface IErc721 {
    function transferFrom(address from, address to, uint256 id) external;
    function approve(address to, uint256 id) external;
    function tokenURI(uint256 id) external view returns (string memory);
    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function balanceOf(address owner) external view returns (uint256);
}

/// @title A city: all contracts deployed, one pool, operators and their workers
/// @notice Operator number `i` (from 0) owns the worker with key `_workerKey(i)`.
abstract contract City is Test {
    uint256 internal constant UNIT = 1e15;
    uint256 internal constant BOND = 100e18;
    uint256 internal constant MINIMUM_BOND = 10e18;
    uint256 internal constant MINIMUM_DEPOSIT = 50e18;
    uint256 internal constant RICHES = 1_000_000e18;
    uint256 internal constant GENESIS = 1_700_000_000;
    bytes32 internal constant RUNTIME = keccak256("runtime 1");

    // Keys: actors that sign.
    uint256 internal constant APP_OWNER_KEY = 0xa1;
    uint256 internal constant DATASET_OWNER_KEY = 0xa2;
    uint256 internal constant POOL_OWNER_KEY = 0xa3;
    uint256 internal constant REQUESTER_KEY = 0xa4;
    uint256 internal constant SPONSOR_KEY = 0xa5;
    uint256 internal constant COORDINATOR_KEY = 0xa6;

    address internal immutable appOwner = vm.addr(APP_OWNER_KEY);
    address internal immutable datasetOwner = vm.addr(DATASET_OWNER_KEY);
    address internal immutable poolOwner = vm.addr(POOL_OWNER_KEY);
    address internal immutable requester = vm.addr(REQUESTER_KEY);
    address internal immutable sponsor = vm.addr(SPONSOR_KEY);
    address internal immutable coordinator = vm.addr(COORDINATOR_KEY);
    address internal immutable poster = address(0xb0b);
    address internal immutable stranger = address(0x57a6);
    address internal immutable protocolOwner = address(0x0e4);

    IToken internal token;
    IVault internal vault;
    IRegistry internal registry;
    IWorkforce internal workforce;
    IMarket internal market;
    ICertifier internal certifier;
    IRecourse internal recourse;
    ISeed internal seeds;
    ICourt internal court;
    IJury internal jury;
    IInquest internal inquest;

    uint256 internal app;
    uint256 internal dataset;
    uint32 internal pool;

    mapping(uint256 key => address owner) private _addresses;

    /// @dev Deploys everything with a fresh development token.
    function _deployCity() internal {
        _deployCity(_deploy("DevToken.sol:DevToken", ""));
    }

    /// @dev Deploys everything over `token_`. Addresses are predicted, because the contracts know one another for life.
    function _deployCity(address token_) internal {
        vm.warp(GENESIS);
        vm.roll(1000);
        token = IToken(token_);
        uint8 seedKind;
        (seeds, seedKind) = _deploySeeds();
        uint256 nonce = vm.getNonce(address(this));
        address[9] memory to;
        for (uint256 i; i < 9; ++i) {
            to[i] = vm.computeCreateAddress(address(this), nonce + i);
        }
        address court_ = to[6];
        vault = IVault(_deploy("Vault.sol:Vault", abi.encode(token_, to[3], to[2], to[4], to[5], court_, to[8])));
        registry = IRegistry(_deploy("Registry.sol:Registry", abi.encode(protocolOwner)));
        workforce = IWorkforce(
            _deploy(
                "Workforce.sol:Workforce", abi.encode(to[0], to[4], to[5], court_, to[8], MINIMUM_BOND, MINIMUM_DEPOSIT)
            )
        );
        market =
            IMarket(_deploy("Market.sol:Market", abi.encode(to[0], to[1], to[2], to[4], protocolOwner, _parameters())));
        certifier = ICertifier(
            _deploy("Certifier.sol:Certifier", abi.encode(to[0], to[2], to[3], address(seeds), seedKind, to[5], court_))
        );
        recourse = IRecourse(_deploy("Recourse.sol:Recourse", abi.encode(to[0], to[2], to[3], to[4], address(seeds))));
        court = ICourt(_deploy("Court.sol:Court", abi.encode(to[0], to[2], to[3], to[4], address(seeds), to[7])));
        jury = IJury(_deploy("Jury.sol:Jury", abi.encode(to[2], to[3], to[4], address(seeds), court_)));
        inquest = IInquest(_deploy("Inquest.sol:Inquest", abi.encode(to[0], to[2], to[3], to[4], address(seeds))));
        require(address(inquest) == to[8], "predicted addresses");
    }

    /// @dev Where seeds come from in this city, and their kind.
    function _deploySeeds() internal virtual returns (ISeed deployed, uint8 kind) {
        return (ISeed(_deploy("BlockhashSeed.sol:BlockhashSeed", "")), 1);
    }

    /// @dev Deploys, registers an app and a dataset, creates a pool with `workers` operators of one worker each, and
    /// pays the requester and the sponsor in.
    function _buildCity(uint256 workers) internal {
        _deployCity();
        _settleCity(workers);
    }

    /// @dev What {_buildCity} does after the deployment.
    function _settleCity(uint256 workers) internal {
        vm.prank(protocolOwner);
        registry.registerRuntime(RUNTIME);
        vm.prank(appOwner);
        app = registry.registerApp(keccak256("app"), RUNTIME, "app");
        vm.prank(datasetOwner);
        dataset = registry.registerDataset(keccak256("dataset"), 0, "dataset");
        _fund(poolOwner, RICHES);
        vm.prank(poolOwner);
        pool = workforce.createPool(coordinator, 1000, false, MINIMUM_DEPOSIT, "pool");
        for (uint256 i; i < workers; ++i) {
            _join(i, i, BOND);
        }
        _fund(requester, RICHES);
        _fund(sponsor, RICHES);
        // Seats need bonds that are older than the opening block.
        _mine(1, 12);
    }

    /// @dev The parameters that the city opens with.
    function _parameters() internal pure returns (Parameters memory) {
        return Parameters({
            patienceBaseSecs: 60,
            fuelPerSec: 1e8,
            reputationStep: 100,
            protocolFeeBps: 500,
            expireGraceSecs: 600,
            posterGraceSecs: 300,
            disputeWindowMinSecs: 60
        });
    }

    /// @dev Operator `operator` joins the pool with worker `worker`.
    function _join(uint256 operator, uint256 worker, uint256 bond) internal {
        _joinPool(operator, worker, pool, 1, bond);
    }

    /// @dev The same with any pool and runtime.
    function _joinPool(uint256 operator, uint256 worker, uint32 pool_, uint8 runtime, uint256 bond) internal {
        address owner = _operator(operator);
        _addresses[0x0e0000 + operator] = owner;
        _addresses[_workerKey(worker)] = _worker(worker);
        if (vault.balanceOf(uint160(owner)) < bond) _fund(owner, 10 * bond);
        bytes memory signature = _workerKeySignature(worker, owner, pool_);
        vm.prank(owner);
        workforce.join(_worker(worker), pool_, runtime, bond, signature);
    }

    /// @dev A worker's proof that it holds its key.
    function _workerKeySignature(uint256 worker, address owner, uint32 pool_) internal view returns (bytes memory) {
        bytes32 structHash =
            keccak256(abi.encode(keccak256("WorkerKey(address operator,uint32 pool)"), owner, uint256(pool_)));
        return
            _signBytes(_workerKey(worker), _digestOf(_domainOf("Guildhall Workforce", address(workforce)), structHash));
    }

    /// @dev Mints tokens to `account` and pays them in.
    function _fund(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.startPrank(account);
        token.approve(address(vault), type(uint256).max);
        vault.deposit(account, amount);
        vm.stopPrank();
    }

    /// @dev Moves the chain on by some blocks and seconds.
    function _mine(uint256 blocks, uint256 secs) internal {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + secs);
    }

    function _operator(uint256 index) internal view returns (address) {
        return _addressOf(0x0e0000 + index);
    }

    function _workerKey(uint256 index) internal pure returns (uint256) {
        return 0x3e0000 + index;
    }

    function _worker(uint256 index) internal view returns (address) {
        return _addressOf(_workerKey(index));
    }

    /// @dev Address of a key; reckoned once for those that join, because it takes longer than anything else here.
    function _addressOf(uint256 key) private view returns (address known) {
        known = _addresses[key];
        if (known == address(0)) known = vm.addr(key);
    }

    function _word(uint256 worker) internal view returns (WorkerWord) {
        return workforce.workerOf(_worker(worker));
    }

    /// @dev Stake of a worker at risk now, in bond units, read from its word by the documented layout.
    function _exposure(uint256 worker) internal view returns (uint256) {
        uint256 raw = WorkerWord.unwrap(_word(worker));
        uint256 bucket = uint16(block.timestamp / 5 days);
        uint256 last = uint16(raw >> 224);
        if (last == bucket) return uint256(uint40(raw >> 144)) + uint40(raw >> 184);
        return uint16(last + 1) == bucket ? uint40(raw >> 144) : 0;
    }

    function _balance(address account) internal view returns (uint256) {
        return vault.balanceOf(uint160(account));
    }

    /// @dev What gathered for the operator of worker `index` of the city.
    function _fees(uint256 operator) internal view returns (uint256) {
        return vault.balanceOf(Accounts.ofOperator(workforce.operatorNumber(_operator(operator))));
    }

    function _burnt() internal view returns (uint256) {
        return vault.balanceOf(Accounts.BURNT);
    }

    /// @dev EIP-712 domain separator, written out here so that the tests do not believe the contracts.
    function _domainOf(string memory name, address verifier) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
    }

    function _digestOf(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// @dev A 65-byte signature.
    function _signBytes(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
