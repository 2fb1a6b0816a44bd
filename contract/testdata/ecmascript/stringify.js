// Reads JSON texts, one a line in base64, and writes JSON.stringify(JSON.parse(text)) of each the same way.
const lines = require('fs').readFileSync(0, 'latin1').trimEnd().split('\n');
const results = lines.map((line) => {
  const text = Buffer.from(line, 'base64').toString('utf8');
  return Buffer.from(JSON.stringify(JSON.parse(text)), 'utf8').toString('base64');
});
process.stdout.write(results.join('\n') + '\n');
