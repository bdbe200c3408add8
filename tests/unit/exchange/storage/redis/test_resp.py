import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis import resp
from exchange.storage.redis.resp import EMPTY, ReplyError

STREAM = b"+OK\r\n:-7\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*-1\r\n*0\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n-OOM full\r\n"
REPLIES = [b"OK", -7, None, b"", b"a\r\nb", None, [], [1, [b"x"]]]


def replies_of(parser):
    found = []
    while (reply := parser.gets()) is not EMPTY:
        found.append(reply)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_replies_are_the_same_however_the_stream_is_cut(size):
    parser = resp.reader()
    found = []
    for start in range(0, len(STREAM), size):
        parser.feed(STREAM[start : start + size])
        found += replies_of(parser)
    assert found[:-1] == REPLIES
    assert isinstance(found[-1], ReplyError)
    assert str(found[-1]) == "OOM full"


def test_a_stream_that_is_not_resp_is_a_protocol_error():
    parser = resp.reader()
    parser.feed(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(resp.ProtocolError):
        parser.gets()


def test_error_replies_are_made_by_the_given_function_also_inside_of_arrays():
    texts = []

    def refused(text):
        texts.append(text)
        return ReplyError(text)

    parser = resp.reader(refused)
    parser.feed(b"*2\r\n:1\r\n-ERR one\r\n-ERR two\r\n")
    replies_of(parser)
    assert texts == ["ERR one", "ERR two"]


def test_a_command_is_packed_as_bulk_strings():
    packed = resp.pack(("SET", b"\x00\r\n", "ä", 12, 1.5))
    assert packed == b"*5\r\n$3\r\nSET\r\n$3\r\n\x00\r\n\r\n$2\r\n\xc3\xa4\r\n$2\r\n12\r\n$3\r\n1.5\r\n"


@pytest.mark.parametrize("word", [None, True, ["x"], bytearray(b"x")])
def test_a_word_of_another_type_is_not_packed(word):
    with pytest.raises(TypeError):
        resp.pack(("SET", "key", word))


def test_a_lone_surrogate_is_not_packed():
    with pytest.raises(UnicodeEncodeError):
        resp.pack(("SET", "key", "\udc80"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NOSCRIPT No matching script.", "NOSCRIPT"),
        ("OOM", "OOM"),
        ("ERR unknown command", "ERR"),
        ("Something else", "OTHER"),
        ("", "OTHER"),
        ("A-B c", "OTHER"),
        ("X" * 40 + " y", "OTHER"),
    ],
)
def test_the_kind_of_an_error_is_its_first_word(text, kind):
    assert resp.kind(ReplyError(text)) == kind


@pytest.mark.parametrize("kind", sorted(resp.REFUSALS))
def test_a_refusal_did_not_happen(kind):
    error = resp.failure(ReplyError(f"{kind} not now"))
    assert isinstance(error, StorageUnavailable)
    assert not error.sent


def test_a_refusal_in_the_middle_of_a_script_leaves_its_outcome_unknown():
    error = resp.failure(ReplyError("OOM command not allowed. script: 5f, on @user_script:3."))
    assert isinstance(error, StorageUnavailable)
    assert error.sent


def test_any_other_error_is_a_bug_of_ours_and_shows_no_arguments():
    error = resp.failure(ReplyError("ERR unknown command 'PUBLISHX', with args beginning with: 's3cret'"))
    assert isinstance(error, RuntimeError)
    assert str(error) == "redis: ERR unknown command 'PUBLISHX'"


def test_an_answer_is_a_reply_or_is_raised():
    lost = StorageUnavailable(sent=True)
    assert resp.answer([1, None]) == [1, None]
    with pytest.raises(StorageUnavailable) as caught:
        resp.answer(lost)
    assert caught.value is lost
    with pytest.raises(RuntimeError, match="redis: ERR no"):
        resp.answer(ReplyError("ERR no"))
