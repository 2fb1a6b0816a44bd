// Seed 003's first receiver: body-parser keeps the raw body; hex is compared as text; 403 when it is
// wrong (003.8 to 003.10).
const crypto = require("crypto");
const express = require("express");
const bodyParser = require("body-parser");

const secret = process.env.SECRET;
const app = express();
app.use(bodyParser.raw({ type: "application/json" }));

app.post("/webhook", (req, res) => {
  const payload = req.body;
  const received = req.headers["x-signature"];
  const calculated = crypto.createHmac("sha256", secret).update(payload).digest("hex");
  if (crypto.timingSafeEqual(Buffer.from(calculated), Buffer.from(received))) {
    res.status(200).send("Valid signature");
  } else {
    res.status(403).send("Invalid signature");
  }
});

app.listen(Number(process.env.PORT), "127.0.0.1");
