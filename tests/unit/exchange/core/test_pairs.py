from exchange.core.pairs import End, HandedOver, PeerDown, PeerUp, Role, Superseded


def test_the_peer_of_each_role_is_the_other_one():
    assert Role.PHONE.other is Role.AGENT
    assert Role.AGENT.other is Role.PHONE


def test_roles_are_called_as_clients_call_them():
    assert {role.value for role in Role} == {"phone", "agent"}
    assert f"{Role.PHONE}" == "phone"


def test_an_end_is_known_by_its_number():
    assert End("p", Role.PHONE, 1) != End("p", Role.PHONE, 2)
    assert End("p", Role.PHONE, 1) == End("p", Role.PHONE, 1)


def test_wakes_of_one_number_are_told_apart_by_their_kind():
    kinds = {type(wake) for wake in (PeerUp(1), PeerDown(1), HandedOver(1), Superseded(1))}
    assert len(kinds) == 4
