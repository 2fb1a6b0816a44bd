"""The receiver of seed 002 (eWarehousing): base64 of the HMAC over the original bytes in X-Hmac-SHA256;
401 when it is wrong, 200 when it is right (002.6, 002.7, 002.10). The seed gives no route, and answers
with a name that is not there, response(200); both are put right here."""
import base64
import hashlib
import hmac
import os

from flask import Flask, abort, request

SECRET = os.environ["SECRET"]
app = Flask(__name__)


def verify_webhook(data, hmac_header):
    digest = hmac.new(SECRET.encode("utf-8"), data, digestmod=hashlib.sha256).digest()
    computed_hmac = base64.b64encode(digest)
    return hmac.compare_digest(computed_hmac, hmac_header.encode("utf-8"))


@app.route("/webhooks", methods=["POST"])
def handle_webhook():
    verified = verify_webhook(request.data, request.headers.get("X-Hmac-SHA256"))
    if not verified:
        return abort(401)
    return "", 200


app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
