#!/usr/bin/env python3
"""Computes the signature vectors in this folder without any of the code they test.

HMACs come from Python's hmac module, Ed25519 signatures from the openssl program. Run it in this
folder; it writes one <scheme>.json per scheme, and the same files every time.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile

BODY, ALL = ["body"], ["id", "timestamp", "body"]
STANDARD = {"header": "webhook-signature", "over": ALL, "encoding": "base64", "separator": " ",
            "timestamp_header": "webhook-timestamp", "id_header": "webhook-id"}

SCHEMES = {
    "xemelgo": {"header": "xemelgo-signature", "algorithm": "hmac-sha256", "key": "utf8", "over": BODY,
                "encoding": "hex", "format": "sha256={signature}"},
    "bare-hex": {"header": "X-Signature", "algorithm": "hmac-sha256", "key": "utf8", "over": BODY,
                 "encoding": "hex", "format": "{signature}"},
    "bare-base64": {"header": "X-Hmac-SHA256", "algorithm": "hmac-sha256", "key": "utf8", "over": BODY,
                    "encoding": "base64", "format": "{signature}"},
    "standard": {**STANDARD, "algorithm": "hmac-sha256", "key": "whsec", "format": "v1,{signature}"},
    "standard-any-secret": {**STANDARD, "algorithm": "hmac-sha256", "key": "whsec_or_utf8", "format": "v1,{signature}"},
    "standard-ed25519": {**STANDARD, "algorithm": "ed25519", "key": "whsec", "format": "v1a,{signature}"},
    "ed25519-hex": {"header": "X-Signature-Ed25519", "algorithm": "ed25519", "key": "whsec", "over": ["timestamp", "body"],
                    "encoding": "hex", "format": "{signature}", "timestamp_header": "X-Signature-Timestamp"},
    "timestamped": {"header": "Example-Signature", "algorithm": "hmac-sha256", "key": "utf8", "over": ["timestamp", "body"],
                    "encoding": "hex", "format": "t={timestamp},v1={signature}", "separator": ","},
    "timestamped-single": {"header": "Example-Signature", "algorithm": "hmac-sha512", "key": "utf8", "over": ["body", "timestamp"],
                           "encoding": "base64", "format": "t={timestamp};s={signature}"},
    "sha1-hex": {"header": "X-Hub-Signature", "algorithm": "hmac-sha1", "key": "utf8", "over": BODY,
                 "encoding": "hex", "format": "sha1={signature}"},
    "sha1-base64": {"header": "X-Old-Signature", "algorithm": "hmac-sha1", "key": "whsec", "over": BODY,
                    "encoding": "base64", "format": "{signature}"},
    "sha512-hex": {"header": "X-Signature-512", "algorithm": "hmac-sha512", "key": "utf8", "over": BODY,
                   "encoding": "hex", "format": "<{signature}>", "separator": ", "},
    "sha512-base64": {"header": "X-Signature-512", "algorithm": "hmac-sha512", "key": "whsec", "over": ALL,
                      "encoding": "base64", "format": "v2={signature}", "separator": ",",
                      "timestamp_header": "X-Time", "id_header": "X-Id"},
}

TEXT = "The secret of the vectors, longer than twenty-four characters"
# name: the secret as utf8 text
TEXTS = {
    "plain": TEXT,
    "one-character": "k",
    "unicode": "g\u00e9heim \u2013 \u79d8\u5bc6 \U0001f511 z\u0336",
    "spaces-kept": "  leading and trailing  \t",
    "64-bytes": "a" * 64,
    "65-bytes": "b" * 65,
    "128-bytes": "c" * 128,
    "129-bytes": "d" * 129,
    "4096-bytes": "e" * 4096,
    "looks-like-base64": "c2VjcmV0LW9mLXRoZS12ZWN0b3Jz",
}
BODIES = {
    "object": b'{"id":"evt_1","type":"order.created","data":{"object":{"total":12.50}}}',
    "empty": b"",
    "unicode": "{\"name\":\"Zo\u00eb \u2014 \u65e5\u672c\u8a9e \U0001f680\"}".encode(),
    "binary": bytes(range(256)),
    "newline": b'{\r\n "a" : 1 }\n',
    "2-kib": b'"' + b"x" * 2046 + b'"',
}
IDS = ["evt_01h455vb4pex5vsknk084sn02q", "c1314cc5-60f7-ddba-7be3-900030a8ee05", "given:by-publisher_7"]
TIMES = [1765572297, 0, 1674087231, 253402300799]


def key_bytes(name, length):
    """Bytes that are random to look at and the same in every run."""
    out, i = b"", 0
    while len(out) < length:
        out += hashlib.sha256(f"{name}/{i}".encode()).digest()
        i += 1
    return out[:length]


def secrets(scheme):
    """Pairs of (name, secret text, key bytes) in the scheme's key form."""
    if scheme["algorithm"] == "ed25519":
        for n in range(10):
            seed = key_bytes(f"ed25519/{n}", 32)
            yield f"seed-{n}", "whsk_" + base64.b64encode(seed).decode(), seed
        return
    if scheme["key"] == "utf8":
        for name, text in TEXTS.items():
            yield name, text, text.encode()
        return
    for length in (1, 24, 32, 64, 65, 128, 129, 1024):
        key = key_bytes("whsec", length)
        yield f"whsec-{length}-bytes", "whsec_" + base64.b64encode(key).decode(), key
    key = key_bytes("unpadded", 32)
    yield "whsec-without-padding", "whsec_" + base64.b64encode(key).decode().rstrip("="), key
    bare = base64.b64encode(key_bytes("bare", 33)).decode()
    yield "without-prefix", bare, base64.b64decode(bare) if scheme["key"] == "whsec" else bare.encode()
    if scheme["key"] == "whsec_or_utf8":
        for name, text in TEXTS.items():
            yield name, text, text.encode()
        yield "whsec-not-base64", "whsec_not base64!", b"whsec_not base64!"


