"""References: the names of images, as ``docker.io/library/busybox:latest`` and, to its friends, ``busybox``.

Grammar, normalisation and complaints are those of github.com/distribution/reference, which Docker uses::

    reference := name [ ":" tag ] [ "@" digest ]
    name      := [ domain "/" ] path-component { "/" path-component }
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from minidocker.digest import Digest
from minidocker.errors import InvalidParameter, InvalidReference

DEFAULT_DOMAIN: Final = "docker.io"
DEFAULT_TAG: Final = "latest"
_LEGACY_DOMAIN: Final = "index.docker.io"
_OFFICIAL: Final = "library/"
_NAME_MAX: Final = 255

_DOMAIN_COMPONENT: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN: Final = rf"(?:{_DOMAIN_COMPONENT}(?:\.{_DOMAIN_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH: Final = rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST: Final = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE: Final = re.compile(
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_PATH})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_IDENTIFIER: Final = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A whole name of an image: where (domain), what (path), which (tag, digest, either, or both)."""

    domain: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Return what a reference names, normalised, no tag added; InvalidReference if it is none."""
        if _IDENTIFIER.fullmatch(text):
            message = f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            raise InvalidReference(message, reference=text)
        domain, remainder = _split_domain(text)
        path = remainder.partition(":")[0]
        if path.lower() != path:
            message = f"invalid reference format: repository name ({path}) must be lowercase"
            raise InvalidReference(message, hint=f"Try {text.lower()}.", reference=text)
        match = _REFERENCE.fullmatch(f"{domain}/{remainder}")
        if match is None:
            raise InvalidReference("invalid reference format", hint=_hint(text), reference=text)
        if len(f"{match['domain']}/{match['path']}") > _NAME_MAX:
            message = f"repository name must not be more than {_NAME_MAX} characters"
            raise InvalidReference(message, reference=text)
        return cls(domain=match["domain"], path=match["path"], tag=match["tag"], digest=_digest(match["digest"]))

    @property
    def name(self) -> str:
        """Return the repository with its domain: ``docker.io/library/busybox``."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """Return the repository as people write it: ``busybox``, ``127.0.0.1:5000/lab/seed``."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        official = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in official else official

    @property
    def familiar(self) -> str:
        """Return the reference as people write it: ``busybox:latest``."""
        return self.familiar_name + self._suffix()

    def with_default_tag(self) -> "Reference":
        """Return the reference with ``:latest`` if it has neither a tag nor a digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def __str__(self) -> str:
        """Return the whole reference: ``docker.io/library/busybox:latest``."""
        return self.name + self._suffix()

    def _suffix(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return tag if self.digest is None else f"{tag}@{self.digest}"


def _split_domain(text: str) -> tuple[str, str]:
    """Return domain and remainder. The first component is a domain if it could be no part of a repository's path."""
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first or first.lower() != first):
        domain = DEFAULT_DOMAIN if first == _LEGACY_DOMAIN else first
    else:
        domain, rest = DEFAULT_DOMAIN, text
    if domain == DEFAULT_DOMAIN and "/" not in rest:
        rest = _OFFICIAL + rest
    return domain, rest


def _hint(text: str) -> str:
    if not text:
        return "An image has a name, such as busybox."
    if text.startswith("-"):
        return "That looks like an option; options of run stand before the image's name."
    if any(character.isspace() for character in text):
        return "An image's name has no spaces."
    return "A name looks like busybox, busybox:1.36 or localhost:5000/team/app:2."


def _digest(text: str | None) -> Digest | None:
    if text is None:
        return None
    try:
        return Digest.parse(text)
    except InvalidParameter as error:
        raise InvalidReference(error.message, hint=error.hint, reference=text) from error
