// The receiver of seed 000 (Xemelgo): Express parses the body, and what is hashed is the body put
// together again by JSON.stringify. It answers 401 when the signature is wrong (000.18 to 000.20).
const crypto = require("crypto");
const express = require("express");

const secret = process.env.SECRET;
const app = express();
app.use(express.json());

const processed = new Set();

function verify(signature, body) {
  if (!signature?.startsWith("sha256=")) {
    throw new Error("the signature does not begin with sha256=");
  }
  const given = signature.slice(7);
  const hmac = crypto.createHmac("sha256", secret);
  hmac.update(JSON.stringify(body));
  const computed = hmac.digest("hex");
  if (!crypto.timingSafeEqual(Buffer.from(given, "hex"), Buffer.from(computed, "hex"))) {
    throw new Error("the signature is another one");
  }
}

app.post("/webhooks", (req, res) => {
  try {
    verify(req.headers["xemelgo-signature"], req.body);
  } catch (err) {
    return res.status(401).json({ error: "Unauthorized" });
  }
  const { id } = req.body;
  if (processed.has(id)) {
    return res.status(200).json({ received: true, duplicate: true });
  }
  processed.add(id);
  res.json({ received: true });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
