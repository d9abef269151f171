"""References: normalisation, familiar form and complaints, each as real Docker's client was seen to have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.digest import Digest
from minidocker.errors import InvalidReference
from minidocker.reference import Reference

SHA = "sha256:" + "86e0e091d0da6bde2456dbb48306f3956bbeb2eae1b5b9a43045843f69fe4aaa"


@pytest.mark.parametrize(
    ("text", "whole", "familiar"),
    [
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox", "busybox"),
        ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("docker.io/library/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/library/foo/bar", "docker.io/library/foo/bar", "library/foo/bar"),
        ("team/app", "docker.io/team/app", "team/app"),
        ("127.0.0.1:5000/lab/seed:1", "127.0.0.1:5000/lab/seed:1", "127.0.0.1:5000/lab/seed:1"),
        ("localhost/app", "localhost/app", "localhost/app"),
        ("localhost:5000/app", "localhost:5000/app", "localhost:5000/app"),
        ("[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app"),
        ("Foo/bar", "Foo/bar", "Foo/bar"),
        ("example.com/a__b/c-d.e--f", "example.com/a__b/c-d.e--f", "example.com/a__b/c-d.e--f"),
        (f"busybox@{SHA}", f"docker.io/library/busybox@{SHA}", f"busybox@{SHA}"),
        (f"busybox:1@{SHA}", f"docker.io/library/busybox:1@{SHA}", f"busybox:1@{SHA}"),
        ("a:" + "t" * 128, "docker.io/library/a:" + "t" * 128, "a:" + "t" * 128),
    ],
)
def test_normal_and_familiar(text: str, whole: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert (str(reference), reference.familiar) == (whole, familiar)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("UPPER:case", "invalid reference format: repository name (library/UPPER) must be lowercase"),
        ("team/App", "invalid reference format: repository name (team/App) must be lowercase"),
        ("bad tag", "invalid reference format"),
        ("", "invalid reference format"),
        ("-it", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a:.b", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("a-", "invalid reference format"),
        ("https://github.com/docker/docker", "invalid reference format"),
        ("docker.io/docker/Docker", "invalid reference format: repository name (docker/Docker) must be lowercase"),
        ("a@sha256:abc", "invalid reference format"),
        ("a@md5:" + "0" * 32, "unsupported digest algorithm"),
        ("a@sha256:" + "0" * 32, "invalid checksum digest length"),
        ("a\n", "invalid reference format"),
        ("é", "invalid reference format"),
        ("0" * 64, f"invalid repository name ({'0' * 64}), cannot specify 64-byte hexadecimal strings"),
        ("a/" * 130 + "b", "repository name must not be more than 255 characters"),
    ],
)
def test_complaints(text: str, message: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert caught.value.message == message
    assert "reference" in caught.value.data


def test_the_default_tag_is_for_names_without_tag_and_digest() -> None:
    assert Reference.parse("a").with_default_tag().familiar == "a:latest"
    assert Reference.parse("a:1").with_default_tag().familiar == "a:1"
    assert Reference.parse(f"a@{SHA}").with_default_tag().familiar == f"a@{SHA}"


def test_parts() -> None:
    reference = Reference.parse(f"localhost:5000/team/app:2@{SHA}")
    assert (reference.domain, reference.path, reference.tag) == ("localhost:5000", "team/app", "2")
    assert reference.digest == Digest.parse(SHA)
    assert reference.familiar_name == reference.name == "localhost:5000/team/app"


@given(st.text(alphabet="aA0._-/:@ é", max_size=20))
def test_any_text_is_a_reference_or_refused_and_normalising_is_idempotent(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference
