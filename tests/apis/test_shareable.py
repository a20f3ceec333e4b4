"""Shareable, make_reply and the return codes."""

from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply


def test_shareable_is_a_dict_with_headers_beside_its_content():
    message = Shareable({"Streamer.data": b"x"})

    message.set_header("seq", 0)

    assert message == {"Streamer.data": b"x"}
    assert message.get_header("seq") == 0
    assert message.get_header("absent") is None
    assert message.get_header("absent", "default") == "default"


def test_a_payload_key_cannot_pose_as_the_return_code():
    message = Shareable({"__return_code__": ReturnCode.ERROR, "__headers__": {"__return_code__": ReturnCode.ERROR}})

    assert message.get_return_code() == ReturnCode.OK


def test_get_return_code_gives_the_default_where_none_is_set():
    assert Shareable().get_return_code() == ReturnCode.OK
    assert Shareable().get_return_code(ReturnCode.ERROR) == ReturnCode.ERROR


def test_make_reply_builds_a_message_with_that_return_code():
    reply = make_reply(ReturnCode.TASK_ABORTED, {"reason": "late"})

    assert isinstance(reply, Shareable)
    assert reply == {}
    assert reply.get_return_code(ReturnCode.OK) == ReturnCode.TASK_ABORTED
    assert reply.get_header("reason") == "late"


def test_make_reply_does_not_let_a_header_overrule_its_return_code():
    first = make_reply(ReturnCode.OK)

    assert make_reply(ReturnCode.ERROR, first.headers).get_return_code() == ReturnCode.ERROR
    assert first.get_return_code() == ReturnCode.OK


def test_return_codes_are_plain_strings():
    names = ["OK", "ERROR", "TIMEOUT", "TASK_ABORTED", "EXECUTION_EXCEPTION", "BAD_REQUEST_DATA", "COMMUNICATION_ERROR"]

    assert [getattr(ReturnCode, name) for name in names] == names