ED25519_DER = bytes.fromhex("302e020100300506032b657004220420")  # PKCS #8 header before a seed (RFC 8410)
public_keys = {}


def openssl(*args, files):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)
        return subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True).stdout


def sign(algorithm, key, message):
    if algorithm != "ed25519":
        return hmac.new(key, message, algorithm.removeprefix("hmac-")).digest()
    if key not in public_keys:
        der = openssl("pkey", "-inform", "DER", "-in", "k", "-pubout", "-outform", "DER", files={"k": ED25519_DER + key})
        public_keys[key] = der[-32:]
    return openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", "k", "-in", "m",
                   files={"k": ED25519_DER + key, "m": message})


def vector(scheme, name, chosen, body, event_id, time):
    parts = {"body": body, "id": event_id.encode(), "timestamp": str(time).encode()}
    message = b".".join(parts[p] for p in scheme["over"])
    separator = scheme.get("separator", "")
    texts = []
    for _, _, key in chosen if separator else chosen[:1]:
        raw = sign(scheme["algorithm"], key, message)
        texts.append(raw.hex() if scheme["encoding"] == "hex" else base64.b64encode(raw).decode())
    before, after = scheme["format"].replace("{timestamp}", str(time)).split("{signature}")
    head, found, repeated = before.rpartition(separator) if separator else ("", "", before)
    header = head + found + separator.join(repeated + t + after for t in texts)
    out = {"name": name, "secrets": [text for _, text, _ in chosen], "id": event_id, "timestamp": time,
           "body_base64": base64.b64encode(body).decode(), "header": header}
    if scheme["algorithm"] == "ed25519":
        out["public_keys"] = ["whpk_" + base64.b64encode(public_keys[key]).decode() for _, _, key in chosen if key in public_keys]
    return out


def vectors(scheme):
    known = list(secrets(scheme))
    n = 0
    def next_meta():
        nonlocal n
        n += 1
        return IDS[n % len(IDS)], TIMES[n % len(TIMES)]
    for one in known:
        for body in ("object", "unicode"):
            yield vector(scheme, f"{one[0]}/{body}", [one], BODIES[body], *next_meta())
    for body in BODIES:
        yield vector(scheme, f"body/{body}", [known[1]], BODIES[body], *next_meta())
    for count in (2, 3, 5):
        for body in ("object", "empty", "binary"):
            yield vector(scheme, f"{count}-secrets/{body}", known[:count], BODIES[body], *next_meta())


for file, scheme in SCHEMES.items():
    with open(file + ".json", "w", encoding="utf-8") as f:
        json.dump({"scheme": scheme, "vectors": list(vectors(scheme))}, f, indent=1, ensure_ascii=True)
        f.write("\n")
