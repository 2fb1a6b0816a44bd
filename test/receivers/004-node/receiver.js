// Seed 004's second receiver: express.raw, the body as text, hex compared as text, then the event's
// members; 401 when the signature is wrong (004.7 to 004.10).
const crypto = require("crypto");
const express = require("express");

const secret = process.env.SECRET;
const app = express();
app.use(express.raw({ type: "application/json" }));

function verify(payload, signature) {
  const expected = crypto.createHmac("sha256", secret).update(payload).digest("hex");
  return crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

app.post("/webhooks", (req, res) => {
  const signature = req.headers["x-webhook-signature"];
  const payload = req.body.toString();
  if (!verify(payload, signature)) {
    return res.status(401).json({ error: "Invalid signature" });
  }
  const event = JSON.parse(payload);
  switch (event.type) {
    case "resource.created":
    case "resource.updated":
      if (event.data.object === undefined) {
        throw new Error("the event has no object");
      }
  }
  res.json({ status: "received" });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
