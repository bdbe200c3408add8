"""``friends``, ``users``, ``invite``, ``connect`` and what ends a friendship."""

import json

import pytest

from magi.client.errors import InviteRefused
from magi.daemon.port import DeskError


def test_an_invitation_is_its_code_and_the_line_for_the_other_side(magi, desk):
    status, out, err = magi("invite", "--for", "bob@example.com", "--confirm")
    assert (status, out) == (0, "K7M2QX\n")
    assert "magi connect K7M2QX" in err
    assert desk.called("invite")[1] == {"for_name": "bob@example.com", "confirm": True}


def test_a_code_makes_a_friend(magi, desk):
    status, out, _ = magi("connect", "k7m2qx", "--as", "bob")
    assert status == 0
    assert "bob (bob@example.com) is your friend" in out
    assert desk.called("connect") == (("k7m2qx",), {"petname": "bob"})


def test_a_refused_code_is_told_in_the_exchanges_words(magi, desk):
    desk.says["connect"] = InviteRefused("Invalid or expired invitation code", "invite_unknown")
    status, out, err = magi("connect", "K7M2QX")
    assert (status, out) == (7, "")
    assert err == (
        'magi: The exchange says: "Invalid or expired invitation code". You are not connected. '
        "Ask for a new code: they run magi invite.\n"
    )


def test_friends_in_a_pipe_are_lines_with_tabs(magi, desk):
    _, out, _ = magi("friends")
    bob, carol = (line.split("\t") for line in out.splitlines())
    assert bob[:5] == ["bob", "bob@example.com", "Bob", "online", "ask"]
    assert carol[3:5] == ["away", "mute"]


def test_one_friend_is_found_by_petname_in_any_letter_case(magi, desk):
    _, out, _ = magi("friends", "@Carol", "--json")
    assert json.loads(out)["username"] == "carol@example.com"
    assert json.loads(out)["type"] == "friend"
    status, _, err = magi("friends", "mallory")
    assert status == 1
    assert "no friend called mallory" in err


def test_users_are_the_friends_who_are_online(magi, desk):
    _, out, _ = magi("users", "--json")
    assert [json.loads(line)["petname"] for line in out.splitlines()] == ["bob"]
    desk.says["friends"] = ()
    assert magi("users") == (0, "", "magi: None of your friends is online.\n")
    assert magi("friends") == (0, "", "magi: No friends yet. To make one: magi invite\n")


def test_blocking_takes_nobody_and_unblocking_takes_the_owner(magi, desk):
    assert magi("block", "mallory")[0] == 0
    assert desk.called("block") == (("mallory",), {})
    status, _, err = magi("unblock", "mallory")
    assert status == 1
    assert "takes a terminal" in err
    assert desk.names() == ["block"]


@pytest.mark.usefixtures("person")
def test_the_owner_unblocks_at_a_terminal(magi, desk):
    assert magi("unblock", "mallory")[0] == 0
    assert desk.called("block") == (("mallory",), {"blocked": False})


def test_a_friendship_ends_without_a_terminal_only_by_a_clear_word(magi, desk):
    assert magi("unfriend", "bob")[0] == 2
    assert desk.names() == []
    assert magi("unfriend", "bob", "--yes")[0] == 0
    assert desk.called("unfriend")[0] == ("bob",)


def test_at_a_terminal_the_end_of_a_friendship_is_asked_back(magi, desk, person):
    person += ["", "y"]
    assert magi("unfriend", "bob")[0] == 1
    assert desk.names() == []
    assert magi("unfriend", "bob")[0] == 0
    assert desk.names() == ["unfriend"]


def test_nothing_can_be_verified_yet(magi, desk):
    status, _, err = magi("verify", "bob")
    assert status == 1
    assert "Nothing can be verified yet" in err


def test_a_refusal_of_the_desk_keeps_its_own_status(magi, desk):
    desk.says["invite"] = DeskError("Too many.", 10)
    assert magi("invite")[0] == 10
