"""Images: what a config document says, its digest, chain IDs, and documents that are wrong."""

import json
from typing import Any

import archive_builder as build
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.digest import Digest
from minidocker.errors import InvalidArchive
from minidocker.image import Image, chain_ids


def document(**fields: Any) -> bytes:
    return build.config([b"one", b"two"], **fields)


def test_the_id_is_the_documents_digest() -> None:
    data = document()
    assert Image.from_document(data).id == Digest.of(data)
    assert Image.from_document(data + b"\n").id != Digest.of(data)


def test_start_values() -> None:
    image = Image.from_document(
        document(config={
            "Env": ["A=1", "B=2"], "Cmd": ["-c", "true"], "Entrypoint": ["sh"], "WorkingDir": "/w", "User": "1:2",
            "StopSignal": "SIGINT", "Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
        })
    )  # fmt: skip
    config = image.config
    assert (config.env, config.cmd, config.entrypoint) == (("A=1", "B=2"), ("-c", "true"), ("sh",))
    assert (config.working_dir, config.user, config.stop_signal) == ("/w", "1:2", "SIGINT")
    assert (config.labels, config.exposed_ports, config.volumes) == ({"k": "v"}, ("80/tcp",), ("/data",))


def test_null_is_absent_as_in_go() -> None:
    nulls = dict.fromkeys(["Env", "Cmd", "Entrypoint", "Labels", "Volumes"])
    image = Image.from_document(document(config=nulls, history=None, created=None))
    assert (image.config.env, image.config.cmd, image.config.entrypoint, image.history) == ((), (), (), ())
    assert Image.from_document(document(config=None)).config.cmd == ()


def test_chain_ids_are_those_of_real_docker() -> None:
    """Real Docker 26 printed these as "Deleted:" when it removed the demo image."""
    diff_ids = [
        "b5c1df2a60a19a6ae9c8ffb6b7fae8c24425374dd23efe2b88badb49fac95668",
        "82a41c3ed8accf87c8b5257a7074bc408316b3a803b96f54bfab28a50a3b7899",
        "f57076346f8770748b49ea421f59de19ec4f444850134dd153a278ccb75403ec",
    ]
    assert [digest.hex for digest in chain_ids([Digest(text) for text in diff_ids])] == [
        "b5c1df2a60a19a6ae9c8ffb6b7fae8c24425374dd23efe2b88badb49fac95668",
        "aa578c952e7a31bcea1c4ff6024a917dfcbd77c36a4afe82145caa4ad57831ec",
        "dde8d7baa475f0f3ca427061f6d1129e98b87ffe825444232ccc72985a4eed7f",
    ]


def test_a_layers_command_skips_the_steps_that_made_none() -> None:
    history = [{"created_by": "ADD"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "RUN"}]
    assert Image.from_document(document(history=history)).layer_commands == ("ADD", "RUN")
    assert Image.from_document(document(history=history[:1])).layer_commands == ("ADD", "")
    assert Image.from_document(document(history=[{"created_by": str(n)} for n in range(5)])).layer_commands == (
        "0",
        "1",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b"{", "unexpected end of JSON input"),
        (b'{"a": "b', "unexpected end of JSON input"),
        (b"[]", "json: cannot unmarshal array into Go value of type object"),
        (b"nonsense", "invalid character 'n'"),
        (b"\xff\xfe\xfd", "invalid"),
        (b"[" * 100_000, "invalid character '[' exceeded max depth"),
        (b'{"os":' * 501 + b"1" + b"}" * 501, "invalid character '{' exceeded max depth"),
        (b"[" * 500 + b"]" * 500, "json: cannot unmarshal array into Go value of type object"),
        (b'{"os": "' + b"[" * 1_000, "unexpected end of JSON input"),
        (b'{"os": 1}', "json: cannot unmarshal number into Go struct field os"),
        (b'{"config": {"Cmd": "sh"}}', "json: cannot unmarshal string into Go struct field Cmd"),
        (b'{"config": {"Env": [1]}}', "json: cannot unmarshal number into Go struct field Env of type string"),
        (b'{"history": [1]}', "json: cannot unmarshal number into Go value of type object"),
        (b'{"rootfs": {"diff_ids": ["sha256:abc"]}}', "invalid checksum digest length"),
    ],
)
def test_wrong_documents(data: bytes, message: str) -> None:
    with pytest.raises(InvalidArchive) as caught:
        Image.from_document(data)
    assert message in caught.value.message


def test_brackets_in_strings_do_not_nest() -> None:
    assert Image.from_document(document(os=r'"\[' * 1_000)).os == r'"\[' * 1_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["architecture", "os", "config", "rootfs", "history", "created"]), JSON))
def test_any_json_is_an_image_or_refused(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    try:
        image = Image.from_document(data)
    except InvalidArchive:
        return
    assert image.id == Digest.of(data)
    assert len(image.layer_commands) == len(image.chain_ids) == len(image.diff_ids)
