// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;
contract Token {
    mapping(address => uint256) public balanceOf;
    event Transfer(address indexed from, address indexed to, uint256 value);
    constructor() { balanceOf[msg.sender] = type(uint256).max; }
    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        unchecked { balanceOf[to] += value; }
        emit Transfer(msg.sender, to, value);
        return true;
    }
    function mint(address to, uint256 value) external { balanceOf[to] += value; }
}
// What the differential test calls: every way in which a transaction can end.
contract Probe {
    uint256 public value;
    mapping(uint256 => uint256) public slots;
    event Noted(address indexed who, uint256 indexed key, uint256 value);
    error Refused(uint256 why);
    function write(uint256 key, uint256 v) external payable { slots[key] = v; value += v % 7; emit Noted(msg.sender, key, v); }
    function clear(uint256 key) external { delete slots[key]; emit Noted(msg.sender, key, 0); }
    function refuse(uint256 why) external pure { revert Refused(why); }
    function say() external pure { require(false, "no"); }
    function burn() external { while (true) { value++; } }
    function invalid() external pure { assembly { invalid() } }
    function make(uint256 salt, bool kill) external returns (address child) {
        child = address(new Child{salt: bytes32(salt)}());
        if (kill) { Child(payable(child)).end(payable(msg.sender)); }
        emit Noted(child, salt, kill ? 1 : 0);
    }
    function env() external { slots[1] = block.chainid; slots[2] = gasleft(); slots[3] = block.gaslimit; slots[4] = tx.gasprice; slots[5] = block.basefee; slots[6] = uint160(address(block.coinbase)); }
    function look(address who) external { slots[uint256(uint160(who))] = who.balance + who.codehash.length + uint256(who.codehash) % 97; }
    function pass(address payable to) external payable { (bool ok, ) = to.call{value: msg.value}(""); slots[9] = ok ? 1 : 2; }
    function p256() external { (bool ok, bytes memory out) = address(0x100).staticcall(new bytes(160)); slots[10] = ok ? out.length + 1 : 0; }
    function nest(uint256 depth) external { slots[depth] = depth; if (depth > 0) { try this.nest(depth - 1) {} catch { emit Noted(msg.sender, depth, 3); } } }
    receive() external payable { value += 1; }
}
contract Child {
    uint256 public born = block.chainid;
    function end(address payable to) external { selfdestruct(to); }
    receive() external payable {}
}
