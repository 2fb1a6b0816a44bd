"""Seed 003's second receiver: request.data, compare_digest, 403 when it is wrong (003.8 to 003.10)."""
import hashlib
import hmac
import os

from flask import Flask, abort, request

secret = os.environ["SECRET"].encode("utf-8")
app = Flask(__name__)


@app.route("/webhook", methods=["POST"])
def webhook():
    payload = request.data
    received_signature = request.headers.get("X-Signature")
    calculated_signature = hmac.new(secret, payload, hashlib.sha256).hexdigest()
    if hmac.compare_digest(calculated_signature, received_signature):
        return "Valid signature", 200
    abort(403, "Invalid signature")


app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
