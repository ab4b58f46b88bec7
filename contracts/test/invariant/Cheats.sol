// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {Claim, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Ghosts} from "./Ghosts.sol";

/// @title Rounds with somebody in them who has no place there
/// @notice What a coordinator may try beside what the rules allow: each must be refused, and for its own reason.
abstract contract Cheats is Ghosts {
    /// @notice A round before it is posted.
    struct Scene {
        uint256 index;
        Terms terms;
        Member[] members;
        uint8 leading;
        LogItem[] log;
    }

    /// @dev The round as it is posted: the leading claim first, then the other one if somebody makes it.
    function _draftFor(Scene memory scene, Play[] memory plays) internal view returns (Draft memory draft) {
        uint256 batch = _slots[scene.index].batch;
        Claim[] memory claims = _claimsOf(scene.terms, batch);
        if (scene.leading == 1) (claims[0], claims[1]) = (claims[1], claims[0]);
        draft = _draftOf(scene.terms, batch, claims, plays);
        uint256 made = _made(scene);
        for (uint256 i; i < plays.length; ++i) {
            if (plays[i].claim == 1) made = 2;
        }
        draft.claims = _first(claims, made);
        draft.log = scene.log;
    }

    /// @dev Claims that those on chain make, counted up to the last; there is always the leading one.
    function _made(Scene memory scene) private view returns (uint256) {
        for (uint256 i; i < scene.log.length; ++i) {
            uint256 word = scene.log[i].word;
            if (uint8(word) != 2) continue;
            if (_hidden[scene.index][_whoIs(address(uint160(word >> 96)))] - 1 != scene.leading) return 2;
        }
        return 1;
    }

    /// @dev What the list's members do, with the claims in the order of the post.
    function _plays(Scene memory scene) internal view returns (Play[] memory plays) {
        plays = new Play[](scene.members.length);
        uint256 count;
        for (uint256 i; i < scene.members.length; ++i) {
            Member memory member = scene.members[i];
            if (!member.listed) continue;
            plays[count].who = member.who;
            plays[count].wave = member.wave;
            plays[count].claim = member.claim < 2 ? member.claim ^ scene.leading : member.claim;
            if (member.claim == BARE) plays[count].hidden = (_hidden[scene.index][member.who] - 1) ^ scene.leading;
            ++count;
        }
        assembly ("memory-safe") {
            mstore(plays, count)
        }
    }

    /// @dev Tries the same round with something in it that no certificate may come out of.
    function _cheat(Scene memory scene, Draft memory draft, bool certifies, uint256 seed) internal {
        bytes32 what = [bytes32("left out"), "no seat", "same operator", "early wave", "wrong runtime"][seed % 5];
        seed /= 5;
        if (what == "left out") {
            if (certifies) _leaveOut(draft, seed);
            return;
        }
        (Play[] memory plays, bool any) = what == "early wave"
            ? _beforeItsWave(scene.terms, draft.batch, _plays(scene), seed)
            : _intruder(scene, what, seed);
        if (!any) return;
        bytes4[] memory reasons = new bytes4[](3);
        if (what == "early wave") {
            reasons[0] = ICertifier.WrongWave.selector;
        } else {
            reasons[0] = ICertifier.NoSeat.selector;
            // Asked before the seat, of a worker that lost its bond.
            reasons[1] = ICertifier.ExposureTooHigh.selector;
            if (what != "wrong runtime") reasons[2] = ICertifier.SameOperator.selector;
        }
        // Where the round without it is refused too, anything may be the reason.
        if (!certifies) reasons = new bytes4[](0);
        bytes4 reason = _mustBeRefused(_certifyCall(_draftFor(scene, plays)), reasons);
        // Nothing but its runtime was wrong, and that is what it was refused for.
        if (what != "wrong runtime" || (certifies && reason == ICertifier.NoSeat.selector)) ++seen[what];
    }

    /// @dev What stands on chain is left out, or somebody of the list under which a claim that stays was signed.
    function _leaveOut(Draft memory draft, uint256 seed) private {
        Draft memory worse = Draft(draft.terms, draft.batch, draft.claims, draft.entries, draft.log);
        if (draft.log.length != 0) {
            worse.log = new LogItem[](0);
        } else {
            uint256 dropped = seed % draft.entries.length;
            bool signedFor;
            for (uint256 i; i < draft.entries.length; ++i) {
                uint256 word = draft.entries[i].word;
                bool covers = uint8(word) >= uint8(draft.entries[dropped].word) && uint8(word >> 8) < 2;
                if (i != dropped && covers) signedFor = true;
            }
            if (!signedFor) return;
            worse.entries = _without(draft.entries, dropped);
        }
        _mustFail(_certifyCall(worse), "somebody was left out");
        ++seen["left out"];
    }

    /// @dev One more who agrees: a worker without a seat, the second worker of a member's operator, or one that would have a seat if it
    /// were on the deal's runtime.
    function _intruder(Scene memory scene, bytes32 what, uint256 seed)
        private
        view
        returns (Play[] memory plays, bool any)
    {
        uint256 batch = _slots[scene.index].batch;
        plays = _plays(scene);
        Play[] memory one = new Play[](1);
        one[0].wave = uint8((seed >> 8) % (_begun(scene.terms, batch) + 1));
        for (uint256 i; i < WORKERS; ++i) {
            one[0].who = (seed + i) % WORKERS;
            (bool member, bool relative) = _knows(scene.members, one[0].who);
            bool fits = relative;
            if (what == "no seat") {
                fits = !_seat(scene.terms, batch, one[0].who, one[0].wave);
            } else if (what == "wrong runtime") {
                bool drawn = _drawn(scene.terms, batch, one[0].who, one[0].wave);
                fits = drawn && !relative && !_runs(scene.terms, one[0].who);
            }
            if (!member && fits) return (_both(plays, one), true);
        }
    }

    /// @dev Whether a worker is a member, and whether another worker of its operator is in the list.
    function _knows(Member[] memory members, uint256 who) private pure returns (bool member, bool relative) {
        for (uint256 i; i < members.length; ++i) {
            if (members[i].who == who) member = true;
            else if (members[i].listed && _operatorOf(members[i].who) == _operatorOf(who)) relative = true;
        }
    }

    /// @dev One of the list says that it came in a wave that has not begun, or in one that there is not.
    function _beforeItsWave(Terms memory terms, uint256 batch, Play[] memory plays, uint256 seed)
        private
        view
        returns (Play[] memory, bool any)
    {
        if (plays.length == 0) return (plays, false);
        plays[seed % plays.length].wave = uint8(_begun(terms, batch) + 1);
        return (plays, true);
    }

    /// @dev Reverts for one of these reasons; for any when none is given. Answers for which.
    function _mustBeRefused(bytes memory call_, bytes4[] memory reasons) private returns (bytes4) {
        (bool ok, bytes memory answer) = address(certifier).call(call_);
        bool named = reasons.length == 0;
        for (uint256 i; i < reasons.length; ++i) {
            if (bytes4(answer) == reasons[i]) named = true;
        }
        if (ok) _breach("certified with somebody who has no place in the round");
        else if (!named) _breach("refused for another reason");
        return bytes4(answer);
    }

    function _mustFail(bytes memory call_, string memory what) internal {
        (bool ok,) = address(certifier).call(call_);
        if (ok) _breach(what);
    }

    function _certifyCall(Draft memory draft) internal pure returns (bytes memory) {
        return abi.encodeCall(ICertifier.certify, (draft.terms, draft.batch, draft.claims, draft.entries, draft.log));
    }

    function _revealed(LogItem[] memory log, uint256 worker) internal pure returns (bool) {
        for (uint256 i; i < log.length; ++i) {
            if (uint8(log[i].word) == 2 && log[i].word >> 96 == worker) return true;
        }
        return false;
    }

    function _whoIs(address worker) internal view returns (uint256 who) {
        while (_worker(who) != worker) ++who;
    }
}
