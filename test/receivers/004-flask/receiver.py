"""Seed 004's first receiver: the body as text and back, hex compared as text, then the event's members;
401 when the signature is wrong (004.7 to 004.10)."""
import hashlib
import hmac
import os

from flask import Flask, jsonify, request

SECRET = os.environ["SECRET"]
app = Flask(__name__)


def verify_webhook_signature(payload, signature, secret):
    expected_signature = hmac.new(secret.encode("utf-8"), payload.encode("utf-8"), hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, expected_signature)


def handle_resource(resource):
    """Does nothing: what matters is that the event has an object."""


@app.route("/webhooks", methods=["POST"])
def handle_webhook():
    payload = request.get_data(as_text=True)
    signature = request.headers.get("X-Webhook-Signature")
    if not verify_webhook_signature(payload, signature, SECRET):
        return jsonify({"error": "Invalid signature"}), 401
    event = request.json
    if event["type"] == "resource.created":
        handle_resource(event["data"]["object"])
    elif event["type"] == "resource.updated":
        handle_resource(event["data"]["object"])
    return jsonify({"status": "received"}), 200


app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
