"""The internet checksum: of IP headers, of ICMP, UDP and TCP (RFC 1071)."""


def checksum(data: bytes) -> int:
    """Return the ones' complement of the ones' complement sum of all 16-bit words; 0 over data with a right one in it.

    2 to the 16th leaves a remainder of 1 modulo 65535, so that the number which the bytes spell has the sum's own.
    """
    total = int.from_bytes(data + b"\0" if len(data) % 2 else data, "big")
    remainder = total % 0xFFFF
    return ~(remainder or (0xFFFF if total else 0)) & 0xFFFF
