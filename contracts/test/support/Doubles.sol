// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {GuildhallConsumer} from "../../src/GuildhallConsumer.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IDeliveryCallback} from "../../src/interfaces/IDeliveryCallback.sol";
import {IGroup} from "../../src/interfaces/IGroup.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {SignatureChecks} from "../../src/libraries/SignatureChecks.sol";
import {Certificate, Delivery} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";

/// @notice A token that misbehaves as it is told to.
contract TrickToken {
    enum Trick {
        None,
        AnswerFalse,
        TakeFee,
        CallBack,
        AnswerNothing,
        RefuseOne,
        RevertInPermit,
        CallBackInPermit
    }

    mapping(address account => uint256 amount) public balanceOf;
    mapping(address owner => mapping(address spender => uint256 amount)) public allowance;
    Trick public trick;
    IVault public vault;
    bool public reentered;
    address public refused;
    address public target;
    bytes public attack;
    bool public attacked;
    bytes public answer;

    /// @notice Besides the ledger, this is called back too.
    function setAttack(address target_, bytes calldata attack_) external {
        (target, attack) = (target_, attack_);
    }

    function refuse(address account) external {
        (trick, refused) = (Trick.RefuseOne, account);
    }

    function set(Trick trick_, IVault vault_) external {
        trick = trick_;
        vault = vault_;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    /// @notice Approves without looking at the signature: a permit that was good.
    function permit(address owner, address spender, uint256 value, uint256, uint8, bytes32, bytes32) external {
        if (trick == Trick.RevertInPermit) revert("permit");
        if (trick == Trick.CallBackInPermit) _callBack();
        allowance[owner][spender] = value;
    }

    /// @dev A call back into the ledger must not find it half-way.
    function _callBack() private {
        if (reentered) return;
        reentered = true;
        (bool ok,) = address(vault).call(abi.encodeCall(IVault.withdraw, (1, address(this))));
        require(!ok, "re-entered withdraw");
        (ok,) = address(vault).call(abi.encodeCall(IVault.deposit, (address(this), 1)));
        require(!ok, "re-entered deposit");
        if (target != address(0)) (attacked, answer) = target.call(attack);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        if (trick == Trick.AnswerFalse) return false;
        require(trick != Trick.RefuseOne || to != refused, "refused");
        if (trick == Trick.CallBack) _callBack();
        balanceOf[from] -= amount;
        balanceOf[to] += trick == Trick.TakeFee ? amount - amount / 100 : amount;
        if (trick == Trick.AnswerNothing) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }
}

/// @notice A callback that misbehaves as it is told to.
contract TrickCallback is IDeliveryCallback {
    enum Trick {
        None,
        Revert,
        BurnGas,
        ReEnter,
        RevertBomb,
        ReturnBomb
    }

    /// @notice What a bomb answers with. To copy it would take nearly as much gas as the callback has.
    uint256 public constant BOMB = 260_000;

    Trick public trick;
    uint256 public deliveries;
    bytes public lastOutput;
    uint256 public gasSeen;
    bool public innerOk;
    bytes public attack;
    address public target;

    function set(Trick trick_) external {
        trick = trick_;
    }

    function setAttack(address target_, bytes calldata attack_) external {
        target = target_;
        attack = attack_;
    }

    function onDelivery(Delivery calldata, bytes calldata output) external {
        gasSeen = gasleft();
        if (trick == Trick.Revert) revert("no");
        if (trick == Trick.BurnGas) {
            while (true) {}
        }
        if (trick == Trick.RevertBomb) {
            assembly ("memory-safe") {
                revert(0, BOMB)
            }
        }
        ++deliveries;
        if (trick == Trick.ReturnBomb) {
            assembly ("memory-safe") {
                return(0, BOMB)
            }
        }
        lastOutput = output;
        if (trick == Trick.ReEnter) (innerOk,) = target.call(attack);
    }
}

/// @notice A consumer that keeps the last output.
contract Consumer is GuildhallConsumer {
    Expectation private _expected;
    bytes public last;
    uint256 public results;

    constructor(address certifier_, Expectation memory expected) GuildhallConsumer(certifier_) {
        _expected = expected;
    }

    function _expectation() internal view override returns (Expectation memory) {
        return _expected;
    }

    function _onResult(Delivery calldata, bytes calldata output) internal override {
        last = output;
        ++results;
    }
}

/// @notice An ERC-1271 wallet with one key.
contract Wallet {
    address public immutable key;

    constructor(address key_) {
        key = key_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(signature[:32]), bytes32(signature[32:64]), uint8(signature[64]));
        return ecrecover(digest, v, r, s) == key ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }

    /// @notice Lets the tests act as the wallet.
    function act(address to, bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory answer) = to.call(data);
        require(ok, "act");
        return answer;
    }
}

/// @notice A group whose members are told; or one that answers with a lot of gas.
contract Group is IGroup {
    mapping(address account => bool yes) public members;
    bool public burns;

    function set(address account, bool yes) external {
        members[account] = yes;
    }

    function setBurns(bool yes) external {
        burns = yes;
    }

    function isMember(address account) external view returns (bool) {
        while (burns) {}
        return members[account];
    }
}

/// @notice A source of seeds that never has one.
contract NoSeed is ISeed {
    function seedOf(uint256 blockNumber, uint256) external pure returns (bytes32, uint8) {
        revert SeedUnavailable(blockNumber);
    }
}

/// @notice Calldata functions of the libraries, for fuzzing.
contract SignatureProbe {
    function isValid(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return SignatureChecks.isValid(signer, digest, signature);
    }
}
