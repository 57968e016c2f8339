"""What a refusal looks like through a client: raised, with a code and a text, from here or from the server."""

SERVER_SIDE = ("MilvusException", "BaseException", "RpcError", "_InactiveRpcError", "_MultiThreadedRendezvous",
               "CollectionNotExistException", "DescribeCollectionException", "IndexNotExistException")


class Served(AssertionError):
    """The call should have been refused and was not."""


def refused(call):
    """Runs `call` and returns what it raised."""
    try:
        answer = call()
    except Exception as error:  # noqa: BLE001 - any refusal will do, the caller looks at it
        return error
    raise Served(f"accepted, answered {str(answer)[:120]}")


def code_of(error):
    code = getattr(error, "code", None)
    return code() if callable(code) else code


def text_of(error):
    return str(getattr(error, "message", "") or "") or str(error)


def from_server(error):
    """Whether the request travelled: client-side checks raise their own classes."""
    return type(error).__name__ in SERVER_SIDE


def expect(error, fragments=(), codes=()):
    """The refusal of a server must carry one of the codes and every fragment (a tuple inside means any of these).

    A refusal by the client itself is the client's business: nothing travelled.
    """
    if not from_server(error):
        return
    text = text_of(error).lower()
    for fragment in fragments:
        choices = fragment if isinstance(fragment, tuple) else (fragment,)
        assert any(choice.lower() in text for choice in choices), f"none of {choices} in: code {code_of(error)}, {text_of(error)[:300]}"
    if codes:
        assert code_of(error) in codes, f"code {code_of(error)} is not in {codes}: {text_of(error)[:200]}"
