"""A private key for the App of a test, made once."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def app_key() -> tuple[bytes, bytes]:
    """Private and public key, PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    form, bare = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, form, bare), public
